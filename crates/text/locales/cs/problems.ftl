# What can go wrong, in three texts each: what happened, what state the data is in, what to do.
# The codes and their arguments are listed in crates/engine/src/problem.rs.

problem-repository-unreachable = Úložiště vydání { $source } neodpovídá.
problem-repository-unreachable-state = Nic se nezměnilo. Nainstalovaná verze běží dál.
problem-repository-unreachable-do = Zkontrolujte připojení serveru k síti a zkuste to později. Co přesně selhalo, je v podrobnostech níže.

problem-repository-untrusted = To, co nabízí úložiště vydání { $source }, není řádně podepsáno dodavatelem, nebo je zastaralé.
problem-repository-untrusted-state = Nic se nezměnilo a nic z toho nebylo použito. Nainstalovaná verze běží dál.
problem-repository-untrusted-do = Neinstalujte nic odjinud. Obraťte se na podporu dodavatele a pošlete jí diagnostické hlášení.

problem-release-damaged = Některý soubor verze { $version } chybí nebo to není ten, který dodavatel podepsal.
problem-release-damaged-state = Nic se nezměnilo. Nainstalovaná verze běží dál.
problem-release-damaged-do = Zkuste to znovu; co se stáhlo v pořádku, zůstává. Pokud se to opakuje, obraťte se na podporu dodavatele.

problem-release-unreadable = Tato instalace Obnovy neumí přečíst verzi { $version }.
problem-release-unreadable-state = Nic se nezměnilo. Starší verze se nabízejí jako obvykle.
problem-release-unreadable-do = Nejspíš je určena pro novější Obnovu: nainstalujte ji. Máte-li nejnovější, dejte vědět dodavateli.

problem-download-failed = Stahování verze { $version } bylo přerušeno.
problem-download-failed-state = Nic se nezměnilo. Co se už stáhlo, zůstává.
problem-download-failed-do = Zkuste to znovu: stahování naváže tam, kde přestalo.

problem-nothing-to-install = Novější verze, než je nainstalovaná, není k dispozici.
problem-nothing-to-install-state = Nic se nezměnilo.
problem-nothing-to-install-do = Není třeba nic dělat. Tlačítkem „Zkontrolovat znovu“ se můžete kdykoli podívat, zda přibyla.

problem-unknown-version = Verze { $version } se nenabízí.
problem-unknown-version-state = Nic se nezměnilo.
problem-unknown-version-do = Použijte tlačítko „Zkontrolovat znovu“ a vyberte verzi, která se nabízí.

problem-source-version = Verzi { $version } lze nainstalovat jen přes { $range }; nainstalovaná je verze { $installed } a žádná verze mezi nimi k ní nevede.
problem-source-version-state = Nic se nezměnilo.
problem-source-version-do = Zeptejte se podpory dodavatele, jak se z verze { $installed } dostat na verzi { $version }.

problem-failed-before = Instalace verze { $version } zde už jednou selhala.
problem-failed-before-state = Nyní se nic nemění; po onom selhání se vše vrátilo do předchozího stavu.
problem-failed-before-do = Počkejte na novější verzi, nebo ji nainstalujte i tak, pokud byla příčina odstraněna.

problem-update-running = Právě probíhá aktualizace na verzi { $version }.
problem-update-running-state = Nic dalšího nebylo spuštěno.
problem-update-running-do = Počkejte, až skončí.

problem-disk-space = Na disku není dost místa: je třeba { $needed }, v { $path } je volných { $free }.
problem-disk-space-state = Nic se nezměnilo. Nainstalovaná verze běží dál.
problem-disk-space-do = Uvolněte tam místo a zkuste to znovu.

problem-database-unusable = Databázi { $database } nelze číst nebo je jiného druhu, než je nastaveno.
problem-database-unusable-state = Nic se nezměnilo.
problem-database-unusable-do = Zkontrolujte nastavení databáze v souboru installation.toml a práva k souboru.

