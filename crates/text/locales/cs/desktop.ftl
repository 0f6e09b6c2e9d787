# Desktop na počítači uživatele: co píše jeho příkazová řádka a co se může pokazit, vždy třemi texty: co se stalo, v jakém
# stavu věci jsou, co dělat. Kódy jsou v crates/desktop/src/error.rs.

desktop-made = { $path } je připraven. Zatím v něm nic není: verzi, kterou server potřebuje, nainstaluje „obnova-desktop update“.
desktop-current = Je nainstalována verze { $version }.
desktop-machine = Všichni uživatelé tohoto počítače dostanou verzi { $version }; vy od příštího spuštění také.
desktop-none = Zatím není nainstalována žádná verze.
desktop-on-trial = Zatím nepotvrdila, že funguje.
desktop-server = Server má verzi { $version }.
desktop-wanted = Server potřebuje verzi { $version }.
desktop-previous = Předchozí verze { $version } zůstává pro případ návratu.
desktop-quarantined = Verze { $version } se sama nenainstaluje: { $why }
desktop-news-returned = Verze { $version } byla opět opuštěna: { $why }
desktop-right = Je nainstalována správná verze.
desktop-required = Nainstalovaná verze se serverem nefunguje.
desktop-found-install = Patří k němu verze { $version }; stáhne se { $size }.
desktop-found-up = Patří k němu verze { $version }, novější než nainstalovaná; stáhne se { $size }.
desktop-found-down = Patří k němu verze { $version }, starší než nainstalovaná; stáhne se { $size }.
desktop-downloaded = Verze { $version } je stažena.
desktop-applied = Od příštího spuštění poběží verze { $version }.
desktop-confirm-nothing = Nebylo co potvrdit.
desktop-confirm-yes = Verze funguje a server ji přijímá.
desktop-confirm-without-server = Verze funguje. Serveru se nebylo možné zeptat, ale to není důvod k návratu.
desktop-confirm-no = Verze tu nefunguje. Vrátí se předchozí.

desktop-reason-not-started = nepodařilo se ji spustit ({ $detail }).
desktop-reason-crashed = brzy po spuštění sama skončila ({ $status }).
desktop-reason-silent = do { $seconds } sekund nepotvrdila, že funguje.
desktop-reason-never = byla spuštěna { $starts }× a nikdy nepotvrdila, že funguje.
desktop-reason-own-check = neprošla vlastní kontrolou ({ $detail }).
desktop-reason-refused = server verze { $server } s ní nepracuje.
desktop-reason-by-hand = někdo se od ní vrátil.

desktop-error-server-unreachable = Server { $address } neodpovídá.
desktop-error-server-unreachable-state = Nic se nezměnilo a co je stažené, zůstává. Nainstalovanou verzi lze používat.
desktop-error-server-unreachable-do = Zkontrolujte připojení k síti a zkuste to později. Je-li příčinou proxy nebo certifikát, jmenují ho podrobnosti.

desktop-error-wrong-server = { $address } neodpovídá jako aktualizační server tohoto programu.
desktop-error-wrong-server-state = Nic se nezměnilo. Nainstalovanou verzi lze používat.
desktop-error-wrong-server-do = Zeptejte se správce na správnou adresu; je v souboru desktop.toml.

desktop-error-untrusted = Nabídka serveru { $address } není řádně podepsána výrobcem, nebo už neplatí.
desktop-error-untrusted-state = Nic se nezměnilo a nic z ní nebylo použito. Nainstalovanou verzi lze používat.
desktop-error-untrusted-do = Řekněte to správci. Neinstalujte program odjinud.

desktop-error-no-desktop = Výrobce nemá pro tento počítač verzi, která by fungovala se serverem verze { $server }.
desktop-error-no-desktop-state = Nic se nezměnilo. Nainstalovaná verze zůstává.
desktop-error-no-desktop-do = Řekněte to správci: server potřebuje verzi, ke které taková existuje.

desktop-error-not-with-server = Verze { $version } nefunguje se serverem, který má verzi { $server }.
desktop-error-not-with-server-state = Nic se nezměnilo. Nainstalovaná verze zůstává.
desktop-error-not-with-server-do = Není třeba nic dělat: k serveru patří nainstalovaná verze.

desktop-error-below-minimum = Byla by potřeba verze { $version }, ale výrobce už nedovoluje verze nižší než { $minimum }.
desktop-error-below-minimum-state = Nic se nezměnilo. Nainstalovaná verze zůstává.
desktop-error-below-minimum-do = Řekněte to správci: je třeba aktualizovat server.

desktop-error-damaged = Některý soubor programu na serveru { $address } chybí, nebo to není ten, který podepsal výrobce.
desktop-error-damaged-state = Nic se nezměnilo a co se stáhlo v pořádku, zůstává. Nainstalovanou verzi lze používat.
desktop-error-damaged-do = Zkuste to za několik minut znovu: server ho možná ještě stahuje. Pokud se to opakuje, řekněte to správci.

