# Desktop na počítači uživatele: co píše jeho příkazová řádka a co se může pokazit, vždy třemi texty: co se stalo, v jakém
# stavu věci jsou, co dělat. Kódy jsou v crates/desktop/src/error.rs.

desktop-made = { $path } je připraven. Zatím v něm nic není: verzi, kterou server potřebuje, nainstaluje „obnova-desktop update“.
desktop-current = Je nainstalována verze { $version }.
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

desktop-error-cannot-start = Verzi { $version } se nepodařilo spustit.
desktop-error-cannot-start-state = Nic se nezměnilo.
desktop-error-cannot-start-do = Spusťte znovu instalátor programu; vaše data zachová. Podrobnosti říkají, co chybí.

desktop-error-interrupted = Zastaveno, jak jste si přáli.
desktop-error-interrupted-state = Nic se nezměnilo a co je stažené, zůstává.
desktop-error-interrupted-do = Není třeba nic dělat. Příští stahování bude pokračovat, kde toto skončilo.
