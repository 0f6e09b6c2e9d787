# The installer of a Desktop: what its script and “obnova-desktop install” say.

installer-installing = Installing { $name } { $version } ...
installer-installed = { $name } { $version } is installed. Start it from the menu, or with: { $program }
installer-updated = { $name } { $version } is installed over version { $previous }, which is kept to go back to. It runs from the next start on.
installer-there = { $name } { $version } was installed already and is whole.
installer-server = It follows the server { $server }
installer-no-systemd = There is no systemd here. Users can update once this runs, as root: { $root }/bin/obnova-desktop --root { $root } service --socket { $socket }
installer-removed = { $path } was removed. Your data is on the server.
installer-no-agent = Version { $version } has no agent ({ $path }).

# In the script, before anything can be run that it carries. No placeholders, no quotation marks of the shell.
installer-script-usage = Usage: sh FILE [options]. Without options it asks for the server and installs for you alone; no root is needed.
installer-script-server = The address of your company’s Administration Centre, such as https://obnova.example.com/
installer-script-authorities = A file with certificate authorities to believe besides those of this computer (PEM)
installer-script-dir = Where to install; otherwise in your home directory
installer-script-silent = Ask nothing, print errors only
installer-script-autostart = Start the agent in the notification area with your session
installer-script-no-menu = Do not add it to the menu
installer-script-start = Start the program afterwards
installer-script-uninstall = Remove it; your data on the server stays
installer-script-all-users = Install for all users of this computer into /opt, with a service that updates it; as root
installer-script-root = For all users only root can install, or remove. Nothing was changed.
installer-script-check = Only check whether this file is whole
installer-script-ask = Address of the server:
installer-script-no-server = The address of the server is missing; give it with --server
installer-script-damaged = This file is damaged or incomplete. Nothing was changed. Download it again.
installer-script-whole = This file is whole.
installer-script-read-only = This directory cannot be written to. Nothing was changed. Choose another one with --dir:
installer-script-full = There is too little room on the disk. Nothing was changed. Free some space and try again; needed in KiB:
installer-script-other-computer = This installer is for other computers. Nothing was changed. It is for:
installer-script-missing = A program of the system is missing that the installer needs:
installer-script-unknown = Unknown option:
installer-script-unpack = Unpacking failed; the lines above say why. Nothing was changed.
installer-script-no-home = It is not known where your home directory is; say with --dir where to install

desktop-error-other-program = There is something else in { $path }.
desktop-error-other-program-state = Nothing was changed.
desktop-error-other-program-do = Choose another directory.

desktop-error-no-server = It is not known which server the program belongs to.
desktop-error-no-server-state = Nothing was changed.
desktop-error-no-server-do = Give the address of your company’s Administration Centre; your administrator knows it.

# The setup program for Windows, in a window or in a terminal.
installer-script-no-autostart = Do not start the agent with your session
setup-usage = Without options it asks for the server and installs for you alone; no administrator is needed.
setup-window-title = { $name } { $version } Setup
setup-intro = { $name } will be installed for you alone; no administrator is needed. It will follow your company’s server.
setup-server = Address of your company’s Administration Centre:
setup-autostart = Watch for updates in the notification area
setup-install = Install
setup-cancel = Cancel
setup-start = Start the program now?
setup-remove = Do you really want to remove the program? Your data on the server stays.
