# Area: center
# The pages of the Administration Centre.

nav-contents = Contents
nav-menu = Menu
nav-running = An update is running

# Welcome
welcome-title = Welcome
welcome-no-version = The version is not known right now.
welcome-open = Open { $name }
welcome-centre = Administration Centre
state-serving = In service
state-serving-text = The application is running and responding.
state-updating = Being updated
state-updating-text = The application is being updated. Requests wait for a moment and then complete by themselves.
state-rolling-back = Going back to the previous version
state-rolling-back-text = The update failed, and the application is being returned to its previous state.
state-stopped = Not running
state-stopped-text = The application is not responding at the moment. An administrator can find out more in the Administration Centre.
state-unreachable = State unknown
state-unreachable-text = The update service is not responding, so the application's state is not known. The application itself may be running.

# Sign-in and set-up
sign-in-lead = The Administration Centre of { $name } is for administrators.
sign-in-do = Sign in
sign-in-wrong = The e-mail address or the password is wrong, or the user is not an administrator.
sign-in-wait = Too many failed attempts. Try again in { $minutes } minutes at the earliest.
setup-title = The first administrator
setup-lead = The Administration Centre has no administrator yet. Whoever has access to the server can create the first one here.
setup-code = One-time code
setup-code-hint = You will find it on the server, in the file
setup-create = Create administrator
setup-wrong-code = The code is wrong. Copy it exactly from the file on the server.
setup-wait = Too many attempts with a wrong code. Try again in a quarter of an hour.
password-again = Password again
password-hint = At least 10 characters. A long sentence is better than a short jumble.
password-short = The password needs at least 10 characters.
password-long = The password is too long.
password-differs = The passwords do not match.

# Errors
error-not-found-title = There is no such page
error-not-found-text = There is nothing at this address. Perhaps the entry has been removed in the meantime.
error-forbidden-title = The request was refused
error-forbidden-text = The form does not belong to your sign-in, or it came from another site. Go back, reload the page and try again.
error-malformed-title = The request cannot be understood
error-malformed-text = Something is missing from the request or is not in the right form. Go back and try again.
error-too-large-title = The request is too large
error-too-large-text = A file may have at most 16 MB, a form at most 1 MB.
error-engine-title = The update service is not responding
error-engine-text = The Administration Centre is running but cannot reach the update service (the engine). The application itself may be running.
error-internal-title = Something went wrong
error-internal-text = The error is in the Administration Centre and has been logged. Nothing was changed. Try again.
error-to-updates = Go to Updates
error-to-start = Go to the welcome page

# Problems
problem-what = What happened
problem-state = The state of your data
problem-do = What to do
problem-detail = Details for a specialist

# Updates
updates-title = Updates
updates-checking = Checking for a newer version…
updates-refresh = Check again
updates-found = Version { $version } is available.
updates-nothing-newer = There is no newer version.
updates-check-failed = The check failed.
updates-no-centre = The Administration Centre did not respond. Try again.
updates-known-from-before = Below is what the last successful check found.
updates-metadata-expires = The signatures in the release repository expire on { $at }. Unless the vendor renews them, nothing can be installed.
updates-installed = Installed version
updates-offered = Offered version
updates-route = The route to the offered version
updates-route-why = The offered version is reached through versions in between. One click installs all of them, one after the other:
updates-obstacles = It cannot be installed now:
updates-install = Install { $version }
updates-insist = Install anyway…
updates-plan = What exactly will be done
updates-download = at most { $size } to download
updates-checked = checked { $at }
updates-current = You have the latest version.
updates-never-checked = The release repository has not been checked yet.
updates-notes = What’s new
updates-no-notes = The vendor has not written anything about this version.

# Install
install-title = Installation
install-plan = What will be done
install-question = Install version { $version }?
install-what-happens = Users get an e-mail about it. Requests to { $name } are held for a moment, the data is protected, the application moves to the new version, and once that has been checked the requests are let through.
install-if-it-fails = Should anything fail, everything is automatically returned to exactly the state before the update.
install-insist-text = This version has failed here before. Unless the cause has been removed, it will fail again, and everything will be returned to the previous state again.
install-start = Install
install-refused = The update cannot be started
install-disk-needed = Disk space needed
install-disk-free = Disk space free
install-steps = Steps

# Progress
progress-kicker = An update is running
progress-updating = Installing version { $to }
progress-updating-lead = { $name } is being updated from version { $from }. Started by { $actor }.
progress-rolling-back = Going back to version { $from }
progress-rolling-back-lead = Version { $to } could not be installed. Everything is being returned to exactly the state before it.
progress-undoing = You do not need to do anything; every step that was taken is being undone.
progress-overall = Steps done
progress-steps = { $done } of { $total } steps done
progress-elapsed = running for { $time }
progress-bytes = { $done } of { $total }
progress-files = { $done } of { $total } files
progress-requests = { $done } of { $total } requests finished
progress-so-far = { $done } so far
progress-said = Step { $number } of { $total }: { $step }
progress-said-undo = Undoing step { $number } of { $total }: { $step }
progress-lost = The connection to the Administration Centre is interrupted
progress-lost-text = The update continues on the server. This page reconnects by itself.
progress-engine-away = The update service is not responding right now
progress-engine-away-text = It is probably restarting. When it is back, it continues where it stopped or returns everything to the previous state; an update never stays half done. The application itself may be running.
progress-waiting = Waiting for the service…
progress-safe-to-leave = You can close this page or open it on another computer; the update continues on the server.
status-waiting = waiting
status-running = running
status-done = done
status-failed = failed
status-undoing = being undone
status-undone = undone
status-failed-undone = failed, undone

