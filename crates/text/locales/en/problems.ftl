# What can go wrong, in three texts each: what happened, what state the data is in, what to do.
# The codes and their arguments are listed in crates/engine/src/problem.rs.

problem-repository-unreachable = The release repository { $source } is not responding.
problem-repository-unreachable-state = Nothing was changed. The installed version keeps running.
problem-repository-unreachable-do = Check this server's network connection and try again later. The details below say what exactly failed.

problem-repository-untrusted = What the release repository { $source } offers is not properly signed by the vendor, or is out of date.
problem-repository-untrusted-state = Nothing was changed, and nothing of it was used. The installed version keeps running.
problem-repository-untrusted-do = Do not install anything from elsewhere. Contact the vendor's support and send them the diagnostic report.

problem-release-damaged = A file of version { $version } is missing, or is not the one that the vendor signed.
problem-release-damaged-state = Nothing was changed. The installed version keeps running.
problem-release-damaged-do = Try again; what was downloaded intact is kept. If it happens again, contact the vendor's support.

problem-release-unreadable = Version { $version } cannot be read by this installation of Obnova.
problem-release-unreadable-state = Nothing was changed. Older versions are offered as usual.
problem-release-unreadable-do = It was probably made for a newer Obnova: install that. If you have the newest one, tell the vendor.

problem-download-failed = The download of version { $version } was interrupted.
problem-download-failed-state = Nothing was changed. What has been downloaded is kept.
problem-download-failed-do = Try again: the download continues where it stopped.

problem-nothing-to-install = There is no version newer than the installed one.
problem-nothing-to-install-state = Nothing was changed.
problem-nothing-to-install-do = Nothing needs to be done. “Check again” looks for one at any time.

problem-unknown-version = Version { $version } is not offered.
problem-unknown-version-state = Nothing was changed.
problem-unknown-version-do = Use “Check again” and choose a version that is offered.

problem-source-version = Version { $version } can be installed over { $range } only; version { $installed } is installed, and no version in between leads there.
problem-source-version-state = Nothing was changed.
problem-source-version-do = Ask the vendor's support how to get from version { $installed } to version { $version }.

problem-failed-before = Installing version { $version } has failed here before.
problem-failed-before-state = Nothing is changed now; after that failure everything was returned to the state before it.
problem-failed-before-do = Wait for a newer version or, once the cause has been removed, install it all the same.

problem-update-running = The update to version { $version } is running.
problem-update-running-state = Nothing else was started.
problem-update-running-do = Wait until it has finished.

problem-disk-space = There is not enough space on the disk: { $needed } are needed, { $free } are free in { $path }.
problem-disk-space-state = Nothing was changed. The installed version keeps running.
problem-disk-space-do = Free some space there and try again.

problem-database-unusable = The database { $database } cannot be read, or is of another kind than configured.
problem-database-unusable-state = Nothing was changed.
problem-database-unusable-do = Check the database settings in installation.toml and the permissions of the file.

problem-database-in-use = Another program is writing to the database { $database } although the application is stopped.
problem-database-in-use-state = Everything was returned to the state before the update.
problem-database-in-use-do = Find and stop that program (a backup, a report, an import), then try again.

problem-protection-failed = The data in { $path } could not be copied to a safe place.
problem-protection-failed-state = The data itself was not touched. Everything was returned to the state before the update.
problem-protection-failed-do = See the details below: most often it is a full disk or a missing permission. Then try again.

problem-stop-failed = Version { $version } could not be stopped.
problem-stop-failed-state = The data was not touched. Everything was returned to the state before the update.
problem-stop-failed-do = Find out from the application's log what it is waiting for. Contact the vendor's support.

problem-migration-failed = Migrating the database to version { $version } failed (exit code { $status }).
problem-migration-failed-state = The database, the data files and the program are exactly as they were before the update. You can go on working.
problem-migration-failed-do = Send the diagnostic report to technical support. As soon as there is a corrected version, the Administration Centre will offer it.

problem-start-failed = Version { $version } could not be started.
problem-start-failed-state = The database, the data files and the program are exactly as they were before the update. You can go on working.
problem-start-failed-do = Send the diagnostic report to technical support. As soon as there is a corrected version, the Administration Centre will offer it.

problem-unhealthy = Version { $version } started but does not work properly.
problem-unhealthy-state = The database, the data files and the program are exactly as they were before the update. You can go on working.
problem-unhealthy-do = Send the diagnostic report to technical support. As soon as there is a corrected version, the Administration Centre will offer it.

