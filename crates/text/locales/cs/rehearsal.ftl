# Area: rehearsal. Rehearsals and their forecasts, protected copies, and the way back after a finished update.

# The card on the Updates page
rehearsal-title = Zkouška na kopii
rehearsal-lead = Aktualizace se předem celá provede na kopii vašich dat, i s návratem zpět. Aplikace { $name } přitom běží beze změny. Dozvíte se, zda instalace projde a jak dlouho budou požadavky čekat.
rehearsal-start = Vyzkoušet { $version }
rehearsal-again = Vyzkoušet znovu
rehearsal-cancel = Přerušit zkoušku
rehearsal-details = Podrobnosti a výpis
rehearsal-running = Zkouší se verze { $version }
rehearsal-running-walk = Zkouší se cesta k verzi { $version }: { $at }, { $number } z { $total }
rehearsal-safe-to-leave = Stránku můžete zavřít, zkouška pokračuje na serveru.
rehearsal-outcome-passed = Zkouška prošla
rehearsal-outcome-expired = Zkouška už neplatí
rehearsal-outcome-failed = Zkouška neprošla
rehearsal-outcome-not-made = Zkouška neproběhla
rehearsal-said-passed = Zkouška verze { $version } prošla.
rehearsal-said-failed = Zkouška verze { $version } neprošla.
rehearsal-said-not-made = Zkouška verze { $version } neproběhla.
rehearsal-expired = Tato zkouška už neplatí. Vyzkoušejte verzi znovu.
rehearsal-expired-version = Od té doby byla nainstalována jiná verze.
rehearsal-expired-route = Cesta k této verzi teď vede přes jiné verze.
rehearsal-expired-age = Je příliš stará.
rehearsal-expired-growth = Data od té doby příliš narostla.
rehearsal-by = spustil(a) { $actor }
rehearsal-by-itself = proběhla automaticky
rehearsal-about = { $by }, na kopii { $size } dat
rehearsal-not-isolated = Kopie nebyla oddělena od sítě. Nová verze při zkoušce mohla například odeslat e-mail nebo oslovit jiný systém.
rehearsal-untouched = Zkouška běžela na kopii. Aplikace ani její data se nijak nezměnily.
rehearsal-refused = Zkoušku nelze provést
ago-now = před chvílí
ago-minutes =
    { $count ->
        [one] před { $count } minutou
       *[other] před { $count } minutami
    }
ago-hours =
    { $count ->
        [one] před { $count } hodinou
       *[other] před { $count } hodinami
    }
ago-days =
    { $count ->
        [one] před { $count } dnem
       *[other] před { $count } dny
    }

# All about one rehearsal
rehearsal-of = Zkouška verze { $version }
rehearsal-why-failed = Proč zkouška neprošla
rehearsal-why-not-made = Proč zkouška neproběhla
rehearsal-data = Velikost dat
rehearsal-who = Zkouška
rehearsal-isolation = Oddělení od sítě
rehearsal-isolation-network = ano, kopie viděla jen sama sebe
rehearsal-isolation-none = ne
rehearsal-passed-means = Nová verze na kopii naběhla, prošla kontrolami a návrat vedl přesně do stavu před aktualizací.
rehearsal-walk = Tato aktualizace projde několika verzemi po sobě. Při každé z nich požadavky čekají, mezi nimi se pracuje.
rehearsal-walk-version = Verze
rehearsal-walk-title = Verze po verzi
rehearsal-walk-failed = tady neprošla
rehearsal-walk-not-reached = nedošlo na ni
rehearsal-walk-steps = Kroky verze { $version }
rehearsal-log = Výpis zkoušky
rehearsal-log-empty = Výpis není k dispozici.

