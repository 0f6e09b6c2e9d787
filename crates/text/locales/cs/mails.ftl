# Area: mails. What is in the mails, and what is said about mails and imports of users.

mail-header = { $product }
mail-footer = Tuto zprávu odeslalo Administrační centrum. Není třeba na ni odpovídat.
mail-link-progress = Sledovat průběh
mail-link-updates = Otevřít Aktualizace v Administračním centru
mail-link-welcome = Otevřít stránku ke stažení

# What each mail is called in lists. Keys: mail-kind-<kind, dashes for underscores>.
mail-kind-update-started-group = Aktualizace zahájena (vybrané skupiny)
mail-kind-update-started-everyone = Aktualizace zahájena (všichni)
mail-kind-update-completed-group = Aktualizace dokončena (vybrané skupiny)
mail-kind-update-completed-everyone = Aktualizace dokončena (všichni)
mail-kind-update-failed-group = Aktualizace se nezdařila (vybrané skupiny)
mail-kind-update-undone-everyone = Aktualizace se nezdařila (všichni)
mail-kind-test-mail = Zkušební zpráva
mail-kind-report-to-support = Diagnostické hlášení

# first and target: versions before and after the whole click; from and to: of one update in it.
mail-update-started-group-subject = { $product }: aktualizace na verzi { $target } byla zahájena
mail-update-started-group-title = Aktualizace na verzi { $target } byla zahájena
mail-update-started-group-what = Uživatel { $actor } zahájil aktualizaci serverové části aplikace { $product } z verze { $first } na verzi { $target }.
mail-update-started-group-next = Nikdo se nemusí odhlašovat. Při přechodu na novou verzi se požadavky na chvíli pozdrží; nic z toho, co bylo uloženo, se neztratí. Kdyby se cokoli nezdařilo, systém se sám vrátí do předchozího stavu. O výsledku vás budeme informovat další zprávou.

mail-update-started-everyone-subject = { $product }: probíhá aktualizace na verzi { $target }
mail-update-started-everyone-title = Probíhá aktualizace aplikace { $product }
mail-update-started-everyone-what = Byla zahájena aktualizace aplikace { $product } z verze { $first } na verzi { $target }.
mail-update-started-everyone-next = Můžete pracovat dál. Aplikace může chvíli odpovídat pomaleji než obvykle; nic z toho, co uložíte, se neztratí. Až bude aktualizace dokončena, dáme vám vědět.

mail-update-completed-group-subject = { $product }: aktualizace na verzi { $target } je dokončena
mail-update-completed-group-title = Aktualizace na verzi { $target } je dokončena
mail-update-completed-group-what = Aktualizace serverové části aplikace { $product } z verze { $first } na verzi { $target } byla dokončena. Zahájil ji uživatel { $actor }.
mail-update-completed-group-held = Při přechodu na novou verzi byly požadavky pozdrženy na { $held }.
mail-update-completed-group-desktop = Všem uživatelům jsme napsali, jak získají odpovídající verzi Desktopu.

mail-update-completed-everyone-subject = { $product }: aktualizace na verzi { $target } je dokončena
mail-update-completed-everyone-title = Verze { $target } je připravena
mail-update-completed-everyone-what = Aktualizace aplikace { $product } z verze { $first } na verzi { $target } byla dokončena.
mail-update-completed-everyone-desktop = Teď prosím aktualizujte { $product } Desktop na svém počítači, aby odpovídal serveru. Desktop vám novou verzi nabídne sám: zvolte Aktualizovat nyní.
mail-update-completed-everyone-page = Pokud ji nenabídne nebo pokud Desktop ještě nemáte, stáhněte si ho z této stránky.
mail-update-completed-everyone-ask = Pokud ji nenabídne nebo pokud Desktop ještě nemáte, zeptejte se svého správce na adresu stránky ke stažení.