desktop-error-disk-full = Disk je plný.
desktop-error-disk-full-state = Nic se nezměnilo. Nainstalovanou verzi lze používat.
desktop-error-disk-full-do = Uvolněte místo a zkuste to znovu.

desktop-error-not-allowed = Do některého souboru nebo složky programu nelze zapisovat.
desktop-error-not-allowed-state = Nic se nezměnilo. Nainstalovanou verzi lze používat.
desktop-error-not-allowed-do = Podrobnosti říkají, kam. Požádejte správce o právo tam zapisovat.

desktop-error-disk = Disk odmítl operaci.
desktop-error-disk-state = Nezměnilo se nic, co by příští spuštění nedokončilo nebo nevrátilo. Nainstalovanou verzi lze používat.
desktop-error-disk-do = Zkuste to znovu. Pokud se to opakuje, nechte disk zkontrolovat.

desktop-error-busy = Na téže aktualizaci pracuje jiný program, nebo se verze právě používá.
desktop-error-busy-state = Nic se nezměnilo. Nainstalovanou verzi lze používat.
desktop-error-busy-do = Počkejte, až skončí, nebo zavřete ostatní okna programu, a zkuste to znovu.

desktop-error-quarantined = Verze { $version } na tomto počítači už jednou selhala, nebo se od ní někdo vrátil.
desktop-error-quarantined-state = Nic se nezměnilo. Nainstalovanou verzi lze používat.
desktop-error-quarantined-do = Počkejte na novější verzi, nebo po odstranění příčiny použijte „obnova-desktop update --insist“.

desktop-error-unfit-here = Verze { $version } na tomto počítači nemůže běžet.
desktop-error-unfit-here-state = Je stažená, ale nepřepnulo se na ni. Nainstalovanou verzi lze používat.
desktop-error-unfit-here-do = Podrobnosti říkají, co jí chybí. Řekněte to správci.

desktop-error-nothing-before = Není verze, ke které by se dalo vrátit.
desktop-error-nothing-before-state = Nic se nezměnilo. Nainstalovanou verzi lze používat.
desktop-error-nothing-before-do = Není třeba nic dělat.

desktop-error-policy = Správce aktualizace tohoto programu vypnul.
desktop-error-policy-state = Nic se nezměnilo. Nainstalovanou verzi lze používat.
desktop-error-policy-do = Požádejte správce o verzi, kterou potřebujete.

desktop-error-not-installed = V { $path } není nainstalován žádný program.
desktop-error-not-installed-state = Nic se nezměnilo.
desktop-error-not-installed-do = Zadejte správnou složku, nebo program nainstalujte: instalátor je na uvítací stránce serveru.

desktop-error-state-damaged = Soubor { $path } je poškozen.
desktop-error-state-damaged-state = Nic se nezměnilo. Soubory jednotlivých verzí na disku zůstávají.
desktop-error-state-damaged-do = Spusťte znovu instalátor programu; vaše data zachová.

desktop-error-no-service = Služba, která tento program aktualizuje pro všechny uživatele počítače, neodpovídá.
desktop-error-no-service-state = Nic se nezměnilo. Nainstalovanou verzi lze používat.
desktop-error-no-service-do = Řekněte to správci tohoto počítače; více je v podrobnostech. Službu zřídí instalátor programu, když ho správce spustí znovu.

desktop-error-too-often = Služba, která tento program aktualizuje pro všechny uživatele počítače, dostala příliš mnoho dotazů.
desktop-error-too-often-state = Nic se nezměnilo. Nainstalovanou verzi lze používat.
desktop-error-too-often-do = Počkejte minutu a zkuste to znovu.

desktop-error-unprotected = { $path } by mohli změnit jiní uživatelé tohoto počítače.
desktop-error-unprotected-state = Nic se nezměnilo. Pro všechny uživatele se nic neinstaluje tam, kde by to kdokoli z nich mohl změnit.
desktop-error-unprotected-do = Správce tohoto počítače musí nastavit vlastníka root a nikomu jinému nedovolit zápis.

desktop-error-cannot-start = Verzi { $version } se nepodařilo spustit.
desktop-error-cannot-start-state = Nic se nezměnilo.
desktop-error-cannot-start-do = Spusťte znovu instalátor programu; vaše data zachová. Podrobnosti říkají, co chybí.

desktop-error-interrupted = Zastaveno, jak jste si přáli.
desktop-error-interrupted-state = Nic se nezměnilo a co je stažené, zůstává.
desktop-error-interrupted-do = Není třeba nic dělat. Příští stahování bude pokračovat, kde toto skončilo.

# Okna a agent. { $name } je název produktu.

gui-update-title = Aktualizace { $name }
gui-close = Zavřít
gui-cancel = Zrušit
gui-later = Později
gui-again = Zkusit znovu
gui-details = Podrobnosti
gui-progress = Průběh

gui-looking = Hledá se správná verze…
gui-right-heading = { $name } je aktuální
gui-right = Je nainstalována verze { $version }, která patří k serveru verze { $server }.

