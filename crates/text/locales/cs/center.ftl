# Area: center
# The pages of the Administration Centre.

nav-contents = Obsah
nav-menu = Nabídka
nav-running = Probíhá aktualizace

# Welcome
welcome-title = Vítejte
welcome-no-version = Verze teď není známa.
welcome-open = Otevřít { $name }
welcome-centre = Administrační centrum
state-serving = V provozu
state-serving-text = Aplikace běží a odpovídá.
state-updating = Probíhá aktualizace
state-updating-text = Aplikace se právě aktualizuje. Požadavky chvíli počkají a pak se samy dokončí.
state-rolling-back = Vrací se předchozí verze
state-rolling-back-text = Aktualizace se nezdařila a aplikace se vrací do předchozího stavu.
state-stopped = Aplikace neběží
state-stopped-text = Aplikace právě neodpovídá. Správce zjistí více v Administračním centru.
state-unreachable = Stav není znám
state-unreachable-text = Aktualizační služba neodpovídá, proto není znám ani stav aplikace. Aplikace sama může běžet dál.

# Sign-in and set-up
sign-in-lead = Administrační centrum aplikace { $name } je určeno správcům.
sign-in-do = Přihlásit se
sign-in-wrong = E-mail nebo heslo nesouhlasí, případně uživatel není správcem.
sign-in-wait = Příliš mnoho neúspěšných pokusů. Zkuste to znovu nejdříve za { $minutes } minut.
setup-title = První správce
setup-lead = Administrační centrum zatím nemá žádného správce. Kdo má přístup k serveru, může zde vytvořit prvního.
setup-code = Jednorázový kód
setup-code-hint = Najdete ho na serveru v souboru
setup-create = Vytvořit správce
setup-wrong-code = Kód nesouhlasí. Opište ho přesně ze souboru na serveru.
setup-wait = Příliš mnoho pokusů s chybným kódem. Zkuste to znovu za čtvrt hodiny.
password-again = Heslo znovu
password-hint = Nejméně 10 znaků. Dlouhá věta je lepší než krátká změť znaků.
password-short = Heslo musí mít alespoň 10 znaků.
password-long = Heslo je příliš dlouhé.
password-differs = Hesla se neshodují.

# Errors
error-not-found-title = Stránka neexistuje
error-not-found-text = Na této adrese nic není. Možná byla položka mezitím odebrána.
error-forbidden-title = Požadavek byl odmítnut
error-forbidden-text = Formulář nepatří k vašemu přihlášení nebo přišel z jiné stránky. Vraťte se, načtěte stránku znovu a opakujte akci.
error-malformed-title = Požadavku nelze rozumět
error-malformed-text = V požadavku něco chybí nebo nemá správný tvar. Vraťte se a zkuste to znovu.
error-too-large-title = Požadavek je příliš velký
error-too-large-text = Soubor smí mít nejvýše 16 MB, formulář nejvýše 1 MB.
error-engine-title = Aktualizační služba neodpovídá
error-engine-text = Administrační centrum běží, ale nemůže se spojit s aktualizační službou (engine). Aplikace sama může běžet dál.
error-internal-title = Něco se nezdařilo
error-internal-text = Chyba je na straně Administračního centra a je zaznamenána v jeho provozním logu. Nic se nezměnilo. Zkuste to znovu.
error-to-updates = Přejít na Aktualizace
error-to-start = Přejít na úvodní stránku

# Problems
problem-what = Co se stalo
problem-state = Stav vašich dat
problem-do = Co udělat
problem-detail = Podrobnosti pro odborníka