mail-update-failed-group-subject = { $product }: aktualizace na verzi { $to } se nezdařila, vše je v předchozím stavu
mail-update-failed-group-title = Aktualizace na verzi { $to } se nezdařila, vše je v předchozím stavu
mail-update-failed-group-what = Aktualizace serverové části aplikace { $product } z verze { $from } na verzi { $to }, kterou zahájil uživatel { $actor }, nebyla dokončena. Server běží ve verzi { $from } a lze s ním normálně pracovat.
mail-update-failed-group-happened = Co se stalo
mail-update-failed-group-state = Stav vašich dat
mail-update-failed-group-partial = Verze, které na cestě k verzi { $target } předcházejí verzi { $to }, se nainstalovaly v pořádku a zůstávají nainstalovány.
mail-update-failed-group-do = Co udělat
mail-update-failed-group-code = Pro technickou podporu: { $code }

mail-update-undone-everyone-subject = { $product }: aktualizace nebyla dokončena
mail-update-undone-everyone-title = Aktualizace nebyla dokončena
mail-update-undone-everyone-what = Aktualizaci aplikace { $product } na verzi { $target } se nepodařilo dokončit. Pracujte dál jako obvykle; nic z toho, co bylo uloženo, se neztratilo.
mail-update-undone-everyone-whole = Vše je jako před aktualizací, ve verzi { $from }.
mail-update-undone-everyone-partial = Aktualizace z verze { $first } proběhla jen na verzi { $from }.

mail-test-mail-subject = { $product }: zkušební zpráva
mail-test-mail-title = Funguje to
mail-test-mail-what = Toto je zkušební zpráva z Administračního centra aplikace { $product }. Pokud ji čtete, doručování zpráv o aktualizacích funguje.

mail-report-to-support-subject = { $product } { $installed }: diagnostické hlášení
mail-report-to-support-title = Diagnostické hlášení
mail-report-to-support-who = Toto hlášení vám posílá { $name } ({ $email }). Na tuto adresu také přijde vaše odpověď.
mail-report-to-support-versions = { $product } { $installed }, Obnova { $obnova }
mail-report-to-support-update = Týká se aktualizace z verze { $from } na verzi { $to }.
mail-report-to-support-attached = Podrobnosti jsou v příloze ve formátu JSON.

mail-kind-revert-started-group = Návrat zahájen (vybrané skupiny)
mail-kind-revert-started-everyone = Návrat zahájen (všichni)
mail-kind-revert-completed-group = Návrat dokončen (vybrané skupiny)
mail-kind-revert-completed-everyone = Návrat dokončen (všichni)
mail-kind-revert-failed-group = Návrat se nezdařil (vybrané skupiny)
mail-kind-revert-undone-everyone = Návrat se nezdařil (všichni)
mail-kind-rehearsal-failed-group = Zkouška neprošla (vybrané skupiny)

# The same mails about a way back: from is the version that is left, to the one that is returned to.
mail-revert-started-group-subject = { $product }: byl zahájen návrat k verzi { $to }
mail-revert-started-group-title = Byl zahájen návrat k verzi { $to }
mail-revert-started-group-what = Uživatel { $actor } zahájil návrat serverové části aplikace { $product } z verze { $from } k verzi { $to } a k jejím datům. Co bylo uloženo od přechodu na verzi { $from }, v aplikaci po návratu nebude.
mail-revert-started-group-next = Nikdo se nemusí odhlašovat. Během návratu se požadavky na chvíli pozdrží. Kdyby se návrat nezdařil, zůstane verze { $from } i se všemi daty. O výsledku vás budeme informovat další zprávou.

mail-revert-started-everyone-subject = { $product }: návrat k verzi { $to }
mail-revert-started-everyone-title = { $product } se vrací k verzi { $to }
mail-revert-started-everyone-what = Správce vrací aplikaci { $product } z verze { $from } k verzi { $to } a k datům z doby před přechodem na verzi { $from }.
mail-revert-started-everyone-next = Dokud vám nedáme vědět, že je návrat dokončen, nic prosím neukládejte: co bylo uloženo od přechodu na verzi { $from }, v aplikaci po návratu nebude. S dotazy se obraťte na svého správce.

