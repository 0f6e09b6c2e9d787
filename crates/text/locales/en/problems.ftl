# What can go wrong, in three texts each: what happened, what state the data is in, what to do.
# The codes and their arguments are listed in crates/engine/src/problem.rs.

problem-repository-unreachable = The release repository { $source } does not answer.
problem-repository-unreachable-state = Nothing was changed. The installed version goes on working.
problem-repository-unreachable-do = Check this server's connection to the network and try again later. The details below say what exactly failed.

problem-repository-untrusted = What the release repository { $source } offers is not properly signed by the vendor, or is out of date.
problem-repository-untrusted-state = Nothing was changed, and nothing of it was used. The installed version goes on working.
problem-repository-untrusted-do = Do not install anything from another place. Tell the vendor's support, and send them the report.

problem-release-damaged = A file of version { $version } is missing, or is not the one that the vendor signed.
problem-release-damaged-state = Nothing was changed. The installed version goes on working.
problem-release-damaged-do = Try again; what was downloaded intact is kept. If it happens again, tell the vendor's support.

problem-download-failed = Downloading version { $version } was cut off.
problem-download-failed-state = Nothing was changed. What has been downloaded is kept.
problem-download-failed-do = Try again: the download goes on where it stopped.

problem-nothing-to-install = There is nothing newer than the installed version.
problem-nothing-to-install-state = Nothing was changed.
problem-nothing-to-install-do = Nothing needs to be done. Refresh looks again at any time.

problem-unknown-version = Version { $version } is not offered.
problem-unknown-version-state = Nothing was changed.
problem-unknown-version-do = Refresh the page and choose a version that is offered.

problem-source-version = Version { $version } can be installed over { $range } only; version { $installed } is installed, and no version in between leads there.
problem-source-version-state = Nothing was changed.
problem-source-version-do = Ask the vendor's support which way leads from { $installed } to { $version }.

problem-failed-before = Installing version { $version } failed here before.
problem-failed-before-state = Nothing is changed now; after that failure everything was returned to the state before it.
problem-failed-before-do = Wait for a newer version, or, when the cause has been removed, install it all the same.

problem-update-running = The update to version { $version } is running.
problem-update-running-state = Nothing else was started.
problem-update-running-do = Wait until it has finished.

problem-disk-space = There is not enough room on the disk: { $needed } bytes are needed, { $free } are free in { $path }.
problem-disk-space-state = Nothing was changed. The installed version goes on working.
problem-disk-space-do = Make room there and try again.

problem-database-unusable = The database { $database } cannot be read, or is not one of the kind that is configured.
problem-database-unusable-state = Nothing was changed.
problem-database-unusable-do = Check the database settings in installation.toml and the rights to the file.

problem-database-in-use = Another program writes to the database { $database } although the application is stopped.
problem-database-in-use-state = Everything was returned to the state before the update.
problem-database-in-use-do = Find and stop that program (a backup, a report, an import), then try again.

problem-protection-failed = The data in { $path } could not be copied to a safe place.
problem-protection-failed-state = The data itself was not touched. Everything was returned to the state before the update.
problem-protection-failed-do = See the details below: most often it is a full disk or a missing right. Then try again.

problem-stop-failed = Version { $version } could not be stopped.
problem-stop-failed-state = The data was not touched. Everything was returned to the state before the update.
problem-stop-failed-do = Look into the application's log for what it is waiting for. Tell the vendor's support.

problem-migration-failed = Migrating the database to version { $version } failed ({ $status }).
problem-migration-failed-state = The database, the data files and the program are exactly as they were before the update. You can go on working.
problem-migration-failed-do = Send the report to technical support. As soon as a corrected version exists, the Administration Centre offers it.

problem-start-failed = Version { $version } could not be started.
problem-start-failed-state = The database, the data files and the program are exactly as they were before the update. You can go on working.
problem-start-failed-do = Send the report to technical support. As soon as a corrected version exists, the Administration Centre offers it.

problem-unhealthy = Version { $version } was started, but does not work properly.
problem-unhealthy-state = The database, the data files and the program are exactly as they were before the update. You can go on working.
problem-unhealthy-do = Send the report to technical support. As soon as a corrected version exists, the Administration Centre offers it.

problem-deadline = The update took longer than it may.
problem-deadline-state = The database, the data files and the program are exactly as they were before the update. You can go on working.
problem-deadline-do = Try again when the server has less to do, or allow more time for the change-over in the settings.

problem-interrupted = The update was interrupted: the server or the updater itself was stopped in the step “{ $step }”.
problem-interrupted-state = The database, the data files and the program are exactly as they were before the update. You can go on working.
problem-interrupted-do = The update can be started again.

problem-system = The server could not do what was needed with { $path }.
problem-system-state = If an update was running, everything was returned to the state before it.
problem-system-do = See the details below: most often it is a full disk or a missing right. Then try again.

problem-engine-unreachable = The updater on this server does not answer.
problem-engine-unreachable-state = The application itself is not affected. If an update was running, it is finished or undone as soon as the updater runs again.
problem-engine-unreachable-do = Wait a moment. If this stays, look on the server whether the engine runs (obnova status).

problem-bad-request = That cannot be done.
problem-bad-request-state = Nothing was changed.
problem-bad-request-do = See the details below.

problem-configuration = The configuration { $path } is not usable.
problem-configuration-state = Nothing was changed.
problem-configuration-do = Correct what the details below name, then start again.

problem-unknown-update = There is no update number { $update }.
problem-unknown-update-state = Nothing was changed.
problem-unknown-update-do = The history lists all updates.
