# Instalátor Desktopu: co říká jeho skript a „obnova-desktop install“.

installer-installing = Instaluje se { $name } { $version } ...
installer-installed = { $name } { $version } je nainstalován. Spusťte ho z nabídky, nebo příkazem: { $program }
installer-updated = { $name } { $version } je nainstalován místo verze { $previous }, která zůstává pro případ návratu. Poběží od příštího spuštění.
installer-there = { $name } { $version } už nainstalován byl a je v pořádku.
installer-server = Řídí se serverem { $server }
installer-no-systemd = Na tomto počítači neběží systemd. Uživatelé budou moci aktualizovat, až jako root poběží: { $root }/bin/obnova-desktop --root { $root } service --socket { $socket }
installer-removed = Složka { $path } je odebrána. Vaše data jsou na serveru.
installer-no-agent = Verze { $version } nemá agenta ({ $path }).

# Ve skriptu, dříve než lze spustit cokoli, co nese. Žádné proměnné ani uvozovky shellu.
installer-script-usage = Použití: sh SOUBOR [volby]. Bez voleb se zeptá na server a nainstaluje jen pro vás; práva správce nejsou potřeba.
installer-script-server = Adresa administračního centra vaší firmy, například https://obnova.example.com/
installer-script-authorities = Soubor s certifikačními autoritami, kterým věřit kromě autorit tohoto počítače (PEM)
installer-script-dir = Kam instalovat; jinak do vaší domovské složky
installer-script-silent = Na nic se neptat, vypisovat jen chyby
installer-script-autostart = Spouštět s vaším sezením agenta v oznamovací oblasti
installer-script-no-menu = Nepřidávat do nabídky
installer-script-start = Program poté spustit
installer-script-uninstall = Odebrat; vaše data na serveru zůstanou
installer-script-all-users = Nainstalovat pro všechny uživatele tohoto počítače do /opt, se službou, která program aktualizuje; jako root
installer-script-root = Pro všechny uživatele může instalovat i odebírat jen root. Nic se nezměnilo.
installer-script-check = Jen zkontrolovat, zda je tento soubor v pořádku
installer-script-ask = Adresa serveru:
installer-script-no-server = Chybí adresa serveru; zadejte ji volbou --server
installer-script-damaged = Tento soubor je poškozený nebo neúplný. Nic se nezměnilo. Stáhněte ho znovu.
installer-script-whole = Tento soubor je v pořádku.
installer-script-read-only = Do této složky nelze zapisovat. Nic se nezměnilo. Zvolte jinou volbou --dir:
installer-script-full = Na disku je málo místa. Nic se nezměnilo. Uvolněte místo a zkuste to znovu; potřeba je v KiB:
installer-script-other-computer = Tento instalátor je pro jiné počítače. Nic se nezměnilo. Je pro:
installer-script-missing = V systému chybí program, který instalátor potřebuje:
installer-script-unknown = Neznámá volba:
installer-script-unpack = Rozbalení se nezdařilo; proč, říkají řádky výše. Nic se nezměnilo.
installer-script-no-home = Není známo, kde je vaše domovská složka; zadejte volbou --dir, kam instalovat

desktop-error-other-program = Ve složce { $path } je něco jiného.
desktop-error-other-program-state = Nic se nezměnilo.
desktop-error-other-program-do = Zvolte jinou složku.

desktop-error-no-server = Není známo, ke kterému serveru program patří.
desktop-error-no-server-state = Nic se nezměnilo.
desktop-error-no-server-do = Zadejte adresu administračního centra vaší firmy; zná ji váš správce.

# Instalační program pro Windows, v okně nebo v terminálu.
installer-script-no-autostart = Agenta s vaším sezením nespouštět
setup-usage = Bez voleb se zeptá na server a nainstaluje jen pro vás; práva správce nejsou potřeba.
setup-window-title = Instalace { $name } { $version }
setup-intro = { $name } se nainstaluje jen pro vás; práva správce nejsou potřeba. Aktualizovat se bude podle serveru vaší firmy.
setup-server = Adresa administračního centra vaší firmy:
setup-autostart = Hlídat aktualizace v oznamovací oblasti
setup-install = Nainstalovat
setup-cancel = Zrušit
setup-start = Spustit program teď?
setup-remove = Opravdu chcete program odebrat? Vaše data na serveru zůstanou.