# The window at the end
verdict-done = The installation is complete
verdict-done-text = { $name } is running version { $version }.
verdict-done-mails = Users are now getting an e-mail that the update is complete.
verdict-failed = Version { $version } could not be installed
verdict-failed-text = { $name } is still running version { $version }. Everything is as it was before the update.
verdict-steps = What happened, step by step
verdict-ok = OK

# Report
report-title = Diagnostic report
report-lead = This is exactly what is sent to the vendor's technical support, and nothing else. It contains no passwords or keys; still, have a look before you send it.
report-download = Download the report
report-to-support = Send to technical support…
report-send = Send to { $address }
report-no-mail-server = The report can be sent to { $address } once a mail server is set up. Until then, download it and send it yourself.
report-no-address = The vendor gives no support address. Download the report and hand it over.
report-problem = Why the update failed
report-system = System
report-made = Created
report-log = Log
report-whole = The whole report as JSON

# History
history-title = History
history-lead = Every update: who started it, how it ended, and how long it took.
history-empty = There has been no update yet.
history-versions = Versions
history-outcome = Outcome
history-started = Started
history-finished = Finished
history-actor = Started by
history-took = Duration
history-blackout = Requests held
history-then = Versions to follow
history-update = Update no. { $number }
history-steps = Steps
history-mails = E-mails about it
outcome-running = Running
outcome-completed = Completed
outcome-rolled-back = Returned to the previous state

# Users
users-title = Users
users-lead = Who gets e-mails about updates. Only members of the group Administrator can sign in here.
users-search = Name or e-mail
users-all-groups = All groups
users-empty = No users match.
user-add = Add user
user-state = State
user-active = Active
user-inactive = Inactive
user-active-hint = Gets e-mails, and may sign in if an administrator.
user-language = Language of e-mails and pages
user-imported = The import maintains this user. If you make a change here, the user is maintained by hand from now on and the import leaves them alone.
user-password-optional = Password (optional)
user-password-hint = For administrators only; others need none.
user-password-new = New password
user-has-password = The user has a password. A new one ends all of the user's sessions.
user-no-password = The user has no password and so cannot sign in.
user-password-set = Set password
user-remove = Remove user
user-remove-question = Remove { $name }?
user-remove-text = No more e-mails and no sign-in. E-mails that were sent stay in the list of notifications.

# Groups
groups-title = Groups
groups-lead = Groups decide who is told about the state of the update on the server.
group-members = Members
group-about = Description
group-name = Name of the group
group-new-name = New name
group-add = Add group
group-change = Change
group-rename = Rename
group-administrator-hint = Administrators: may sign in here and install.
group-everyone-hint = All active people; membership is computed.
group-system-hint = Service accounts; they are not people and do not get e-mails meant for everyone.
group-notified = gets messages about updates
group-remove = Remove the group
group-remove-text = Its members stay; they just are not in this group any more.
group-count =
    { $count ->
        [one] { $count } member
       *[other] { $count } members
    }

# Import
import-title = Import users
import-lead = Users can be read from a file or straight from the application's database. An import never makes anybody an administrator and leaves users maintained by hand alone.
import-csv = From a CSV file
import-csv-hint = The first line names the columns; name and email are required. Groups in the column groups are separated by commas.
import-file = CSV file
import-upload = Read the file
import-deactivate = Deactivate those missing from the file
import-deactivate-hint = Applies only to users from earlier imports.
import-sql = From the application's database
import-sql-none = No query is set up yet.
import-sql-daily = The query runs once a day.
import-sql-manual = A query is set up but runs only on demand.
import-now = Import now
import-last = Last import { $at }
import-done = The import is complete
import-added = added
import-changed = changed
import-unchanged = unchanged
import-reactivated = reactivated
import-deactivated = deactivated
import-rows = Rows that could not be used
import-line = line

# Notifications
notifications-title = Notifications
notifications-lead = Every e-mail that the Administration Centre has sent or will send.
notifications-no-server = No mail server is set up; e-mails are waiting.
notifications-set-server = Set up the mail server
notifications-search = Recipient or subject
notifications-of-update = Only e-mails about update no. { $number }
notifications-show-all = show all
notifications-empty = There are no such e-mails.
mail-subject = Subject
mail-to = Recipient
mail-state = State
mail-attempts = Attempts
mail-when = When
mail-created = Created
mail-next = Next attempt
mail-last-error = Last error
mail-reply-to = Reply to
mail-attachment = Attachment
mail-text = Text part
mail-html = HTML part
mail-resend = Send again
mail-resend-failed = Send all failed ones again
mail-test = Test e-mail
mail-test-to = To
mail-test-send = Send a test e-mail
mail-state-all = All
mail-state-waiting = Waiting
mail-state-sending = Being sent
mail-state-sent = Sent
mail-state-failed = Failed

