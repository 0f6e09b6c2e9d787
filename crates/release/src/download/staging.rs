//! The directory in which a version is put together, beside where it will be.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use semver::Version;

use super::content::Content;
use crate::digest::Digest;
use crate::durable;
use crate::error::Error;
use crate::installed::InstalledRelease;
use crate::system;
use crate::tree::{Entry, Tree};

const PREFIX: &str = ".staging-";

/// A version in the making. What a crash leaves of it is removed when the next one begins.
#[derive(Debug)]
pub(super) struct Staging {
    directory: PathBuf,
    versions: PathBuf,
    version: Version,
}

impl Staging {
    /// Makes the directories of the tree, empty and writable.
    pub(super) fn begin(versions: &Path, version: &Version, tree: &Tree) -> Result<Self, Error> {
        system::can_hold(tree)
            .map_err(|reason| Error::invalid(format!("version {version}"), reason))?;
        remove_leftovers(versions)?;
        let staging = Self {
            // A name of its own each time: a thread of a cancelled download may still write to the last one.
            directory: versions.join(format!("{PREFIX}{version}-{:08x}", rand::random::<u32>())),
            versions: versions.to_owned(),
            version: version.clone(),
        };
        let failed = || Error::local("the new version's directories cannot be made");
        durable::create_dir_all(&staging.directory).map_err(failed())?;
        for (path, entry) in tree.entries() {
            if let Entry::Directory { .. } = entry {
                // Parents come first in the order of paths.
                durable::create_dir_unsynced(&staging.at(path)).map_err(failed())?;
            }
        }
        Ok(staging)
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    /// Copies content from the first of these files that really has it to all its paths; says whether one had it.
    pub(super) fn copy_from(
        &self,
        candidates: &[PathBuf],
        content: &Content<'_>,
    ) -> Result<bool, Error> {
        let (first, mode) = content.paths[0];
        let target = self.at(first);
        for candidate in candidates {
            // Only regular files, and only of the right length, are worth a copy.
            let fits = std::fs::symlink_metadata(candidate)
                .is_ok_and(|found| found.is_file() && found.len() == content.file.size);
            if !fits || durable::copy_unsynced(candidate, &target, mode | 0o400).is_err() {
                let _ = durable::remove_file_unsynced(&target);
                continue;
            }
            let copied = File::open(&target).and_then(Digest::of_reader);
            if copied.is_ok_and(|(digest, _)| digest == content.file.sha256) {
                self.spread(content)?;
                return Ok(true);
            }
            tracing::warn!(file = %candidate.display(), "is not what was installed, so it is not used again");
            durable::remove_file_unsynced(&target)
                .map_err(Error::local("a copy cannot be removed"))?;
        }
        Ok(false)
    }

    /// Copies content from its first path to the others that have the same.
    pub(super) fn spread(&self, content: &Content<'_>) -> Result<(), Error> {
        let from = self.at(content.paths[0].0);
        for (path, mode) in &content.paths[1..] {
            durable::copy_unsynced(&from, &self.at(path), *mode)
                .map_err(Error::local("the new version cannot be written"))?;
        }
        Ok(())
    }

    /// Makes the links and sets the modes, inner directories first.
    pub(super) fn complete(&self, tree: &Tree) -> Result<(), Error> {
        let failed = || Error::local("the new version cannot be written");
        for (path, entry) in tree.entries().iter().rev() {
            match entry {
                Entry::Link { target } => {
                    durable::symlink(&self.at(path), Path::new(target)).map_err(failed())?;
                }
                Entry::File(file) => {
                    durable::set_mode_unsynced(&self.at(path), file.mode).map_err(failed())?;
                }
                Entry::Directory { .. } => {}
            }
        }
        for (path, entry) in tree.entries().iter().rev() {
            if let Entry::Directory { mode } = entry {
                durable::set_mode_unsynced(&self.at(path), *mode).map_err(failed())?;
            }
        }
        durable::set_mode_unsynced(&self.directory, 0o755).map_err(failed())
    }

    /// Gives the directory its name in one instant. A damaged one that had the name is exchanged and removed.
    pub(super) fn publish(self) -> Result<(), Error> {
        let failed = || Error::local("the new version cannot be put in its place");
        let place = InstalledRelease::directory(&self.versions, &self.version);
        if std::fs::symlink_metadata(&place).is_ok() {
            return exchange(&self.directory, &place).map_err(failed());
        }
        durable::rename_new(&self.directory, &place).map_err(failed())
    }
}

/// Puts `new` in the place of `old` and removes the latter.
fn exchange(new: &Path, old: &Path) -> std::io::Result<()> {
    match durable::exchange(new, old) {
        Ok(()) => durable::remove_dir_all(new),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            // Not in one instant, then: killed between, the version is not there and is put together again.
            let aside = new.with_extension("old");
            durable::rename(old, &aside)?;
            durable::rename_new(new, old)?;
            durable::remove_dir_all(&aside)
        }
        Err(error) => Err(error),
    }
}

fn remove_leftovers(versions: &Path) -> Result<(), Error> {
    let failed = || Error::local("what an interrupted download has left cannot be removed");
    durable::remove_temporaries(versions).map_err(failed())?;
    for entry in std::fs::read_dir(versions).map_err(failed())? {
        let entry = entry.map_err(failed())?;
        let is_staging = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX));
        if is_staging {
            durable::remove_dir_all(&entry.path()).map_err(failed())?;
        }
    }
    Ok(())
}
