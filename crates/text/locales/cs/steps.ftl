# What each step of an update does, while it does it. Keys: step-<name of the step, dashes for underscores>.
step-check = Kontrola, zda lze aktualizaci nainstalovat
step-download = Stahování a ověřování vydání
step-prepare = Příprava zajištění databáze
step-announce = Oznámení všem uživatelům
step-hold = Pozdržení požadavků
step-stop = Zastavení aplikace
step-protect-database = Zajištění databáze
step-protect-files = Zajištění datových souborů
step-migrate = Převod databáze
step-switch = Přepnutí verze
step-start = Spuštění nové verze
step-verify = Kontrola, že nová verze funguje
step-release-traffic = Uvolnění požadavků
step-commit = Dokončení aktualizace
step-clean = Úklid

# Kroky zkoušky, které žádná aktualizace nemá.
step-clone = Kopírování databáze a datových souborů pro zkoušku
step-way-back = Návrat zpět na kopii
step-compare = Porovnání kopie s původním stavem
step-discard = Smazání kopie

# Kroky návratu k předchozí verzi, které žádná aktualizace nemá.
step-lay-out = Příprava dat z doby před aktualizací
step-go-back = Návrat databáze a souborů
