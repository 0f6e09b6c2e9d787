//! The installers in a customer's own copy of the repository, for the welcome page.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{GRACE, Mirror, Mirrored, cannot};
use crate::client::Client;
use crate::durable;
use crate::error::Error;
use crate::installers::Installer;

impl Client {
    /// Copies these installers to where [`Client::mirror`] has copied the rest, and removes others that have not been needed
    /// for a while. Apart from the rest and after it: Desktops that are there must not wait for what they do not need. May be
    /// repeated; after a crash it goes on where it was.
    ///
    /// # Errors
    /// The repository or this disk fails; installers that are there stay whole.
    pub fn mirror_installers(
        &self,
        installers: &[Installer],
        to: &Path,
        cancelled: &AtomicBool,
    ) -> Result<Mirrored, Error> {
        let mirror = Mirror::open(&self.repository, to)?;
        let mut mirrored = Mirrored::default();
        for installer in installers {
            if cancelled.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            if mirror.bring_file(installer.place(), installer.bytes, installer.sha256)? {
                mirrored.new_files += 1;
                mirrored.new_bytes += installer.bytes;
            }
        }
        let needed = installers.iter().map(|it| to.join(it.place())).collect();
        sweep(to, &needed)?;
        Ok(mirrored)
    }
}

/// Removes installers that are not needed any more. Somebody may be in the middle of downloading one, so not at once.
fn sweep(to: &Path, needed: &HashSet<PathBuf>) -> Result<(), Error> {
    let releases = to.join("targets/releases");
    let files = walkdir::WalkDir::new(&releases).min_depth(4).max_depth(4);
    for entry in files.into_iter().flatten() {
        let path = entry.path();
        let is_installer = path.strip_prefix(&releases).is_ok_and(|path| {
            path.components().nth(1) == Some(std::path::Component::Normal("installers".as_ref()))
        });
        if !is_installer || !entry.file_type().is_file() || needed.contains(path) {
            continue;
        }
        // By when it came; that it was read is not written down.
        let changed = entry
            .metadata()
            .ok()
            .and_then(|found| found.modified().ok());
        let age = changed.and_then(|changed| changed.elapsed().ok());
        if age.is_some_and(|age| age > GRACE) {
            durable::remove_file(path).map_err(cannot())?;
        }
    }
    Ok(())
}