# Updates
updates-title = Aktualizace
updates-checking = Zjišťuje se, zda existuje novější verze…
updates-refresh = Zkontrolovat znovu
updates-found = K dispozici je verze { $version }.
updates-nothing-newer = Novější verze není k dispozici.
updates-check-failed = Kontrola se nezdařila.
updates-no-centre = Administrační centrum neodpovědělo. Zkuste to znovu.
updates-known-from-before = Níže je stav z poslední úspěšné kontroly.
updates-metadata-expires = Platnost podpisů v úložišti vydání končí { $at }. Pokud je dodavatel neobnoví, nebude možné instalovat.
updates-installed = Nainstalovaná verze
updates-offered = Nabízená verze
updates-route = Cesta k nabízené verzi
updates-route-why = K nabízené verzi se přechází přes mezilehlé verze. Všechny se nainstalují jedním kliknutím, jedna po druhé:
updates-obstacles = Teď ji nelze nainstalovat:
updates-install = Nainstalovat { $version }
updates-insist = Přesto nainstalovat…
updates-plan = Co přesně se provede
updates-download = ke stažení nejvýše { $size }
updates-checked = zkontrolováno { $at }
updates-current = Máte nejnovější verzi.
updates-never-checked = Úložiště vydání ještě nebylo zkontrolováno.
updates-notes = Co je nového
updates-no-notes = K této verzi dodavatel nic nenapsal.

# Install
install-title = Instalace
install-plan = Co se provede
install-question = Nainstalovat verzi { $version }?
install-what-happens = Uživatelé dostanou informační e-mail. Požadavky na aplikaci { $name } se na chvíli pozdrží, data se zajistí, aplikace přejde na novou verzi a po její kontrole se požadavky uvolní.
install-if-it-fails = Kdyby se cokoli nezdařilo, vše se samo vrátí přesně do stavu před aktualizací.
install-insist-text = Tato verze zde už jednou selhala. Pokud příčina trvá, selže znovu a vše se opět vrátí do předchozího stavu.
install-start = Nainstalovat
install-refused = Aktualizaci nelze spustit
install-disk-needed = Potřebné místo na disku
install-disk-free = Volné místo na disku
install-steps = Kroky

# Progress
progress-kicker = Probíhá aktualizace
progress-updating = Instaluje se verze { $to }
progress-updating-lead = { $name } přechází z verze { $from }. Spustil(a): { $actor }.
progress-rolling-back = Vrací se verze { $from }
progress-rolling-back-lead = Instalace verze { $to } se nezdařila. Vše se vrací přesně do stavu před ní.
progress-undoing = Nemusíte nic dělat; všechny provedené kroky se právě vracejí.
progress-overall = Hotové kroky
progress-steps = { $done } z { $total } kroků hotovo
progress-elapsed = běží { $time }
progress-bytes = { $done } z { $total }
progress-files = { $done } z { $total } souborů
progress-requests = dokončeno { $done } z { $total } požadavků
progress-so-far = zatím { $done }
progress-said = Krok { $number } z { $total }: { $step }
progress-said-undo = Vrací se krok { $number } z { $total }: { $step }
progress-lost = Spojení s Administračním centrem je přerušeno
progress-lost-text = Aktualizace na serveru pokračuje. Stránka se sama znovu připojí.
progress-engine-away = Aktualizační služba teď neodpovídá
progress-engine-away-text = Nejspíš se restartuje. Po startu sama pokračuje tam, kde přestala, nebo vše vrátí do předchozího stavu; aktualizace nikdy nezůstane napůl hotová. Aplikace sama může běžet dál.
progress-waiting = Čeká se, až se služba ozve…
progress-safe-to-leave = Stránku můžete zavřít nebo otevřít na jiném počítači; aktualizace pokračuje na serveru.
status-waiting = čeká
status-running = probíhá
status-done = hotovo
status-failed = selhalo
status-undoing = vrací se
status-undone = vráceno
status-failed-undone = selhalo, vráceno

# The window at the end
verdict-done = Instalace byla dokončena
verdict-done-text = { $name } běží ve verzi { $version }.
verdict-done-mails = Uživatelé právě dostávají e-mail, že je aktualizace hotova.
verdict-failed = Verzi { $version } se nepodařilo nainstalovat
verdict-failed-text = { $name } běží dál ve verzi { $version }. Vše je jako před aktualizací.
verdict-steps = Průběh po krocích
verdict-ok = Rozumím

