# What each step of an update does, while it does it. Keys: step-<name of the step, dashes for underscores>.
step-check = Checking that the update can be installed
step-download = Downloading and verifying the release
step-prepare = Preparing the protection of the database
step-announce = Telling everyone
step-hold = Holding requests
step-stop = Stopping the application
step-protect-database = Protecting the database
step-protect-files = Protecting the data files
step-migrate = Migrating the database
step-switch = Switching versions
step-start = Starting the new version
step-verify = Checking that the new version works
step-release-traffic = Letting requests through
step-commit = Finishing the update
step-clean = Tidying up

# Steps of a rehearsal that no update has.
step-clone = Copying database and data files for the rehearsal
step-way-back = Going back on the copy
step-compare = Comparing the copy with what it was
step-discard = Deleting the copy

# Steps of a way back to the version before that no update has.
step-lay-out = Preparing the data from before the update
step-go-back = Returning database and files
