# Area: rehearsal. Rehearsals and their forecasts, protected copies, and the way back after a finished update.

# The card on the Updates page
rehearsal-title = Rehearsal
rehearsal-lead = The whole update is tried on a copy of your data first, and so is the way back. { $name } runs on unchanged meanwhile. You learn whether the installation will work and how long requests will wait.
rehearsal-start = Rehearse { $version }
rehearsal-again = Rehearse again
rehearsal-cancel = Cancel the rehearsal
rehearsal-details = Details and log
rehearsal-running = Rehearsing version { $version }
rehearsal-running-walk = Rehearsing the way to version { $version }: { $at }, { $number } of { $total }
rehearsal-safe-to-leave = You can close this page; the rehearsal continues on the server.
rehearsal-outcome-passed = Rehearsal passed
rehearsal-outcome-expired = Rehearsal expired
rehearsal-outcome-failed = Rehearsal failed
rehearsal-outcome-not-made = Rehearsal not made
rehearsal-said-passed = The rehearsal of version { $version } passed.
rehearsal-said-failed = The rehearsal of version { $version } failed.
rehearsal-said-not-made = The rehearsal of version { $version } was not made.
rehearsal-expired = This rehearsal does not count any more. Rehearse again.
rehearsal-expired-version = Another version has been installed since.
rehearsal-expired-route = The way to this version leads through other versions now.
rehearsal-expired-age = It is too old.
rehearsal-expired-growth = The data has grown too much since.
rehearsal-by = started by { $actor }
rehearsal-by-itself = made automatically
rehearsal-about = { $by }, on a copy of { $size } of data
rehearsal-not-isolated = The copy was not cut off from the network. While it was rehearsed, the new version may have sent an e-mail or called another system.
rehearsal-untouched = The rehearsal ran on a copy. The application and its data have not been changed.
rehearsal-refused = The rehearsal cannot be made
ago-now = just now
ago-minutes =
    { $count ->
        [one] { $count } minute ago
       *[other] { $count } minutes ago
    }
ago-hours =
    { $count ->
        [one] { $count } hour ago
       *[other] { $count } hours ago
    }
ago-days =
    { $count ->
        [one] { $count } day ago
       *[other] { $count } days ago
    }

# All about one rehearsal
rehearsal-of = Rehearsal of version { $version }
rehearsal-why-failed = Why the rehearsal failed
rehearsal-why-not-made = Why the rehearsal was not made
rehearsal-data = Size of the data
rehearsal-who = Rehearsal
rehearsal-isolation = Cut off from the network
rehearsal-isolation-network = yes, the copy saw nothing but itself
rehearsal-isolation-none = no
rehearsal-passed-means = On the copy the new version came up and passed its checks, and the way back led exactly to the state before the update.
rehearsal-walk = This update goes through several versions, one after another. Requests wait in each of them; between them people work.
rehearsal-walk-version = Version
rehearsal-walk-title = Version after version
rehearsal-walk-failed = failed here
rehearsal-walk-not-reached = not reached
rehearsal-walk-steps = Steps of version { $version }
rehearsal-log = Log of the rehearsal
rehearsal-log-empty = There is no log.

# Forecast
forecast-title = Forecast
forecast-blackout = Requests will wait
forecast-spread = probably { $spread }
forecast-drain = of it { $time } until requests under way have finished
forecast-people = People will see
forecast-traffic-hold = a short wait
forecast-traffic-page = the maintenance page
forecast-deadline = after { $time } everything is undone
forecast-way-back = The way back
forecast-way-back-hint = should anything fail
forecast-disk = Disk space
forecast-disk-hint = at most, during the update
forecast-longer = actually { $by } ({ $percent }) longer
forecast-shorter = actually { $by } ({ $percent }) shorter
forecast-exact = exactly as forecast
accuracy-title = How good the forecasts were
accuracy-actual = Actual
accuracy-error = Difference
accuracy-words =
    { $count ->
        [one] In one update the forecast wait differed from the actual one by { $mean }.
       *[other] In { $count } updates the forecast wait differed from the actual one by { $mean } on average (median { $median }). { $within } of them were within the forecast range.
    }
install-forecast-hold = According to the rehearsal, requests will wait about { $time } (probably { $spread }).
install-forecast-page = According to the rehearsal, the change-over will take about { $time } (probably { $spread }); people will see the maintenance page meanwhile.
install-insist-rehearsal-text = The rehearsal of this version on a copy of your data failed. The installation will probably fail in the same way, and everything will be returned to the previous state; requests wait meanwhile. The audit log will say that you installed in spite of a failed rehearsal.
progress-forecast = forecast wait { $time } (probably { $spread })
progress-held = requests have waited for { $time }
history-forecast = forecast { $time }