problem-database-in-use = Do databáze { $database } zapisuje jiný program, přestože je aplikace zastavená.
problem-database-in-use-state = Vše se vrátilo do stavu před aktualizací.
problem-database-in-use-do = Najděte a zastavte ten program (zálohování, sestavu, import) a zkuste to znovu.

problem-protection-failed = Data v { $path } se nepodařilo zkopírovat na bezpečné místo.
problem-protection-failed-state = Samotných dat se nic nedotklo. Vše se vrátilo do stavu před aktualizací.
problem-protection-failed-do = Podívejte se do podrobností níže: nejčastěji jde o plný disk nebo chybějící právo. Potom to zkuste znovu.

problem-stop-failed = Verzi { $version } se nepodařilo zastavit.
problem-stop-failed-state = Dat se nic nedotklo. Vše se vrátilo do stavu před aktualizací.
problem-stop-failed-do = V záznamech aplikace zjistěte, na co čeká. Obraťte se na podporu dodavatele.

problem-migration-failed = Převod databáze na verzi { $version } selhal (návratový kód { $status }).
problem-migration-failed-state = Databáze, datové soubory i program jsou přesně takové, jaké byly před aktualizací. Můžete dál pracovat.
problem-migration-failed-do = Pošlete diagnostické hlášení technické podpoře. Jakmile bude k dispozici opravená verze, nabídne se v Administračním centru.

problem-start-failed = Verzi { $version } se nepodařilo spustit.
problem-start-failed-state = Databáze, datové soubory i program jsou přesně takové, jaké byly před aktualizací. Můžete dál pracovat.
problem-start-failed-do = Pošlete diagnostické hlášení technické podpoře. Jakmile bude k dispozici opravená verze, nabídne se v Administračním centru.

problem-unhealthy = Verze { $version } se spustila, ale nefunguje správně.
problem-unhealthy-state = Databáze, datové soubory i program jsou přesně takové, jaké byly před aktualizací. Můžete dál pracovat.
problem-unhealthy-do = Pošlete diagnostické hlášení technické podpoře. Jakmile bude k dispozici opravená verze, nabídne se v Administračním centru.

problem-deadline = Aktualizace trvala déle, než smí.
problem-deadline-state = Databáze, datové soubory i program jsou přesně takové, jaké byly před aktualizací. Můžete dál pracovat.
problem-deadline-do = Zkuste to, až bude mít server méně práce, nebo v Nastavení prodlužte nejdelší přerušení provozu.

problem-interrupted = Aktualizace byla přerušena: server nebo sama aktualizační služba se zastavily v kroku „{ $step }“.
problem-interrupted-state = Databáze, datové soubory i program jsou přesně takové, jaké byly před aktualizací. Můžete dál pracovat.
problem-interrupted-do = Aktualizaci lze spustit znovu.

problem-system = Na serveru se nezdařila operace s { $path }.
problem-system-state = Pokud probíhala aktualizace, vše se vrátilo do stavu před ní.
problem-system-do = Podívejte se do podrobností níže: nejčastěji jde o plný disk nebo chybějící právo. Potom to zkuste znovu.

problem-account = Aplikace nemůže běžet pod uživatelem { $user }.
problem-account-state = Nic se nezměnilo.
problem-account-do = Založte uživatele nebo mu přidejte chybějící práva; která to jsou, říkají podrobnosti níže. Potom to zkuste znovu.

problem-engine-unreachable = Aktualizační služba na tomto serveru neodpovídá.
problem-engine-unreachable-state = Samotné aplikace se to netýká. Pokud probíhala aktualizace, dokončí se, nebo se vše vrátí do předchozího stavu, jakmile služba znovu poběží.
problem-engine-unreachable-do = Chvíli počkejte. Pokud to trvá, zjistěte na serveru, zda služba běží (obnova status).

problem-bad-request = To nelze provést.
problem-bad-request-state = Nic se nezměnilo.
problem-bad-request-do = Podívejte se do podrobností níže.