problem-deadline = The update took longer than allowed.
problem-deadline-state = The database, the data files and the program are exactly as they were before the update. You can go on working.
problem-deadline-do = Try again when the server is less busy, or raise the longest interruption in Settings.

problem-interrupted = The update was interrupted: the server or the update service itself stopped in the step “{ $step }”.
problem-interrupted-state = The database, the data files and the program are exactly as they were before the update. You can go on working.
problem-interrupted-do = The update can be started again.

problem-system = An operation on the server failed: { $path }.
problem-system-state = If an update was running, everything was returned to the state before it.
problem-system-do = See the details below: most often it is a full disk or a missing permission. Then try again.

problem-account = The application cannot run as the user { $user }.
problem-account-state = Nothing was changed.
problem-account-do = Create the user or give it the missing rights; the details below say which. Then try again.

problem-engine-unreachable = The update service on this server is not responding.
problem-engine-unreachable-state = The application itself is not affected. If an update was running, it is completed or everything is returned to the previous state as soon as the service runs again.
problem-engine-unreachable-do = Wait a moment. If this persists, check on the server whether the service is running (obnova status).

problem-bad-request = That cannot be done.
problem-bad-request-state = Nothing was changed.
problem-bad-request-do = See the details below.

problem-not-allowed = This user may not ask the updater for that.
problem-not-allowed-state = Nothing was changed.
problem-not-allowed-do = Do it as root on the server. Who may ask for what is set in the section [access] of installation.toml.

problem-configuration = The configuration { $path } cannot be used.
problem-configuration-state = Nothing was changed.
problem-configuration-do = Correct what the details below name, then run it again.

problem-unknown-update = There is no update number { $update }.
problem-unknown-update-state = Nothing was changed.
problem-unknown-update-do = The history lists all updates.

problem-rehearsal-impossible = The update cannot be rehearsed here.
problem-rehearsal-impossible-state = Neither the application nor its data was changed.
problem-rehearsal-impossible-do = The details below name what is missing. The update can be installed without a rehearsal.

problem-rehearsal-failed = The rehearsal of version { $version } failed.
problem-rehearsal-failed-state = It ran on a copy; neither the application nor its data was changed.
problem-rehearsal-failed-do = Installing it would end the same way. Send the log of the rehearsal to support and wait for a corrected version, or remove the cause named below and rehearse again.

problem-rehearsal-differs = In the rehearsal of version { $version } the copy did not return exactly to what it was before.
problem-rehearsal-differs-state = It ran on a copy; neither the application nor its data was changed.
problem-rehearsal-differs-do = Do not install this version, and send the log of the rehearsal to support.

problem-not-isolated = The copy for the rehearsal cannot be cut off from the network here.
problem-not-isolated-state = The rehearsal was not begun, and nothing was changed.
problem-not-isolated-do = The new version might send e-mails, for example. Allow network namespaces to the service, or permit rehearsals without isolation in the settings.

problem-rehearsal-running = Version { $version } is being rehearsed.
problem-rehearsal-running-state = The application runs unchanged.
problem-rehearsal-running-do = Wait until the rehearsal ends, or cancel it.

problem-rehearsal-broken-off = The rehearsal was broken off.
problem-rehearsal-broken-off-state = It ran on a copy, which was deleted; neither the application nor its data was changed.
problem-rehearsal-broken-off-do = Begin it again if you want to know how the update will go.

problem-rehearsal-too-long = The rehearsal of version { $version } took longer than { $minutes } minutes.
problem-rehearsal-too-long-state = It ran on a copy, which was deleted; neither the application nor its data was changed.
problem-rehearsal-too-long-do = The log of the rehearsal says which step it was in. Allow more time in the settings, or rehearse when the server has less to do.

problem-neutralise-too-long = The command that makes the copy harmless did not finish within { $seconds } seconds (version { $version }).
problem-neutralise-too-long-state = The copy was deleted; neither the application nor its data was changed.
problem-neutralise-too-long-do = Allow it more time in the settings, or ask the vendor why the command takes so long.

problem-last-copy = This is the only good protected copy.
problem-last-copy-state = Nothing was deleted.
problem-last-copy-do = It can be deleted once there is a newer one.

problem-nothing-to-revert = There is nothing to go back to.
problem-nothing-to-revert-state = Nothing was changed.
problem-nothing-to-revert-do = It is only possible to go back to the version before the last finished update, and only while its protected copy is kept.