# Protected copies
history-tab-updates = Updates
copies-title = Protected copies
copies-lead = Copies of the database and the data files as they were before an update. One can go back to them.
copies-empty = There is no copy yet. The first update makes one.
copies-version = Version
copies-before = Before the update
copies-made = Made
copies-size = Size
copies-is-last = the only good one, cannot be deleted
copies-delete = Delete
copies-delete-this = Delete the copy of version { $version }
copies-delete-question = Delete the copy of version { $version }?
copies-delete-text = It was made on { $at } and takes { $size }. Deleting it cannot be undone.
copies-delete-revert = The way back to version { $version } leads to this copy. Once it is deleted, there is no way back.
copies-not-deleted = The copy cannot be deleted
copies-total = They take { $size } in all.
copies-rule = How many are kept, and how long

# The way back
revert-zone = Danger zone
revert-zone-text = The update is finished. You can still go back to version { $version } and to the data from before it; everything saved since would be lost. First you will see what exactly.
revert-look = What going back to version { $version } would lose
revert-title = Go back to version { $version }
revert-lead = { $name } returns from version { $from } to version { $to } and to the data as it was on { $since }.
revert-obstacles = It is not possible now:
revert-refused = Going back is not possible
revert-lost = What will be lost
revert-lost-nothing = Nothing has been saved since the update. Nothing will be lost.
revert-lost-text = Everything that was saved after { $since }:
revert-tables = Rows written since the update, by table
revert-table = Table
revert-inserted = Added
revert-updated = Changed
revert-deleted = Removed
revert-no-rows = Nothing has changed in the database.
revert-others-unknown = In the other tables no row was added or removed. Whether rows were changed in them, this database cannot tell.
revert-all-unknown = No row was added or removed. Whether rows were changed, this database cannot tell.
revert-cannot-tell = This database cannot tell how many rows were added or changed since the update. Expect to lose everything since then.
revert-files = Data files changed, added or removed: { $count }
revert-export = Put the data aside
revert-export-text = The present database and data files are written into a new directory on the server. Going back leaves it alone.
revert-directory = Directory on the server
revert-directory-absolute = The directory must be given as a whole path from the root (/…).
revert-export-do = Put aside
revert-exporting = The data is being put aside
revert-export-look = Look again
revert-still-exporting = The data is still being put aside. Wait until that is finished.
revert-exported = The data has been put aside
revert-not-exported = The data could not be put aside
revert-do-title = Go back
revert-do-text = People get an e-mail, requests are held, the previous version is started with its own data, and the requests are let through. Should going back fail, everything stays as it is now.
revert-confirm = To confirm, type the version you are going back to: { $version }
revert-not-confirmed = The version is not the same. Nothing has happened.
revert-do = Go back to version { $version }
history-revert = return
progress-kicker-revert = Going back
progress-reverting = Going back to version { $to }
progress-reverting-lead = { $name } returns from version { $from } to the state before it. Started by { $actor }.
progress-revert-failed = Going back failed, version { $from } stays
progress-revert-failed-lead = Going back to version { $to } failed. Everything is being returned to exactly the state before.
verdict-reverted = Returned to version { $version }
verdict-reverted-mails = Users are now getting an e-mail about it.
verdict-revert-failed = Going back to version { $version } failed
state-reverting = Going back
state-reverting-text = The application is returning to the previous version. Requests wait a moment and are then completed by themselves.

# Settings
settings-rehearsal = Rehearsals
settings-rehearsal-hint = When updates are tried on a copy first, and how long that counts.
settings-rehearsal-automatic = Rehearse every new version automatically
settings-rehearsal-automatic-hint = As soon as it is offered. If the rehearsal fails, the chosen groups get an e-mail.
settings-rehearsal-daily = Rehearse daily at
settings-rehearsal-daily-hint = Empty: no. By the server’s clock, when there is something to rehearse.
settings-rehearsal-valid = A rehearsal counts for (days)
settings-rehearsal-growth = The data may grow by (%)
settings-rehearsal-disk = Disk for the copy, at most (GB)
settings-rehearsal-disk-hint = Empty: at most half of what is free.
settings-rehearsal-limit = A rehearsal may take (minutes)
settings-rehearsal-neutralise = Making the copy harmless may take (seconds)
settings-rehearsal-neutralise-hint = The vendor’s command that runs first on the copy. If it takes longer, the rehearsal is not made.
settings-rehearsal-unisolated = Rehearse also where the copy cannot be cut off from the network
settings-rehearsal-unisolated-warning = Without that, the new version may deal with the real world while it is rehearsed: send e-mails, make payments, call other systems. Allow it only if you know that it does nothing of the kind.
settings-deadline-empty = three times the forecast
settings-copies-hint = How many copies of the data from before an update are kept. The last good one always is.
settings-copies-count = Keep at most (copies)
settings-copies-days = Keep at most (days)
settings-copies-days-hint = 0: no limit.
settings-copies-show = Show the copies
fault-time = The time must be written as hours:minutes.
fault-disk = The disk for the copy must be a positive number of GB.

done-copy-deleted = The copy has been deleted.
audit-rehearsal-started = Rehearsal started
audit-rehearsal-cancelled = Rehearsal cancelled
audit-update-insisted = Update started although it had failed here before
audit-update-insisted-rehearsal = Update started although its rehearsal had failed
audit-copy-deleted = Protected copy deleted
audit-data-exported = Data put aside
audit-revert-started = Return to the previous version started
