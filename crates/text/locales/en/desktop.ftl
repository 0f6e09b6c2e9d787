# The Desktop on a user's computer: what its command line says, and what can go wrong, in three texts each: what happened, in
# what state things are, what to do. The codes are listed in crates/desktop/src/error.rs.

desktop-made = { $path } is ready. Nothing is installed in it yet: “obnova-desktop update” installs the version that the server needs.
desktop-current = Version { $version } is installed.
desktop-machine = All users of this computer get version { $version }; so do you, from the next start on.
desktop-none = No version is installed yet.
desktop-on-trial = It has not confirmed yet that it works.
desktop-server = The server is version { $version }.
desktop-wanted = The server needs version { $version }.
desktop-previous = Version { $version } from before is kept, to go back to.
desktop-quarantined = Version { $version } is not installed by itself: { $why }
desktop-news-returned = Version { $version } was left again: { $why }
desktop-right = The right version is installed.
desktop-required = The installed version does not work with the server.
desktop-found-install = Version { $version } belongs to it; { $size } to download.
desktop-found-up = Version { $version } belongs to it and is newer than the installed one; { $size } to download.
desktop-found-down = Version { $version } belongs to it and is older than the installed one; { $size } to download.
desktop-downloaded = Version { $version } has been downloaded.
desktop-applied = Version { $version } runs from the next start on.
desktop-confirm-nothing = There was nothing to confirm.
desktop-confirm-yes = The version works, and the server accepts it.
desktop-confirm-without-server = The version works. The server could not be asked, which is no reason to go back.
desktop-confirm-no = The version does not work here. The one from before comes back.

desktop-reason-not-started = it could not be started ({ $detail }).
desktop-reason-crashed = it ended by itself soon after its start ({ $status }).
desktop-reason-silent = it did not confirm within { $seconds } seconds that it works.
desktop-reason-never = it was started { $starts } times and never confirmed that it works.
desktop-reason-own-check = its own check failed ({ $detail }).
desktop-reason-refused = the server, version { $server }, does not work with it.
desktop-reason-by-hand = somebody went back from it.

desktop-error-server-unreachable = The server { $address } is not responding.
desktop-error-server-unreachable-state = Nothing was changed; what has been downloaded is kept. The installed version can be used.
desktop-error-server-unreachable-do = Check the network connection and try again later. If a proxy or a certificate is the reason, the details name it.

desktop-error-wrong-server = { $address } does not answer as the update server of this program.
desktop-error-wrong-server-state = Nothing was changed. The installed version can be used.
desktop-error-wrong-server-do = Ask your administrator for the right address; it is in desktop.toml.

desktop-error-untrusted = What the server { $address } offers is not properly signed by the vendor, or is out of date.
desktop-error-untrusted-state = Nothing was changed, and nothing of it was used. The installed version can be used.
desktop-error-untrusted-do = Tell your administrator. Do not install the program from elsewhere.

desktop-error-no-desktop = The vendor has no version for this computer that works with version { $server } of the server.
desktop-error-no-desktop-state = Nothing was changed. The installed version stays.
desktop-error-no-desktop-do = Tell your administrator: the server needs a version for which there is one.

desktop-error-not-with-server = Version { $version } does not work with the server, which is version { $server }.
desktop-error-not-with-server-state = Nothing was changed. The installed version stays.
desktop-error-not-with-server-do = Nothing needs to be done: the installed version is the one that belongs to the server.

desktop-error-below-minimum = Version { $version } would be needed, but the vendor does not allow versions below { $minimum } any more.
desktop-error-below-minimum-state = Nothing was changed. The installed version stays.
desktop-error-below-minimum-do = Tell your administrator: the server has to be updated.

desktop-error-damaged = A file of the program is not on the server { $address }, or is not the one that the vendor signed.
desktop-error-damaged-state = Nothing was changed; what was downloaded intact is kept. The installed version can be used.
desktop-error-damaged-do = Try again in a few minutes: the server may still be fetching it. If it happens again, tell your administrator.

