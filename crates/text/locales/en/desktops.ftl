# Area: desktops
# The Desktops page of the Administration Centre and its settings.

desktops-title = Desktops
desktops-lead = The versions that users' computers have. A Desktop follows its server by itself; here you see how far they are.
desktops-export = Export as CSV
desktops-keeps-nothing = The settings do not allow anything to be kept about Desktops.
desktops-none = No Desktop has reported yet. Desktops report by themselves when they look for their version.
desktops-none-used = No Desktop has reported lately.
desktops-used = In use
desktops-used-hint = seen within { $days } days
desktops-unused-hint = forgotten after { $days } days
desktops-returned-none = none
desktops-show = show them
desktops-chart = Versions over time
desktops-chart-words = Each column is a day: how many Desktops in use had which version. Days without a column were not counted, as the Administration Centre was not running.
desktops-span = How far back
desktops-days = { $days } days
desktops-as-table = The same as a table
desktops-day = Day
desktops-all = Together
desktops-versions = Versions in use
desktops-version = Version
desktops-no-version = not installed yet
desktops-other-versions = other versions
desktops-server-unknown = the server’s version is not known right now
desktops-servers = as the server
desktops-platform = System
desktops-platforms = Systems
desktops-failures = Versions that were left again
desktops-failures-hint = What happened last on these computers is that they went back to the version before. The version that was left is not installed there again by itself.
desktops-left-version = Version left
desktops-why = Why
desktops-left = Left { $version }:
desktops-list = Installations
desktops-search = Number, version or system
desktops-installation = Installation (random number)
desktops-state = State
desktops-last-seen = Last seen
desktops-no-match = No installations match.

# How a Desktop stands. Keys: desktops-standing-<name>.
desktops-standing-all = All
desktops-standing-matching = As the server
desktops-standing-other = Another version
desktops-standing-returned = Went back
desktops-standing-unused = Not seen for long

# Why a version was left again. Keys: desktops-why-<reason>.
desktops-why-not-started = It could not be started.
desktops-why-crashed = It ended by itself soon after its start ({ $value }).
desktops-why-silent = It did not confirm within { $value } s that it works.
desktops-why-never-confirmed = It never confirmed that it works (starts: { $value }).
desktops-why-own-check = Its own check failed.
desktops-why-refused = The server, version { $value }, does not work with it.
desktops-why-by-hand = Somebody went back from it.
desktops-why-unknown = The reason is not known here. { $value }

# Settings
desktops-settings-hint = What the Administration Centre remembers about the Desktops on users' computers.
desktops-settings-kept = What is kept
desktops-kept-nothing = Nothing
desktops-kept-nothing-hint = What has been kept so far is deleted when you save.
desktops-kept-reasons = A random number, version, system and the kind of failure
desktops-kept-reasons-hint = The number is that of the installation; nothing says whose it is.
desktops-kept-details = Also what the computer said about a failure
desktops-kept-details-hint = A path in it can contain a user's name.
desktops-settings-used = Counts as used if seen within (days)
desktops-settings-keep = Forget it if not seen for (days)
desktops-settings-show = Show Desktops

# The installers on the welcome page
desktops-download-title = { $name } Desktop
desktops-download-lead = The program for your computer. If you have it already, you do not need this: it offers its update by itself.
desktops-download-for = Download for { $system }
desktops-download-others = For other computers
desktops-download-all = Installers
desktops-download-file = File
desktops-download-size = Size
desktops-download-requires = Needs
desktops-download-signed = With the SHA-256 you can check that the file has arrived whole and unchanged.