# Forecast
forecast-title = Předpověď
forecast-blackout = Požadavky budou čekat
forecast-spread = nejspíš { $spread }
forecast-drain = z toho { $time } na dokončení rozpracovaných požadavků
forecast-people = Uživatelé uvidí
forecast-traffic-hold = krátké čekání
forecast-traffic-page = stránku o údržbě
forecast-deadline = po { $time } se vše vrátí zpět
forecast-way-back = Návrat zpět
forecast-way-back-hint = kdyby se něco nezdařilo
forecast-disk = Místo na disku
forecast-disk-hint = nejvýše, během aktualizace
forecast-longer = skutečnost o { $by } ({ $percent }) delší
forecast-shorter = skutečnost o { $by } ({ $percent }) kratší
forecast-exact = přesně podle předpovědi
accuracy-title = Jak vycházely předpovědi
accuracy-actual = Skutečnost
accuracy-error = Rozdíl
accuracy-words =
    { $count ->
        [one] U jedné aktualizace se předpověď čekání lišila od skutečnosti o { $mean }.
        [few] U { $count } aktualizací se předpověď čekání lišila od skutečnosti průměrně o { $mean } (medián { $median }). V předpovězeném rozmezí jich bylo { $within }.
       *[other] U { $count } aktualizací se předpověď čekání lišila od skutečnosti průměrně o { $mean } (medián { $median }). V předpovězeném rozmezí jich bylo { $within }.
    }
install-forecast-hold = Podle zkoušky budou požadavky čekat asi { $time } (nejspíš { $spread }).
install-forecast-page = Podle zkoušky bude přechod trvat asi { $time } (nejspíš { $spread }); uživatelé zatím uvidí stránku o údržbě.
install-insist-rehearsal-text = Zkouška této verze na kopii vašich dat neprošla. Instalace nejspíš selže stejně a vše se pak vrátí do předchozího stavu; požadavky budou zatím čekat. Do protokolu se zapíše, že jste instalovali přes neúspěšnou zkoušku.
progress-forecast = předpověď čekání { $time } (nejspíš { $spread })
progress-held = požadavky čekají { $time }
history-forecast = předpověď { $time }

# Protected copies
history-tab-updates = Aktualizace
copies-title = Zálohy před aktualizací
copies-lead = Kopie databáze a datových souborů, jaké byly před aktualizací. Lze se k nim vrátit.
copies-empty = Zatím tu žádná záloha není. Vznikne při první aktualizaci.
copies-version = Verze
copies-before = Před aktualizací
copies-made = Vznikla
copies-size = Velikost
copies-is-last = jediná dobrá, nelze smazat
copies-delete = Smazat
copies-delete-this = Smazat zálohu verze { $version }
copies-delete-question = Smazat zálohu verze { $version }?
copies-delete-text = Vznikla { $at } a zabírá { $size }. Smazání nelze vzít zpět.
copies-delete-revert = K této záloze vede návrat k verzi { $version }. Po smazání už se nepůjde vrátit.
copies-not-deleted = Zálohu nelze smazat
copies-total = Celkem zabírají { $size }.
copies-rule = Kolik se jich uchovává a jak dlouho

# The way back
revert-zone = Nebezpečná oblast
revert-zone-text = Aktualizace je dokončena. Můžete se ještě vrátit k verzi { $version } a k datům z doby před ní; vše, co bylo od té doby uloženo, se tím ztratí. Nejdřív uvidíte, co přesně.
revert-look = Co by se ztratilo návratem k verzi { $version }
revert-title = Návrat k verzi { $version }
revert-lead = { $name } se vrátí z verze { $from } k verzi { $to } a k datům, jaká byla { $since }.
revert-obstacles = Teď se vrátit nelze:
revert-refused = Vrátit se nelze
revert-lost = Co se ztratí
revert-lost-nothing = Od aktualizace nebylo nic uloženo. Neztratí se nic.
revert-lost-text = Vše, co bylo uloženo po { $since }:
revert-tables = Řádky zapsané od aktualizace, po tabulkách
revert-table = Tabulka
revert-inserted = Přidáno
revert-updated = Změněno
revert-deleted = Smazáno
revert-no-rows = V databázi se nic nezměnilo.
revert-others-unknown = V ostatních tabulkách nepřibyl ani neubyl žádný řádek. Zda se v nich řádky měnily, tato databáze neumí říct.
revert-all-unknown = Nepřibyl ani neubyl žádný řádek. Zda se řádky měnily, tato databáze neumí říct.
revert-cannot-tell = Tato databáze neumí říct, kolik řádků od aktualizace přibylo nebo se změnilo. Počítejte s tím, že se ztratí vše od té doby.
revert-files = Změněné, přidané nebo smazané datové soubory: { $count }
revert-export = Uložit si data stranou
revert-export-text = Nynější databáze a datové soubory se zapíší do nového adresáře na serveru. Návrat s ním už nic nedělá.
revert-directory = Adresář na serveru
revert-directory-absolute = Adresář musí být zadán celou cestou od kořene (/…).
revert-export-do = Uložit stranou
revert-exporting = Data se ukládají stranou
revert-export-look = Podívat se znovu
revert-still-exporting = Data se ještě ukládají stranou. Počkejte, až to skončí.
revert-exported = Data jsou uložena stranou
revert-not-exported = Data se nepodařilo uložit stranou
revert-do-title = Vrátit
revert-do-text = Uživatelé dostanou e-mail, požadavky se pozdrží, předchozí verze se spustí nad svými daty a požadavky se uvolní. Kdyby se návrat nezdařil, zůstane vše, jak je teď.
revert-confirm = Pro potvrzení napište číslo verze, k níž se vracíte: { $version }
revert-not-confirmed = Číslo verze nesouhlasí. Nic se nestalo.
revert-do = Vrátit k verzi { $version }
history-revert = návrat
progress-kicker-revert = Probíhá návrat
progress-reverting = Návrat k verzi { $to }
progress-reverting-lead = { $name } se vrací z verze { $from } do stavu před ní. Spustil(a): { $actor }.
progress-revert-failed = Návrat se nezdařil, zůstává verze { $from }
progress-revert-failed-lead = Návrat k verzi { $to } se nezdařil. Vše se vrací přesně do stavu před ním.
verdict-reverted = Návrat k verzi { $version } je dokončen
verdict-reverted-mails = Uživatelé právě dostávají e-mail o návratu.
verdict-revert-failed = Návrat k verzi { $version } se nezdařil
state-reverting = Probíhá návrat
state-reverting-text = Aplikace se vrací k předchozí verzi. Požadavky chvíli počkají a pak se samy dokončí.

