//! The archive, unpacked beside the place where the Desktop will be: on the same disk, and gone at the end.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use flate2::read::GzDecoder;
use obnova_release::appended::Appended;
use obnova_release::durable;

/// Older ones are what somebody was killed with.
const OLD: Duration = Duration::from_secs(24 * 3600);

/// A directory of this run's own.
pub(crate) struct Work(PathBuf);

impl Work {
    /// Makes it, and removes what was left by others long ago.
    pub(crate) fn make(directory: &Path, product: &str) -> io::Result<Self> {
        let parent = directory.parent().unwrap_or(directory);
        durable::create_dir_all(parent)?;
        let begin = format!(".{product}-installing.");
        for entry in fs::read_dir(parent)?.flatten() {
            let is_one = entry.file_name().to_string_lossy().starts_with(&begin);
            let changed = entry.metadata().and_then(|found| found.modified());
            let age = changed.ok().and_then(|changed| changed.elapsed().ok());
            if is_one && age.is_some_and(|age| age > OLD) {
                let _ = durable::remove_dir_all(&entry.path());
            }
        }
        let work = parent.join(format!("{begin}{}", std::process::id()));
        // Of one with the same number, long ago, whose clock was wrong.
        if work.exists() {
            durable::remove_dir_all(&work)?;
        }
        durable::create_dir_unsynced(&work)?;
        Ok(Self(work))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // The next run removes what cannot be removed now.
        let _ = durable::remove_dir_all(&self.0);
    }
}

/// Unpacks it. Only plain files with plain names are in it.
pub(crate) fn unpack(carried: &mut Appended, to: &Path) -> io::Result<()> {
    let strange = |path: &Path| {
        let text = format!("{}: is nothing that belongs there", path.display());
        io::Error::new(io::ErrorKind::InvalidData, text)
    };
    let mut archive = tar::Archive::new(GzDecoder::new(carried.archive()?));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let is_plain = |part| matches!(part, Component::Normal(_));
        if !path.components().all(is_plain) || !entry.header().entry_type().is_file() {
            return Err(strange(&path));
        }
        let place = to.join(&path);
        let parent = place.parent().ok_or_else(|| strange(&path))?;
        if !parent.is_dir() {
            durable::create_dir_all(parent)?;
        }
        let mode = entry.header().mode()?;
        let mut file = durable::create_new(&place, mode)?;
        io::copy(&mut entry, &mut file)?;
        // Nothing of it is needed after a crash: then it is unpacked again.
        file.finish_unsynced()?;
    }
    Ok(())
}