# Report
report-title = Diagnostické hlášení
report-lead = Technické podpoře dodavatele se odešle přesně toto a nic jiného. Hlášení neobsahuje hesla ani klíče; přesto si ho před odesláním prohlédněte.
report-download = Stáhnout hlášení
report-to-support = Poslat technické podpoře…
report-send = Odeslat na { $address }
report-no-mail-server = Hlášení lze odeslat na { $address }, až bude nastaven poštovní server. Zatím ho stáhněte a pošlete sami.
report-no-address = Dodavatel neuvedl adresu podpory. Hlášení stáhněte a předejte mu ho.
report-problem = Proč se aktualizace nezdařila
report-system = Systém
report-made = Vytvořeno
report-log = Výpis
report-whole = Celé hlášení ve formátu JSON

# History
history-title = Historie
history-lead = Všechny aktualizace: kdo je spustil, jak dopadly a jak dlouho trvaly.
history-empty = Zatím neproběhla žádná aktualizace.
history-versions = Verze
history-outcome = Výsledek
history-started = Zahájeno
history-finished = Ukončeno
history-actor = Spustil(a)
history-took = Trvání
history-blackout = Pozdržení požadavků
history-then = Následující verze
history-update = Aktualizace č. { $number }
history-steps = Kroky
history-mails = E-maily k aktualizaci
outcome-running = Probíhá
outcome-completed = Dokončeno
outcome-rolled-back = Vráceno do předchozího stavu

# Users
users-title = Uživatelé
users-lead = Kdo dostává e-maily o aktualizacích. Přihlásit se sem mohou jen členové skupiny Administrator.
users-search = Jméno nebo e-mail
users-all-groups = Všechny skupiny
users-empty = Nikdo takový tu není.
user-add = Přidat uživatele
user-state = Stav
user-active = Aktivní
user-inactive = Neaktivní
user-active-hint = Dostává e-maily a smí se přihlásit, je-li správcem.
user-language = Jazyk e-mailů a stránek
user-imported = O údaje tohoto uživatele se stará import. Když je zde změníte, povede se uživatel nadále ručně a import ho už nezmění.
user-password-optional = Heslo (nepovinné)
user-password-hint = Jen pro správce; ostatní heslo nepotřebují.
user-password-new = Nové heslo
user-has-password = Uživatel má heslo. Nastavením nového se ukončí všechna jeho přihlášení.
user-no-password = Uživatel nemá heslo, takže se nemůže přihlásit.
user-password-set = Nastavit heslo
user-remove = Odebrat uživatele
user-remove-question = Odebrat uživatele { $name }?
user-remove-text = Nebude dostávat e-maily a nebude se moci přihlásit. Odeslané e-maily zůstanou v seznamu oznámení.

# Groups
groups-title = Skupiny
groups-lead = Skupinami se určuje, kdo dostane zprávy o stavu aktualizace na serveru.
group-members = Členů
group-about = Popis
group-name = Název skupiny
group-new-name = Nový název
group-add = Přidat skupinu
group-change = Upravit
group-rename = Přejmenovat
group-administrator-hint = Správci: smějí se sem přihlásit a instalovat.
group-everyone-hint = Všichni aktivní uživatelé; členství se určuje samo.
group-system-hint = Servisní účty; nejsou to lidé a hromadné e-maily nedostávají.
group-notified = dostává zprávy o aktualizaci
group-remove = Odebrat skupinu
group-remove-text = Její členové zůstanou, jen už nebudou v této skupině.
group-count =
    { $count ->
        [one] { $count } člen
        [few] { $count } členové
       *[other] { $count } členů
    }

# Import
import-title = Import uživatelů
import-lead = Uživatele lze načíst ze souboru nebo přímo z databáze aplikace. Import nikdy nikoho nejmenuje správcem a ručně vedené uživatele nemění.
import-csv = Ze souboru CSV
import-csv-hint = První řádek obsahuje názvy sloupců; povinné jsou name a email. Skupiny ve sloupci groups se oddělují čárkou.
import-file = Soubor CSV
import-upload = Načíst soubor
import-deactivate = Deaktivovat ty, kdo v souboru chybí
import-deactivate-hint = Týká se jen uživatelů z dřívějších importů.
import-sql = Z databáze aplikace
import-sql-none = Dotaz do databáze zatím není nastaven.
import-sql-daily = Dotaz se provádí jednou denně.
import-sql-manual = Dotaz je nastaven, ale provádí se jen na vyžádání.
import-now = Importovat nyní
import-last = Poslední import { $at }
import-done = Import je hotov
import-added = přidáno
import-changed = změněno
import-unchanged = beze změny
import-reactivated = znovu aktivováno
import-deactivated = deaktivováno
import-rows = Řádky, které nebylo možné použít
import-line = řádek