# Settings
settings-rehearsal = Zkoušky na kopii
settings-rehearsal-hint = Kdy se aktualizace předem vyzkouší a jak dlouho zkouška platí.
settings-rehearsal-automatic = Vyzkoušet každou novou verzi automaticky
settings-rehearsal-automatic-hint = Jakmile se nabídne. Když zkouška neprojde, dostanou vybrané skupiny e-mail.
settings-rehearsal-daily = Zkoušet denně v
settings-rehearsal-daily-hint = Prázdné: ne. Čas podle hodin serveru, je-li co zkoušet.
settings-rehearsal-valid = Zkouška platí (dní)
settings-rehearsal-growth = Data smějí narůst (%)
settings-rehearsal-disk = Místo pro kopii nejvýše (GB)
settings-rehearsal-disk-hint = Prázdné: nejvýše polovina volného místa.
settings-rehearsal-limit = Zkouška smí trvat (minut)
settings-rehearsal-neutralise = Zneškodnění kopie smí trvat (sekund)
settings-rehearsal-neutralise-hint = Příkaz dodavatele, který se na kopii spustí jako první. Trvá-li déle, zkouška se neprovede.
settings-rehearsal-unisolated = Zkoušet i tam, kde kopii nelze oddělit od sítě
settings-rehearsal-unisolated-warning = Bez oddělení může nová verze při zkoušce pracovat se skutečným světem: rozeslat e-maily, provést platby, volat jiné systémy. Povolte to, jen pokud víte, že nic takového nedělá.
settings-deadline-empty = trojnásobek předpovědi
settings-copies-hint = Kolik kopií dat z doby před aktualizací zůstává. Poslední dobrá zůstává vždy.
settings-copies-count = Uchovávat nejvýše (kusů)
settings-copies-days = Uchovávat nejvýše (dní)
settings-copies-days-hint = 0: bez omezení.
settings-copies-show = Ukázat zálohy
fault-time = Čas musí mít tvar hodiny:minuty.
fault-disk = Místo pro kopii musí být kladné číslo v GB.

done-copy-deleted = Záloha byla smazána.
audit-rehearsal-started = Spuštění zkoušky
audit-rehearsal-cancelled = Přerušení zkoušky
audit-update-insisted = Spuštění aktualizace, přestože zde už selhala
audit-update-insisted-rehearsal = Spuštění aktualizace, přestože její zkouška neprošla
audit-copy-deleted = Smazání zálohy před aktualizací
audit-data-exported = Uložení dat stranou
audit-revert-started = Spuštění návratu k předchozí verzi
