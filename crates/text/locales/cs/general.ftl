# Area: general
# Words that every page shares.
version = verze
name = Jméno
email = E-mail
password = Heslo
language = Jazyk
group = Skupina
save = Uložit
cancel = Zrušit
back = Zpět
search = Hledat
actions = Akce
theme = Vzhled
theme-auto = Vzhled podle systému
theme-light = Světlý vzhled
theme-dark = Tmavý vzhled
skip-to-content = Přejít k obsahu
sign-in = Přihlášení
sign-out = Odhlásit
signed-in-as = Přihlášený uživatel
centre = Administrační centrum
paging = Stránkování
paging-of = { $first }–{ $last } z { $total }
paging-before = Předchozí
paging-after = Další
