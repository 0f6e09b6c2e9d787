//! Removing an installation. The program's own data of the user is elsewhere and stays.

use obnova_release::durable::{self, Lock};

use crate::desktop::Desktop;
use crate::error::{Code, Error};
use crate::platform;
use crate::sweep;

impl Desktop {
    /// Removes the entries in menus and all that was installed. What says that something is installed here goes last, so that it
    /// may be called again after a kill. Files that are not Obnova's stay, and the directory with them. What all users share is
    /// removed through [`Desktop::of_machine`]; the little that each user has of it at home stays.
    ///
    /// # Errors
    /// A version runs, or the disk refuses.
    pub fn uninstall(&self) -> Result<(), Error> {
        let layout = &self.layout;
        durable::create_dir_all(&layout.state())?;
        #[cfg(windows)]
        self.end_agent()?;
        let lock = Lock::take(&layout.lock())?;
        let versions = std::fs::read_dir(layout.versions());
        for entry in versions.into_iter().flatten().flatten() {
            let version = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            if let Some(version) = version
                && sweep::is_in_use(layout, &version)
            {
                return Err(Error::new(Code::Busy).arg("version", version));
            }
        }
        if let Some(entries) = self.entries() {
            entries.remove()?;
        }
        #[cfg(unix)]
        if layout.machine().exists() {
            crate::service::Units::of(&self.configuration.product, layout.root()).remove()?;
        }
        platform::leave(&layout.programs())?;
        let destination = layout.destination();
        for directory in [
            &destination.versions,
            &destination.content,
            &layout.store(),
            &layout.programs(),
        ] {
            if directory.exists() {
                durable::remove_dir_all(directory)?;
            }
        }
        // On Windows a file that is open keeps its directory. Whoever comes in between finds no version to start.
        drop(lock);
        durable::remove_dir_all(&layout.state())?;
        for file in [platform::ICON, "root.json", "policy.toml", "desktop.toml"] {
            durable::remove_file(&layout.root().join(file))?;
        }
        // Not empty: somebody has put something of his own there.
        let _ = std::fs::remove_dir(layout.root());
        Ok(())
    }
}
