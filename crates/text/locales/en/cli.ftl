# Area: cli
cli-setup-done = Version { $version } is installed. Start it with: obnova up
cli-installed = { $name }, version { $version }
cli-updating = It is being updated to version { $version }.
cli-rolling-back = The update to version { $version } failed; everything is being returned to the previous state.
cli-serving = The application is in service.
cli-holding = Requests are being held.
cli-never-checked = The release repository has not been checked yet: obnova check
cli-nothing-newer = There is no newer version.
cli-offered = Version { $version } can be installed: obnova install
cli-disk = Disk: at most { $needed } needed, { $free } free.
cli-step-failed = Failed: { $step }. Everything is being returned to the previous state.
cli-step-undone = Undone: { $step }
cli-completed = The update has been installed. Requests were held for { $blackout }.
cli-no-history = Nothing has been updated yet.
cli-outcome-running = running
cli-outcome-completed = installed
cli-outcome-rolled-back = returned to the previous state