gui-up-heading = Nová verze: { $name } { $version }
gui-down-heading = K vašemu serveru patří { $name } { $version }
gui-install-heading = { $name } { $version } lze nainstalovat
gui-facts = Nainstalováno: { $current } · Server: { $server } · Ke stažení: { $size }
gui-facts-first = Server: { $server } · Ke stažení: { $size }
gui-limited-title = Omezení do aktualizace
gui-limited-all = Verze { $current } **už se serverem nefunguje**; ten má verzi { $server }. Dokud neaktualizujete, { $name } nemůže pracovat se svými daty.
gui-limited-none = Zatím nic: verze { $current } se serverem také funguje.
gui-limited-nothing-here = { $name } zatím nelze používat.
gui-new = Co je nového
gui-new-nothing = Výrobce o této verzi nic nenapsal.
gui-why-title = Proč starší verze
gui-why = Server má verzi { $server } a { $name } verze { $current } je **novější**. Správce server nejspíš vrátil. { $name } se vždy řídí svým serverem, proto sem patří verze { $version }.
gui-stays-title = Co to znamená
gui-stays = - **Vaše data zůstávají** na serveru tak, jak jsou.
    - Co přinesla novější verze, tu nebude, dokud se server znovu neaktualizuje.
    - Potom se jím { $name } bude řídit jako vždy.
gui-later-until = Můžete to odložit do { $until }.
gui-later-free = Můžete to odložit; dotaz se objeví při každém spuštění.
gui-later-not = Už to nelze odložit.
gui-stopped = Zastaveno. Co je stažené, zůstává a příští stahování tam naváže.
gui-update-now = Aktualizovat nyní
gui-down-now = Změnit nyní
gui-install-now = Nainstalovat nyní
gui-insist = Přesto nainstalovat

gui-loading = Staženo { $done } z { $total }
gui-left-seconds = zbývá asi { $count } s
gui-left-minutes = zbývá asi { $count } min
gui-left-hours = zbývá asi { $count } h
gui-checking = Nová verze se kontroluje…

gui-ready-heading = Nainstalováno: { $name } { $version }
gui-ready = Poběží od příštího spuštění.
gui-ready-open = Program { $name } je otevřený a běží ještě v dosavadní verzi. Uložte si práci a restartujte: zavře se a znovu otevře ve verzi { $version }. Nic se nezavře násilím.
gui-holds = Je tu nedokončená práce:
gui-hold-unknown = Program { $name } teď nelze zavřít.
gui-restart = Restartovat nyní
gui-start = Spustit { $name }
gui-at-next-start = Při příštím spuštění
gui-closing-heading = Čeká se, až se program { $name } zavře
gui-closing = Dokončete v něm práci a zavřete ho. Znovu se otevře sám, v nové verzi.
gui-stop-waiting = Nečekat
gui-failed-heading = { $name } se nepodařilo aktualizovat

gui-new-heading = Co je nového: { $name }
gui-downgraded-heading = { $name } teď běží ve verzi { $version }
gui-downgraded = Dosud to byla verze { $from }. Server má starší verzi { $server } a { $name } se vždy řídí svým serverem.
gui-downgraded-state = Vaše data jsou na serveru tak, jak byla. Co přinesla verze { $from }, tu teď není.
gui-downgraded-do = Není třeba nic dělat. Až se server znovu aktualizuje, { $name } se aktualizuje také.
gui-returned-heading = { $name } je zpět ve verzi { $version }
gui-returned = Verze { $from } na tomto počítači nefungovala: { $why }
gui-returned-state = Proto zase běží verze { $version }, která fungovala předtím. Vašich dat se to nedotklo a verze { $from } se sama znovu nenainstaluje.
gui-returned-do = Není třeba nic dělat, správce už o tom ví. Novější verze bude nabídnuta jako obvykle.
gui-refused-heading = { $name } je zpět ve verzi { $version }
gui-refused = Verze { $from } k serveru nepatří: { $why }
gui-refused-state = Proto zase běží verze { $version }. Vašich dat se to nedotklo.
gui-refused-do = Není třeba nic dělat. Až se server aktualizuje, { $name } se aktualizuje také.
gui-by-hand-heading = { $name } je zpět ve verzi { $version }
gui-by-hand = Někdo se vrátil z verze { $from }.
gui-by-hand-state = Zase běží verze { $version } a verze { $from } se sama znovu nenainstaluje.
gui-by-hand-do = Není třeba nic dělat.

gui-agent-right = { $name } { $version } je aktuální
gui-agent-waits = Čeká aktualizace: { $name } { $version }
gui-agent-unknown = { $name }: serveru se nebylo možné zeptat
gui-agent-update = Aktualizovat na nejnovější verzi
gui-agent-update-to = Aktualizovat na verzi { $version }
gui-agent-new = Co je nového
gui-agent-quit = Ukončit
gui-agent-note = Kliknutím se aktualizuje. Vaši práci to nepřeruší.
gui-agent-done = Poběží od příštího spuštění. Uložte si práci a restartujte, až se vám to bude hodit.
gui-agent-no-bus = Chybí sběrnice relace (D-Bus), takže není kam umístit ikonu ani upozornění. Agent běží v grafické relaci uživatele.
