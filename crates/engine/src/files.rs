//! Data directories: copied to a safe place, by reflink where the file system can, and returned by renaming.
//!
//! A protected directory is returned whole: the directory as the update left it is moved aside, the copy takes its place.
//! Both moves are renames in one file system, so each is old or new whatever happens between.

use std::io;
use std::path::{Path, PathBuf};

use crate::durable;

/// Written last into a copy: it is complete.
const COMPLETE: &str = "complete";

/// Data directories and what in them is somebody else's to protect.
pub struct Files<'a> {
    /// The directories.
    pub directories: &'a [PathBuf],
    /// Files inside them that the database driver takes care of.
    pub except: &'a [PathBuf],
}

impl Files<'_> {
    /// Copies all directories into `to`, complete and durable when it returns; says how many files and bytes.
    ///
    /// # Errors
    /// Something cannot be read or copied; the directories themselves are untouched.
    pub fn protect(&self, to: &Path, progress: &mut dyn FnMut(u64, u64)) -> io::Result<(u64, u64)> {
        if to.join(COMPLETE).exists() {
            return Ok((0, 0));
        }
        durable::remove_dir_all(to)?;
        durable::create_dir_all(to)?;
        let (mut files, mut bytes) = (0, 0);
        for (number, directory) in self.existing() {
            let skip = |path: &Path| self.except.iter().any(|file| file == path);
            durable::copy_tree(
                directory,
                &to.join(number.to_string()),
                &skip,
                &mut |length| {
                    files += 1;
                    bytes += length;
                    progress(files, bytes);
                },
            )?;
        }
        durable::sync_dir(to)?;
        durable::write(&to.join(COMPLETE), b"", 0o600)?;
        Ok((files, bytes))
    }

    /// Returns all directories to the copies in `from`. Where those never were complete, nothing was touched, and nothing is done.
    /// Repeatable: each copy is used up by the rename that puts it into place.
    ///
    /// # Errors
    /// A directory cannot be moved; to be tried again.
    pub fn restore(&self, from: &Path) -> io::Result<()> {
        if !from.join(COMPLETE).exists() {
            return Ok(());
        }
        for (number, directory) in self.directories.iter().enumerate() {
            let copy = from.join(number.to_string());
            let aside = from.join(format!("discarded-{number}"));
            if copy.exists() && !aside.exists() && directory.exists() {
                durable::rename(directory, &aside)?;
            }
            if copy.exists() {
                self.keep_excepted(directory, &aside, &copy)?;
                durable::rename(&copy, directory)?;
            }
        }
        Ok(())
    }

    /// The database may lie inside a data directory. It goes on lying there: its own driver returns it after this.
    fn keep_excepted(&self, directory: &Path, aside: &Path, copy: &Path) -> io::Result<()> {
        for file in self.except {
            let Ok(inside) = file.strip_prefix(directory) else {
                continue;
            };
            let (was, will) = (aside.join(inside), copy.join(inside));
            if was.exists() && !will.exists() {
                let times = parent_times(&will)?;
                durable::rename(&was, &will)?;
                durable::set_times(will.parent().unwrap_or(copy), times)?;
            }
        }
        Ok(())
    }

    fn existing(&self) -> impl Iterator<Item = (usize, &PathBuf)> {
        self.directories
            .iter()
            .enumerate()
            .filter(|(_, directory)| directory.exists())
    }

    /// Bytes in all directories.
    pub fn size(&self) -> u64 {
        let files = self
            .existing()
            .flat_map(|(_, directory)| walkdir::WalkDir::new(directory));
        let lengths = files
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file());
        lengths
            .filter_map(|entry| entry.metadata().ok())
            .map(|metadata| metadata.len())
            .sum()
    }
}

fn parent_times(path: &Path) -> io::Result<std::fs::FileTimes> {
    let metadata = std::fs::metadata(path.parent().unwrap_or(path))?;
    Ok(std::fs::FileTimes::new()
        .set_accessed(metadata.accessed()?)
        .set_modified(metadata.modified()?))
}