problem-not-allowed = To od aktualizační služby tento uživatel požadovat nesmí.
problem-not-allowed-state = Nic se nezměnilo.
problem-not-allowed-do = Proveďte to na serveru jako root. Kdo smí co požadovat, určuje oddíl [access] v souboru installation.toml.

problem-configuration = Nastavení { $path } nelze použít.
problem-configuration-state = Nic se nezměnilo.
problem-configuration-do = Opravte, co uvádějí podrobnosti níže, a spusťte to znovu.

problem-unknown-update = Aktualizace číslo { $update } neexistuje.
problem-unknown-update-state = Nic se nezměnilo.
problem-unknown-update-do = Všechny aktualizace jsou uvedeny v historii.

problem-rehearsal-impossible = Zkoušku aktualizace zde nelze provést.
problem-rehearsal-impossible-state = Aplikace ani její data se nijak nezměnila.
problem-rehearsal-impossible-do = Podrobnosti níže říkají, co k ní chybí. Aktualizovat lze i bez zkoušky.

problem-rehearsal-failed = Zkouška verze { $version } se nezdařila.
problem-rehearsal-failed-state = Zkouška běžela na kopii; aplikace ani její data se nijak nezměnila.
problem-rehearsal-failed-do = Instalace by dopadla stejně. Pošlete výpis zkoušky podpoře a počkejte na opravenou verzi, nebo odstraňte příčinu uvedenou níže a zkoušku zopakujte.

problem-rehearsal-differs = Při zkoušce verze { $version } se kopie nevrátila přesně do stavu před aktualizací.
problem-rehearsal-differs-state = Zkouška běžela na kopii; aplikace ani její data se nijak nezměnila.
problem-rehearsal-differs-do = Tuto verzi neinstalujte a pošlete výpis zkoušky podpoře.

problem-not-isolated = Kopii pro zkoušku zde nelze odříznout od sítě.
problem-not-isolated-state = Zkouška nezačala a nic se nezměnilo.
problem-not-isolated-do = Nová verze by při zkoušce mohla například rozeslat e-maily. Povolte službě síťové jmenné prostory, nebo v nastavení dovolte zkoušky bez oddělení od sítě.

problem-rehearsal-running = Právě se zkouší verze { $version }.
problem-rehearsal-running-state = Aplikace běží beze změny.
problem-rehearsal-running-do = Počkejte, až zkouška skončí, nebo ji přerušte.

problem-rehearsal-broken-off = Zkouška byla přerušena.
problem-rehearsal-broken-off-state = Zkouška běžela na kopii, která byla smazána; aplikace ani její data se nijak nezměnila.
problem-rehearsal-broken-off-do = Chcete-li vědět, jak aktualizace dopadne, spusťte ji znovu.

problem-rehearsal-too-long = Zkouška verze { $version } trvala déle než { $minutes } minut.
problem-rehearsal-too-long-state = Zkouška běžela na kopii, která byla smazána; aplikace ani její data se nijak nezměnila.
problem-rehearsal-too-long-do = Výpis zkoušky říká, ve kterém kroku byla. Povolte v nastavení více času, nebo zkoušejte ve chvíli, kdy má server méně práce.

problem-neutralise-too-long = Příkaz, který má kopii zneškodnit, neskončil do { $seconds } sekund (verze { $version }).
problem-neutralise-too-long-state = Kopie byla smazána; aplikace ani její data se nijak nezměnila.
problem-neutralise-too-long-do = Povolte mu v nastavení více času, nebo se zeptejte dodavatele, proč trvá tak dlouho.

problem-last-copy = Toto je jediná dobrá záloha, kterou lze použít.
problem-last-copy-state = Nic se nesmazalo.
problem-last-copy-do = Smazat ji půjde, až bude existovat novější.

problem-nothing-to-revert = Není kam se vrátit.
problem-nothing-to-revert-state = Nic se nezměnilo.
problem-nothing-to-revert-do = Vrátit se lze jen k verzi před poslední dokončenou aktualizací, a jen dokud existuje její záloha.