# Notifications
notifications-title = Oznámení
notifications-lead = Všechny e-maily, které Administrační centrum odeslalo nebo odešle.
notifications-no-server = Poštovní server není nastaven, e-maily zatím čekají.
notifications-set-server = Nastavit poštovní server
notifications-search = Příjemce nebo předmět
notifications-of-update = Jen e-maily k aktualizaci č. { $number }
notifications-show-all = ukázat všechny
notifications-empty = Žádné takové e-maily tu nejsou.
mail-subject = Předmět
mail-to = Příjemce
mail-state = Stav
mail-attempts = Počet pokusů
mail-when = Kdy
mail-created = Vytvořen
mail-next = Další pokus
mail-last-error = Poslední chyba
mail-reply-to = Odpovědět na
mail-attachment = Příloha
mail-text = Textová část
mail-html = HTML část
mail-resend = Poslat znovu
mail-resend-failed = Poslat znovu všechny neodeslané
mail-test = Zkušební e-mail
mail-test-to = Komu
mail-test-send = Poslat zkušební e-mail
mail-state-all = Všechny
mail-state-waiting = Čeká
mail-state-sending = Odesílá se
mail-state-sent = Odesláno
mail-state-failed = Neodesláno

# Settings
settings-title = Nastavení
settings-lead = Kdo dostává zprávy, přes jaký poštovní server, z jakého kanálu přicházejí aktualizace a co se při nich děje s provozem.
settings-faults = Nastavení nebylo uloženo:
settings-notify = Zprávy o aktualizaci
settings-notify-hint = Zahájení, dokončení a selhání aktualizace serveru.
settings-notify-groups = Skupiny, které dostávají informace o stavu aktualizace na serveru
settings-mail = Pošta
settings-mail-hint = Přes který server se e-maily odesílají. Po uložení se čekající e-maily hned zkusí odeslat.
settings-mail-from = Odesílatel
settings-smtp-host = Server SMTP
settings-smtp-port = Port
settings-smtp-security = Zabezpečení
settings-smtp-none = žádné (jen pro server na tomto počítači)
settings-smtp-user = Účet
settings-tells-nobody = Ve vybraných skupinách není žádný aktivní uživatel. Zprávy o aktualizaci zatím dostávají členové skupiny Administrator.
settings-shows-password = Heslo k poštovnímu serveru putuje po síti nešifrované. Zvolte STARTTLS nebo TLS.
settings-public-url = Adresa Administračního centra
settings-public-url-hint = Na tuto adresu vedou odkazy v e-mailech.
settings-language = Výchozí jazyk
settings-language-hint = Pro uživatele, jejichž jazyk není znám.
settings-updates = Aktualizace
settings-updates-hint = Tato nastavení uplatňuje aktualizační služba.
settings-channel = Kanál
settings-channel-stable = Stabilní
settings-channel-stable-hint = Ověřená vydání.
settings-channel-beta = Beta
settings-channel-beta-hint = I předběžná vydání, pro zkušební servery.
settings-deadline = Nejdelší přerušení provozu (sekund)
settings-deadline-hint = Nedokončí-li se přechod do této doby, vše se vrátí do předchozího stavu. Prázdné: trojnásobek předpovědi ze zkoušky, bez ní deset minut.
settings-hold-hint = Během přechodu se požadavky pozdrží. Na ty, které se do těchto mezí nevejdou, odpoví stránka o údržbě.
settings-hold-requests = Pozdržených požadavků nejvýše
settings-hold-mib = Jejich data nejvýše (MiB)
settings-hold-seconds = Jeden požadavek čeká nejdéle (sekund)
settings-drain-seconds = Čas na dokončení rozpracovaných (sekund)
settings-engine-away = Ostatní nastavení lze uložit i tak.
settings-import = Import uživatelů
settings-import-hint = Odkud Administrační centrum získává uživatele a jejich e-maily.
settings-import-daily = Importovat jednou denně
settings-import-url = Databáze
settings-import-url-hint = sqlite:///cesta/k/souboru nebo postgres://uzivatel:heslo@server/databaze. Databáze se jen čte.
settings-import-query = Dotaz SQL
settings-import-query-hint = Sloupce name a email, případně language a groups.
secret-kept = uloženo, neukazuje se
secret-forget = Zapomenout uložené