mail-revert-completed-group-subject = { $product }: návrat k verzi { $to } je dokončen
mail-revert-completed-group-title = Návrat k verzi { $to } je dokončen
mail-revert-completed-group-what = Serverová část aplikace { $product } se vrátila z verze { $from } k verzi { $to } a k datům z doby před přechodem na verzi { $from }. Návrat zahájil uživatel { $actor }.
mail-revert-completed-group-desktop = Data, jaká byla těsně před návratem, zůstávají mezi zálohami v Administračním centru (Historie), dokud se jejich doba uchování nenaplní.

mail-revert-completed-everyone-subject = { $product }: návrat k verzi { $to } je dokončen
mail-revert-completed-everyone-title = { $product } je zpět ve verzi { $to }
mail-revert-completed-everyone-what = Aplikace { $product } se vrátila z verze { $from } k verzi { $to } a k datům z doby před přechodem na verzi { $from }. Co bylo uloženo od té doby, v ní už není; s dotazy se obraťte na svého správce.
mail-revert-completed-everyone-desktop = Teď prosím vraťte i { $product } Desktop na svém počítači na verzi, která odpovídá serveru. Desktop vám ji nabídne sám.

mail-revert-failed-group-subject = { $product }: návrat k verzi { $to } se nezdařil, vše je v předchozím stavu
mail-revert-failed-group-title = Návrat k verzi { $to } se nezdařil, vše je v předchozím stavu
mail-revert-failed-group-what = Návrat serverové části aplikace { $product } z verze { $from } k verzi { $to }, který zahájil uživatel { $actor }, nebyl dokončen. Server běží dál ve verzi { $from } se všemi daty a lze s ním normálně pracovat.

mail-revert-undone-everyone-subject = { $product }: návrat nebyl dokončen
mail-revert-undone-everyone-title = Návrat nebyl dokončen
mail-revert-undone-everyone-what = Návrat aplikace { $product } k verzi { $to } se nezdařil. Pracujte dál jako obvykle; nic z toho, co bylo uloženo, se neztratilo.
mail-revert-undone-everyone-whole = Vše je jako před pokusem o návrat, ve verzi { $from }.

mail-rehearsal-failed-group-subject = { $product }: zkouška verze { $to } neprošla
mail-rehearsal-failed-group-title = Zkouška verze { $to } neprošla
mail-rehearsal-failed-group-what = Administrační centrum vyzkoušelo přechod aplikace { $product } z verze { $from } na verzi { $to } na kopii dat a zkouška neprošla. Aplikace běží beze změny, nic se jí ani jejích dat nedotklo.
mail-rehearsal-failed-group-next = Verzi { $to } zatím neinstalujte. Podrobnosti a výpis zkoušky najdete v Administračním centru; předejte je technické podpoře dodavatele.
mail-rehearsal-failed-group-link = Podrobnosti zkoušky

# Rows of an import that could not be taken as they are. Keys: import-row-<code>.
import-row-name-invalid = Jméno chybí nebo je příliš dlouhé.
import-row-email-invalid = Toto není e-mailová adresa.
import-row-duplicate = Stejná e-mailová adresa je už v některém z předchozích řádků.
import-row-group-invalid = Název skupiny je příliš dlouhý.
import-row-administrator = Správci se jmenují ručně; import do této skupiny nikoho nepřidá.
import-row-unreadable = Řádek nelze přečíst.

# Why an import was not done at all. Keys: import-failed-<code>.
import-failed-not-set-up = Import není nastaven: chybí adresa databáze nebo dotaz.
import-failed-updating = Právě probíhá aktualizace. Import lze provést po jejím skončení.
import-failed-address = Adresu databáze nelze použít. Začíná sqlite: nebo postgres:.
import-failed-query = Databáze aplikace odmítla připojení nebo dotaz.
import-failed-column = Chybí sloupec „name“ nebo „email“.
import-failed-file = Soubor nelze přečíst jako CSV v kódování UTF-8.
import-failed-empty = Není tu ani jeden použitelný řádek. Nikdo nebyl deaktivován.
import-failed-store = Selhala vlastní databáze Administračního centra.
