# The Desktop on a user's computer: what its command line says, and what can go wrong, in three texts each: what happened, in
# what state things are, what to do. The codes are listed in crates/desktop/src/error.rs.

desktop-made = { $path } is ready. Nothing is installed in it yet: “obnova-desktop update” installs the version that the server needs.
desktop-current = Version { $version } is installed.
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

desktop-error-cannot-start = Version { $version } could not be started.
desktop-error-cannot-start-state = Nothing was changed.
desktop-error-cannot-start-do = Run the program's installer again; it keeps your data. The details say what is missing.

desktop-error-interrupted = Stopped, as you wished.
desktop-error-interrupted-state = Nothing was changed; what has been downloaded is kept.
desktop-error-interrupted-do = Nothing needs to be done. The next download continues where this one stopped.
