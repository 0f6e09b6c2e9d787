# Area: mails. What is in the mails, and what is said about mails and imports of users.

mail-header = { $product }
mail-footer = This message was sent by the Administration Centre. There is no need to reply.
mail-link-progress = Follow the progress
mail-link-updates = Open Updates in the Administration Centre
mail-link-welcome = Open the download page

# What each mail is called in lists. Keys: mail-kind-<kind, dashes for underscores>.
mail-kind-update-started-group = Update started (chosen groups)
mail-kind-update-started-everyone = Update started (everyone)
mail-kind-update-completed-group = Update complete (chosen groups)
mail-kind-update-completed-everyone = Update complete (everyone)
mail-kind-update-failed-group = Update failed (chosen groups)
mail-kind-update-undone-everyone = Update failed (everyone)
mail-kind-test-mail = Test message
mail-kind-report-to-support = Diagnostic report

# first and target: versions before and after the whole click; from and to: of one update in it.
mail-update-started-group-subject = { $product }: the update to { $target } has started
mail-update-started-group-title = The update to version { $target } has started
mail-update-started-group-what = { $actor } has started the update of the server component of { $product } from version { $first } to version { $target }.
mail-update-started-group-next = Nobody has to sign out. While the server moves to the new version, requests are held for a moment; nothing that was saved is lost. Should anything fail, the system returns to its previous state by itself. We will let you know the outcome in another message.

mail-update-started-everyone-subject = { $product } is being updated to version { $target }
mail-update-started-everyone-title = { $product } is being updated
mail-update-started-everyone-what = The update of { $product } from version { $first } to version { $target } has started.
mail-update-started-everyone-next = You can go on working. For a moment the program may answer more slowly than usual; nothing that you save is lost. We will let you know when the update is finished.

mail-update-completed-group-subject = { $product } was updated to version { $target }
mail-update-completed-group-title = The update to version { $target } is finished
mail-update-completed-group-what = The server component of { $product } was updated from version { $first } to version { $target }. { $actor } started the update.
mail-update-completed-group-held = Requests were held for { $held } while the server moved to the new version.
mail-update-completed-group-desktop = All users have been told how to get the matching Desktop version.

mail-update-completed-everyone-subject = { $product } was updated to version { $target }
mail-update-completed-everyone-title = { $product } { $target } is ready
mail-update-completed-everyone-what = { $product } was updated from version { $first } to version { $target }.
mail-update-completed-everyone-desktop = Now update { $product } Desktop on your computer, so that it matches the server. The Desktop offers the new version by itself: choose Update now when it does.
mail-update-completed-everyone-page = If it does not offer it, or if you do not have the Desktop yet, download it from this page.
mail-update-completed-everyone-ask = If it does not offer it, or if you do not have the Desktop yet, ask your administrator for the address of the download page.

mail-update-failed-group-subject = { $product }: the update to { $to } failed, everything is in its previous state
mail-update-failed-group-title = The update to version { $to } failed, everything is in its previous state
mail-update-failed-group-what = The update of the server component of { $product } from version { $from } to version { $to }, started by { $actor }, was not completed. The server is running version { $from } and can be used normally.
mail-update-failed-group-happened = What happened
mail-update-failed-group-state = The state of your data
mail-update-failed-group-partial = The versions before { $to } on the way to { $target } were installed successfully and stay installed.
mail-update-failed-group-do = What to do
mail-update-failed-group-code = For technical support: { $code }

mail-update-undone-everyone-subject = { $product }: the update was not finished
mail-update-undone-everyone-title = The update was not finished
mail-update-undone-everyone-what = The update of { $product } to version { $target } could not be finished. Go on working as usual; nothing that was saved is lost.
mail-update-undone-everyone-whole = Everything is as it was before the update, in version { $from }.
mail-update-undone-everyone-partial = { $product } was updated from version { $first } to version { $from } only.

mail-test-mail-subject = { $product }: test message
mail-test-mail-title = It works
mail-test-mail-what = This is a test message from the Administration Centre of { $product }. If you can read it, delivery of messages about updates works.

mail-report-to-support-subject = { $product } { $installed }: diagnostic report
mail-report-to-support-title = Diagnostic report
mail-report-to-support-who = { $name } ({ $email }) sends you this report. Your reply will go to that address.
mail-report-to-support-versions = { $product } { $installed }, Obnova { $obnova }
mail-report-to-support-update = It is about the update from version { $from } to version { $to }.
mail-report-to-support-attached = The report is attached as JSON.