desktop-error-disk-full = The disk is full.
desktop-error-disk-full-state = Nothing was changed. The installed version can be used.
desktop-error-disk-full-do = Free some space and try again.

desktop-error-not-allowed = A file or directory of the program may not be written.
desktop-error-not-allowed-state = Nothing was changed. The installed version can be used.
desktop-error-not-allowed-do = The details name it. Ask your administrator for the right to write there.

desktop-error-disk = The disk refused.
desktop-error-disk-state = Nothing was changed that the next start would not finish or undo. The installed version can be used.
desktop-error-disk-do = Try again. If it happens again, have the disk checked.

desktop-error-busy = Another program is working on the same update, or the version is in use.
desktop-error-busy-state = Nothing was changed. The installed version can be used.
desktop-error-busy-do = Wait until it has finished, or close the other windows of the program, and try again.

desktop-error-quarantined = Version { $version } has failed on this computer before, or somebody went back from it.
desktop-error-quarantined-state = Nothing was changed. The installed version can be used.
desktop-error-quarantined-do = Wait for a newer version or, once the cause has been removed, use “obnova-desktop update --insist”.

desktop-error-unfit-here = Version { $version } cannot run on this computer.
desktop-error-unfit-here-state = It was downloaded and not switched to. The installed version can be used.
desktop-error-unfit-here-do = The details say what it lacks. Tell your administrator.

desktop-error-nothing-before = There is no version to go back to.
desktop-error-nothing-before-state = Nothing was changed. The installed version can be used.
desktop-error-nothing-before-do = Nothing needs to be done.

desktop-error-policy = Your administrator has turned updates of this program off.
desktop-error-policy-state = Nothing was changed. The installed version can be used.
desktop-error-policy-do = Ask your administrator for the version that you need.

desktop-error-not-installed = No program is installed in { $path }.
desktop-error-not-installed-state = Nothing was changed.
desktop-error-not-installed-do = Name the right directory, or install the program: the server's welcome page has the installer.

desktop-error-state-damaged = { $path } is damaged.
desktop-error-state-damaged-state = Nothing was changed. The versions' own files are still there.
desktop-error-state-damaged-do = Run the program's installer again; it keeps your data.

desktop-error-no-service = The service that updates this program for all users of the computer does not answer.
desktop-error-no-service-state = Nothing was changed. The installed version can be used.
desktop-error-no-service-do = Tell the administrator of this computer; the details say more. The program's installer, run again by the administrator, sets the service up.

desktop-error-too-often = The service that updates this program for all users of the computer was asked too often.
desktop-error-too-often-state = Nothing was changed. The installed version can be used.
desktop-error-too-often-do = Wait a minute and try again.

desktop-error-unprotected = { $path } could be changed by other users of this computer.
desktop-error-unprotected-state = Nothing was changed. Nothing is installed for all users where any of them could change it.
desktop-error-unprotected-do = The administrator of this computer has to make it root's, writable by nobody else.

desktop-error-cannot-start = Version { $version } could not be started.
desktop-error-cannot-start-state = Nothing was changed.
desktop-error-cannot-start-do = Run the program's installer again; it keeps your data. The details say what is missing.

desktop-error-interrupted = Stopped, as you wished.
desktop-error-interrupted-state = Nothing was changed; what has been downloaded is kept.
desktop-error-interrupted-do = Nothing needs to be done. The next download continues where this one stopped.

# The windows and the agent. { $name } is the product's name.

gui-update-title = Update of { $name }
gui-close = Close
gui-cancel = Cancel
gui-later = Later
gui-again = Try again
gui-details = Details
gui-progress = Progress

gui-looking = Looking for the right version…
gui-right-heading = { $name } is up to date
gui-right = Version { $version } is installed, the right one for the server, which is version { $server }.

