//! Bringing a version here, beside those that are: only what is in none of them, going on where an earlier run ended.

use std::sync::atomic::Ordering;

use obnova_release::InstalledRelease;
use semver::Version;

use crate::check::Wanted;
use crate::desktop::Desktop;
use crate::error::{Code, Error};
use crate::platform;
use crate::sweep;

impl Desktop {
    /// Downloads and unpacks a version, every file verified while it comes, and its directory put in its place when it is whole.
    /// `progress` gets the bytes downloaded and to be downloaded. May be repeated, also by another process. Where all users of the
    /// computer share the installation, its service does that, and from then on every user's next start is one of that version.
    ///
    /// # Errors
    /// The network, the server's files or this disk failed, or it was cancelled; what is here of it is kept.
    pub fn download(
        &self,
        wanted: &Wanted,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Error> {
        self.cancelled.store(false, Ordering::Relaxed);
        if self.layout.is_shared() {
            return self.have_applied(&wanted.version, progress);
        }
        self.room_for(wanted)?;
        if sweep::is_in_use(&self.layout, &wanted.version) {
            // It is here, and stays as it is while somebody works with it.
            return self.is_whole(&wanted.version);
        }
        let network = self.network()?;
        let destination = self.layout.destination();
        let downloaded = network.get()?.client.download(
            &wanted.release,
            &destination,
            progress,
            &self.cancelled,
        );
        downloaded.map_err(|error| self.place(error).arg("version", &wanted.version))
    }

    pub(crate) fn is_whole(&self, version: &Version) -> Result<(), Error> {
        let versions = self.layout.versions();
        InstalledRelease::load(&versions, version)
            .and_then(|installed| installed.verify(&versions))
            .map_err(|error| {
                let busy = Error::new(Code::Busy).arg("version", version);
                busy.detail(error.chain())
            })
    }

    fn room_for(&self, wanted: &Wanted) -> Result<(), Error> {
        self.room(&wanted.version, wanted.tree_bytes + wanted.download_bytes)
    }

    /// A tenth more than is needed has to be free: others write to the disk as well.
    pub(crate) fn room(&self, version: &Version, bytes: u64) -> Result<(), Error> {
        let needed = bytes * 11 / 10;
        match platform::free_bytes(self.layout.root()) {
            Some(free) if free < needed && !self.layout.version(version).exists() => {
                let path = self.layout.root().display().to_string();
                let full = Error::new(Code::DiskFull).arg("path", path);
                Err(full.detail(format!("{needed} bytes are needed, {free} are free")))
            }
            _ => Ok(()),
        }
    }
}