# What cannot be taken
fault-email-taken = Tuto e-mailovou adresu už má jiný uživatel.
fault-email-invalid = Toto není e-mailová adresa.
fault-name-invalid = Jméno (název) chybí, je příliš dlouhé nebo obsahuje nepovolené znaky.
fault-group-taken = Skupina s tímto názvem už existuje.
fault-group-builtin = Vestavěnou skupinu nelze změnit.
fault-last-administrator = Musí zůstat alespoň jeden správce s heslem.
fault-public-url = Adresa Administračního centra musí začínat http:// nebo https://.
fault-mail-from = Odesílatel musí být e-mailová adresa, případně ve tvaru Jméno <adresa>.
fault-smtp-port = Port musí být číslo od 1 do 65535.
fault-smtp-password = Pro jiný poštovní server nebo bez šifrování je třeba heslo zadat znovu, nebo je dát zapomenout.
fault-import-incomplete = Pro denní import vyplňte databázi i dotaz.
fault-desktop-days = Počty dnů u Desktopů jsou mimo povolený rozsah, nebo je první větší než druhý.
fault-limits = Některá z mezí je mimo povolený rozsah.

# What was just done
done-user-added = Uživatel byl přidán.
done-user-changed = Změny uživatele jsou uloženy.
done-user-removed = Uživatel byl odebrán.
done-password-set = Heslo je nastaveno.
done-group-added = Skupina byla přidána.
done-group-renamed = Skupina byla přejmenována.
done-group-removed = Skupina byla odebrána.
done-settings-saved = Nastavení je uloženo.
done-report-sent = Hlášení je na cestě technické podpoře.
done-mail-resent = E-mail se odešle znovu.
done-mails-resent =
    { $count ->
        [one] { $count } e-mail se odešle znovu.
        [few] { $count } e-maily se odešlou znovu.
       *[other] { $count } e-mailů se odešle znovu.
    }
done-mail-queued = Zkušební e-mail je na cestě. Zde uvidíte, jak dopadl.

# Audit log
audit-title = Protokol
audit-lead = Kdo, co a kdy v Administračním centru udělal. Zápisy nelze měnit ani mazat.
audit-empty = Zatím tu nic není.
audit-what = Co
audit-detail = Podrobnost
audit-who = Kdo
audit-when = Kdy
audit-older = Starší
audit-signed-in = Přihlášení
audit-sign-in-failed = Neúspěšné přihlášení
audit-sign-in-failed-often = Mnoho neúspěšných přihlášení; další se nějakou dobu nezapisují
audit-sign-in-refused = Přihlášení odmítnuto po příliš mnoha pokusech
audit-sign-in-refused-often = Mnoho odmítnutých přihlášení; další se nějakou dobu nezapisují
audit-stranger = neznámý uživatel
audit-signed-out = Odhlášení
audit-set-up = Vytvoření prvního správce
audit-update-started = Spuštění aktualizace
audit-report-sent = Odeslání diagnostického hlášení
audit-user-added = Přidání uživatele
audit-user-changed = Změna uživatele
audit-user-removed = Odebrání uživatele
audit-password-set = Nastavení hesla
audit-group-added = Přidání skupiny
audit-group-renamed = Přejmenování skupiny
audit-group-removed = Odebrání skupiny
audit-users-imported = Import uživatelů z databáze
audit-users-imported-csv = Import uživatelů ze souboru
audit-settings-changed = Změna nastavení
audit-mail-resent = Opakované odeslání e-mailu
audit-test-mail-sent = Odeslání zkušebního e-mailu