mail-kind-revert-started-group = Going back started (chosen groups)
mail-kind-revert-started-everyone = Going back started (everyone)
mail-kind-revert-completed-group = Returned (chosen groups)
mail-kind-revert-completed-everyone = Returned (everyone)
mail-kind-revert-failed-group = Going back failed (chosen groups)
mail-kind-revert-undone-everyone = Going back failed (everyone)
mail-kind-rehearsal-failed-group = Rehearsal failed (chosen groups)

# The same mails about a way back: from is the version that is left, to the one that is returned to.
mail-revert-started-group-subject = { $product }: the return to version { $to } has started
mail-revert-started-group-title = The return to version { $to } has started
mail-revert-started-group-what = { $actor } has started the return of the server component of { $product } from version { $from } to version { $to } and its data. What was saved since the move to version { $from } will not be in the application afterwards.
mail-revert-started-group-next = Nobody has to sign out. Requests are held for a moment meanwhile. Should the return fail, version { $from } stays with all its data. We will let you know the outcome in another message.

mail-revert-started-everyone-subject = { $product } is returning to version { $to }
mail-revert-started-everyone-title = { $product } is returning to version { $to }
mail-revert-started-everyone-what = An administrator is returning { $product } from version { $from } to version { $to } and to the data from before the move to version { $from }.
mail-revert-started-everyone-next = Please save nothing until we let you know that it is finished: what was saved since the move to version { $from } will not be in the application afterwards. If you have questions, ask your administrator.

mail-revert-completed-group-subject = { $product } was returned to version { $to }
mail-revert-completed-group-title = The return to version { $to } is finished
mail-revert-completed-group-what = The server component of { $product } was returned from version { $from } to version { $to } and to the data from before the move to version { $from }. { $actor } started the return.
mail-revert-completed-group-desktop = The data as it was just before the return is kept among the protected copies in the Administration Centre (History) until its time is over.

mail-revert-completed-everyone-subject = { $product } was returned to version { $to }
mail-revert-completed-everyone-title = { $product } is back in version { $to }
mail-revert-completed-everyone-what = { $product } was returned from version { $from } to version { $to } and to the data from before the move to version { $from }. What was saved since is not in it any more; if you have questions, ask your administrator.
mail-revert-completed-everyone-desktop = Now return { $product } Desktop on your computer, too, to the version that matches the server. The Desktop offers it by itself.

mail-revert-failed-group-subject = { $product }: the return to { $to } failed, everything is in its previous state
mail-revert-failed-group-title = The return to version { $to } failed, everything is in its previous state
mail-revert-failed-group-what = The return of the server component of { $product } from version { $from } to version { $to }, started by { $actor }, was not completed. The server goes on running version { $from } with all its data and can be used normally.

mail-revert-undone-everyone-subject = { $product }: the return was not finished
mail-revert-undone-everyone-title = The return was not finished
mail-revert-undone-everyone-what = The return of { $product } to version { $to } failed. Go on working as usual; nothing that was saved is lost.
mail-revert-undone-everyone-whole = Everything is as it was before the attempt, in version { $from }.

mail-rehearsal-failed-group-subject = { $product }: the rehearsal of version { $to } failed
mail-rehearsal-failed-group-title = The rehearsal of version { $to } failed
mail-rehearsal-failed-group-what = The Administration Centre has tried the update of { $product } from version { $from } to version { $to } on a copy of the data, and it failed. The application runs on unchanged; neither it nor its data was touched.
mail-rehearsal-failed-group-next = Do not install version { $to } yet. Details and the log of the rehearsal are in the Administration Centre; hand them to the vendor’s technical support.
mail-rehearsal-failed-group-link = Details of the rehearsal

# Rows of an import that could not be taken as they are. Keys: import-row-<code>.
import-row-name-invalid = The name is missing or too long.
import-row-email-invalid = This is not an e-mail address.
import-row-duplicate = The same e-mail address is in an earlier row.
import-row-group-invalid = The name of a group is too long.
import-row-administrator = Administrators are appointed by hand; the import does not add anyone to this group.
import-row-unreadable = The row cannot be read.

# Why an import was not done at all. Keys: import-failed-<code>.
import-failed-not-set-up = The import is not set up: the database's address or the query is missing.
import-failed-updating = An update is running. The import can be done when it has ended.
import-failed-address = The database's address is not usable. It begins with sqlite: or postgres:.
import-failed-query = The application's database refused the connection or the query.
import-failed-column = The column “name” or “email” is missing.
import-failed-file = The file cannot be read as CSV in UTF-8.
import-failed-empty = There is not a single usable row. Nobody was deactivated.
import-failed-store = The Administration Centre’s own database failed.
