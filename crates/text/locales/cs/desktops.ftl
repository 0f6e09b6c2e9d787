# Area: desktops
# The Desktops page of the Administration Centre and its settings.

desktops-title = Desktopy
desktops-lead = Jaké verze mají uživatelé na svých počítačích. Desktop se drží serveru sám; tady vidíte, jak daleko to je.
desktops-export = Exportovat do CSV
desktops-keeps-nothing = Podle nastavení se o Desktopech nic neuchovává.
desktops-none = Zatím se neozval žádný Desktop. Desktopy se ozývají samy, když zjišťují, kterou verzi mají mít.
desktops-none-used = V poslední době se neozval žádný Desktop.
desktops-used = Používané
desktops-used-hint = ozvaly se během { $days } dnů
desktops-unused-hint = po { $days } dnech se zapomenou
desktops-returned-none = žádný
desktops-show = zobrazit
desktops-chart = Verze v čase
desktops-chart-words = Každý sloupec je jeden den: kolik používaných Desktopů mělo kterou verzi. Ve dnech bez sloupce Administrační centrum neběželo a nic se nespočítalo.
desktops-span = Jak daleko zpět
desktops-days = { $days } dnů
desktops-as-table = Totéž jako tabulka
desktops-day = Den
desktops-all = Celkem
desktops-versions = Používané verze
desktops-version = Verze
desktops-no-version = zatím nenainstalován
desktops-other-versions = jiné verze
desktops-server-unknown = verze serveru teď není známa
desktops-servers = jako server
desktops-platform = Systém
desktops-platforms = Systémy
desktops-failures = Opuštěné verze
desktops-failures-hint = Tyto počítače se naposledy vrátily k předchozí verzi. Opuštěná verze se na nich sama znovu nenainstaluje.
desktops-left-version = Opuštěná verze
desktops-why = Důvod
desktops-left = Opuštěna { $version }:
desktops-list = Instalace
desktops-search = Číslo, verze nebo systém
desktops-installation = Instalace (náhodné číslo)
desktops-state = Stav
desktops-last-seen = Naposledy
desktops-no-match = Nic neodpovídá hledání.

# How a Desktop stands. Keys: desktops-standing-<name>.
desktops-standing-all = Všechny
desktops-standing-matching = Jako server
desktops-standing-other = Jiná verze
desktops-standing-returned = Vrátil se zpět
desktops-standing-unused = Dlouho se neozval

# Why a version was left again. Keys: desktops-why-<reason>.
desktops-why-not-started = Nepodařilo se ji spustit.
desktops-why-crashed = Krátce po spuštění sama skončila ({ $value }).
desktops-why-silent = Do { $value } s nepotvrdila, že funguje.
desktops-why-never-confirmed = Nikdy nepotvrdila, že funguje (počet spuštění: { $value }).
desktops-why-own-check = Její vlastní kontrola neprošla.
desktops-why-refused = Server ve verzi { $value } s ní nepracuje.
desktops-why-by-hand = Někdo se od ní vrátil ručně.
desktops-why-unknown = Důvod tu není znám. { $value }

# Settings
desktops-settings-hint = Co si Administrační centrum pamatuje o Desktopech na počítačích uživatelů.
desktops-settings-kept = Co se uchovává
desktops-kept-nothing = Nic
desktops-kept-nothing-hint = Co je uloženo doposud, se uložením nastavení smaže.
desktops-kept-reasons = Náhodné číslo, verze, systém a druh selhání
desktops-kept-reasons-hint = Číslo označuje instalaci; čí je, z něj nikdo nepozná.
desktops-kept-details = Navíc to, co o selhání řekl počítač
desktops-kept-details-hint = Může v tom být cesta se jménem uživatele.
desktops-settings-used = Za používaný se počítá, ozval-li se během (dnů)
desktops-settings-keep = Zapomenout, neozve-li se po dobu (dnů)
desktops-settings-show = Zobrazit Desktopy

# The installers on the welcome page
desktops-download-title = { $name } Desktop
desktops-download-lead = Program pro váš počítač. Pokud ho už máte, nestahujte nic: aktualizaci vám nabídne sám.
desktops-download-for = Stáhnout pro { $system }
desktops-download-others = Pro jiné počítače
desktops-download-all = Instalátory
desktops-download-file = Soubor
desktops-download-size = Velikost
desktops-download-requires = Požadavky
desktops-download-signed = Podle SHA-256 ověříte, že soubor dorazil celý a beze změny.