# Settings
settings-title = Settings
settings-lead = Who is notified, through which mail server, which channel updates come from, and what happens to traffic meanwhile.
settings-faults = The settings were not saved:
settings-notify = Messages about updates
settings-notify-hint = When an update of the server starts, completes or fails.
settings-notify-groups = Groups that receive information about the state of the update on the server
settings-mail = Mail
settings-mail-hint = The server that e-mails go through. Saving retries waiting e-mails at once.
settings-mail-from = Sender
settings-smtp-host = SMTP server
settings-smtp-port = Port
settings-smtp-security = Security
settings-smtp-none = none (only for a server on this machine)
settings-smtp-user = Account
settings-tells-nobody = There is no active user in the selected groups. For now, members of the group Administrator get the messages about updates.
settings-shows-password = The password for the mail server crosses the network unencrypted. Choose STARTTLS or TLS.
settings-public-url = Address of the Administration Centre
settings-public-url-hint = Links in e-mails lead there.
settings-language = Default language
settings-language-hint = For users whose language is not known.
settings-updates = Updates
settings-updates-hint = The update service applies these.
settings-channel = Channel
settings-channel-stable = Stable
settings-channel-stable-hint = Proven releases.
settings-channel-beta = Beta
settings-channel-beta-hint = Early releases too, for test servers.
settings-deadline = Longest interruption (seconds)
settings-deadline-hint = If the change-over has not finished by then, everything is returned to the previous state. Empty: three times the forecast of the rehearsal, or ten minutes without one.
settings-hold-hint = Requests are held during the change-over. Those beyond these limits get a maintenance page.
settings-hold-requests = Requests held, at most
settings-hold-mib = Their data, at most (MiB)
settings-hold-seconds = A request waits at most (seconds)
settings-drain-seconds = Time to finish those under way (seconds)
settings-engine-away = The other settings can be saved all the same.
settings-import = Import of users
settings-import-hint = Where the Administration Centre gets users and their e-mail addresses from.
settings-import-daily = Import once a day
settings-import-url = Database
settings-import-url-hint = sqlite:///path/to/file or postgres://user:password@server/database. The database is only read.
settings-import-query = SQL query
settings-import-query-hint = Columns name and email and, if wanted, language and groups.
secret-kept = stored, not shown
secret-forget = Forget what is stored

# What cannot be taken
fault-email-taken = Another user has this e-mail address.
fault-email-invalid = This is not an e-mail address.
fault-name-invalid = The name is missing, too long, or contains characters that are not allowed.
fault-group-taken = A group with this name already exists.
fault-group-builtin = A built-in group cannot be changed.
fault-last-administrator = At least one administrator with a password must stay.
fault-public-url = The Administration Centre's address must begin with http:// or https://.
fault-mail-from = The sender must be an e-mail address, or Name <address>.
fault-smtp-port = The port must be a number from 1 to 65535.
fault-smtp-password = For another mail server, or without encryption, the password must be entered again, or forgotten.
fault-import-incomplete = For a daily import, fill in both database and query.
fault-desktop-days = The days for Desktops are out of range, or the first is more than the second.
fault-limits = One of the limits is out of range.

# What was just done
done-user-added = The user was added.
done-user-changed = The changes to the user are saved.
done-user-removed = The user was removed.
done-password-set = The password is set.
done-group-added = The group was added.
done-group-renamed = The group was renamed.
done-group-removed = The group was removed.
done-settings-saved = The settings are saved.
done-report-sent = The report is on its way to technical support.
done-mail-resent = The e-mail will be sent again.
done-mails-resent =
    { $count ->
        [one] { $count } e-mail will be sent again.
       *[other] { $count } e-mails will be sent again.
    }
done-mail-queued = The test e-mail is on its way. You will see here how it fares.

# Audit log
audit-title = Audit log
audit-lead = Who did what in the Administration Centre, and when. Entries cannot be changed or deleted.
audit-empty = There is nothing here yet.
audit-what = What
audit-detail = Detail
audit-who = Who
audit-when = When
audit-older = Older
audit-signed-in = Signed in
audit-sign-in-failed = Sign-in failed
audit-sign-in-failed-often = Many failed sign-ins; more are not recorded for a while
audit-sign-in-refused = Sign-in refused after too many attempts
audit-sign-in-refused-often = Many refused sign-ins; more are not recorded for a while
audit-stranger = unknown user
audit-signed-out = Signed out
audit-set-up = First administrator created
audit-update-started = Update started
audit-report-sent = Diagnostic report sent
audit-user-added = User added
audit-user-changed = User changed
audit-user-removed = User removed
audit-password-set = Password set
audit-group-added = Group added
audit-group-renamed = Group renamed
audit-group-removed = Group removed
audit-users-imported = Users imported from the database
audit-users-imported-csv = Users imported from a file
audit-settings-changed = Settings changed
audit-mail-resent = E-mail sent again
audit-test-mail-sent = Test e-mail sent