gui-up-heading = { $name } { $version } is ready for you
gui-down-heading = { $name } { $version } belongs to your server
gui-install-heading = { $name } { $version } can be installed
gui-facts = Installed: { $current } · Server: { $server } · To download: { $size }
gui-facts-first = Server: { $server } · To download: { $size }
gui-limited-title = Limited until you update
gui-limited-all = Version { $current } **no longer works with the server**, which is version { $server }. Until you update, { $name } cannot work with its data.
gui-limited-none = Nothing for now: version { $current } works with the server, too.
gui-limited-nothing-here = { $name } cannot be used yet.
gui-new = What is new
gui-new-nothing = The vendor has not written anything about this version.
gui-why-title = Why an older version
gui-why = The server is version { $server }, and version { $current } of { $name } is **newer than that**. Your administrator has probably taken the server back to it. { $name } always follows its server, so { $version } belongs here.
gui-stays-title = What this means
gui-stays = - **Your data stay** as they are on the server.
    - What came with the newer version is not there until the server is updated again.
    - Then { $name } follows it, as always.
gui-later-until = You can do it later, until { $until }.
gui-later-free = You can do it later; you will be asked again at every start.
gui-later-not = It cannot be put off any longer.
gui-stopped = Stopped. What has been downloaded is kept, and the next download goes on from there.
gui-update-now = Update now
gui-down-now = Change now
gui-install-now = Install now
gui-insist = Install it all the same

gui-loading = { $done } of { $total } downloaded
gui-left-seconds = about { $count } s left
gui-left-minutes = about { $count } min left
gui-left-hours = about { $count } h left
gui-checking = Checking the new version…

gui-ready-heading = { $name } { $version } is installed
gui-ready = It runs from the next start on.
gui-ready-open = { $name } is open and still runs in the version from before. Save your work, then restart: it closes and opens again in version { $version }. Nothing is closed against its will.
gui-holds = There is work that is not finished:
gui-hold-unknown = { $name } cannot be closed now.
gui-restart = Restart now
gui-start = Start { $name }
gui-at-next-start = At the next start
gui-closing-heading = Waiting for { $name } to close
gui-closing = Finish your work in it and close it. It opens again by itself in the new version.
gui-stop-waiting = Do not wait
gui-failed-heading = { $name } could not be updated

gui-new-heading = What is new in { $name }
gui-downgraded-heading = { $name } now runs in version { $version }
gui-downgraded = Until now it was version { $from }. The server is version { $server }, older than that, and { $name } always follows its server.
gui-downgraded-state = Your data are as they were on the server. What came with version { $from } is not there for now.
gui-downgraded-do = Nothing needs to be done. When the server is updated again, { $name } follows it.
gui-returned-heading = { $name } is back in version { $version }
gui-returned = Version { $from } did not work on this computer: { $why }
gui-returned-state = So version { $version }, which worked before, runs again. Your data have not been touched, and version { $from } is not installed again by itself.
gui-returned-do = Nothing needs to be done; your administrator has been told. A newer version will be offered as usual.
gui-refused-heading = { $name } is back in version { $version }
gui-refused = Version { $from } does not belong to the server: { $why }
gui-refused-state = So version { $version } runs again. Your data have not been touched.
gui-refused-do = Nothing needs to be done. { $name } follows the server as soon as it is updated.
gui-by-hand-heading = { $name } is back in version { $version }
gui-by-hand = Somebody went back from version { $from }.
gui-by-hand-state = Version { $version } runs again, and version { $from } is not installed again by itself.
gui-by-hand-do = Nothing needs to be done.

gui-agent-right = { $name } { $version } is up to date
gui-agent-waits = { $name } { $version } is ready to be installed
gui-agent-unknown = { $name }: the server could not be asked
gui-agent-update = Update to the newest version
gui-agent-update-to = Update to version { $version }
gui-agent-new = What is new
gui-agent-quit = Quit
gui-agent-note = A click updates it. Your work is not interrupted.
gui-agent-done = It runs from the next start on. Save your work and restart when it suits you.
gui-agent-no-bus = There is no session bus (D-Bus), so there is no place for an icon or notifications. The agent runs within a user's graphical session.
