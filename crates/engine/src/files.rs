//! Data directories: copied to a safe place, by reflink where the file system can, and returned by renaming.
//!
//! A protected directory is returned whole: the directory as the update left it is moved aside, the copy takes its place.
//! Both moves are renames in one file system, so each is old or new whatever happens between. Where they are not possible,
//! because the directory lies in another file system, or another one lies in it, its content is made what the copy's is.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::durable;

/// Written last into a copy: it is complete. Holds the [`Place`]s.
const COMPLETE: &str = "complete";

/// Bytes of disk below which nothing is kept that need not be.
const LITTLE: u64 = 64 << 20;

/// Data directories and what in them is somebody else's to protect.
pub struct Files<'a> {
    /// The directories.
    pub directories: &'a [PathBuf],
    /// Files inside them that the database driver takes care of.
    pub except: &'a [PathBuf],
}

/// Where a directory really lies, whatever links lead there, and whether there was one.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    directory: PathBuf,
    existed: bool,
}

impl Place {
    fn of(directory: &Path) -> Place {
        let found = std::fs::canonicalize(directory);
        Place {
            existed: found.is_ok(),
            directory: found.unwrap_or_else(|_| directory.to_owned()),
        }
    }
}

impl Files<'_> {
    /// Copies all directories into `to`, complete and durable when it returns; says how many files and bytes. Whatever lies in
    /// `to` is of another update.
    ///
    /// # Errors
    /// Something cannot be read or copied, or `go_on` said no; the directories themselves are untouched.
    pub fn protect(
        &self,
        to: &Path,
        go_on: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> io::Result<(u64, u64)> {
        // First: nobody may take a copy that is half removed for a complete one.
        durable::remove_file(&to.join(COMPLETE))?;
        durable::remove_dir_all(to)?;
        durable::create_dir_all(to)?;
        let (mut files, mut bytes) = (0, 0);
        let places: Vec<Place> = self.directories.iter().map(|it| Place::of(it)).collect();
        for (number, place) in places.iter().enumerate().filter(|(_, it)| it.existed) {
            let copy = to.join(number.to_string());
            let mut count = |length| {
                files += 1;
                bytes += length;
                progress(files, bytes);
            };
            durable::copy_tree(&place.directory, &copy, &self.skip(), go_on, &mut count)?;
        }
        durable::sync_dir(to)?;
        durable::write(&to.join(COMPLETE), &serde_json::to_vec(&places)?, 0o600)?;
        Ok((files, bytes))
    }

    /// Makes of a complete copy another one that [`Files::restore`] may use up; says how many files and bytes.
    ///
    /// # Errors
    /// As [`Files::protect`]; the copy is untouched.
    pub fn copy_protected(
        &self,
        from: &Path,
        to: &Path,
        go_on: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> io::Result<(u64, u64)> {
        let complete = std::fs::read(from.join(COMPLETE))?;
        let places: Vec<Place> = serde_json::from_slice(&complete)?;
        let moved = |(place, now): (&Place, &PathBuf)| {
            place.existed && place.directory != Place::of(now).directory
        };
        let mut both = places.iter().zip(self.directories);
        if places.len() != self.directories.len() || both.any(moved) {
            return Err(io::Error::other(
                "the data directories are not where they were when this copy was made",
            ));
        }
        durable::remove_dir_all(to)?;
        durable::create_dir_all(to)?;
        let (mut files, mut bytes) = (0, 0);
        let mut count = |length| {
            files += 1;
            bytes += length;
            progress(files, bytes);
        };
        for (number, _) in places.iter().enumerate().filter(|(_, it)| it.existed) {
            let name = number.to_string();
            durable::copy_tree(
                &from.join(&name),
                &to.join(&name),
                &|_| false,
                go_on,
                &mut count,
            )?;
        }
        durable::sync_dir(to)?;
        durable::write(&to.join(COMPLETE), &complete, 0o600)?;
        Ok((files, bytes))
    }

    /// Returns all directories to the copies in `from`. Where those never were complete, nothing was touched, and nothing is done.
    /// Repeatable: a copy is used up by the rename that puts it into place, or only read.
    ///
    /// # Errors
    /// A directory cannot be moved or written; to be tried again.
    pub fn restore(&self, from: &Path) -> io::Result<()> {
        let complete = from.join(COMPLETE);
        if !complete.exists() {
            return Ok(());
        }
        let places: Vec<Place> = serde_json::from_slice(&std::fs::read(complete)?)?;
        for (number, place) in places.iter().enumerate() {
            let copy = from.join(number.to_string());
            if !place.existed {
                // The update made it.
                durable::remove_dir_all(&place.directory)?;
            } else if copy.exists() && !self.swap(place, &copy, from, number)? {
                durable::mirror_tree(&copy, &place.directory, &self.skip())?;
            }
        }
        Ok(())
    }

    fn skip(&self) -> impl Fn(&Path) -> bool {
        |path: &Path| self.except.iter().any(|file| file == path)
    }

    /// Puts the copy into place by renaming; `false` when that is not possible here.
    fn swap(&self, place: &Place, copy: &Path, from: &Path, number: usize) -> io::Result<bool> {
        let directory = &place.directory;
        let aside = from.join(format!("discarded-{number}"));
        if holds_mounts(directory)? {
            return Ok(false);
        }
        if !aside.exists() && directory.exists() && !renamed(directory, &aside)? {
            return Ok(false);
        }
        self.keep_excepted(directory, &aside, copy)?;
        let done = renamed(copy, directory)?;
        // What the update left goes with the copies in the end; at once if it is what fills the disk, since the journal and
        // the version before need some of it to go on.
        if done && free(from)? < LITTLE {
            durable::remove_dir_all(&aside)?;
        }
        Ok(done)
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

    /// Bytes in all directories.
    pub fn size(&self) -> u64 {
        self.measure().1
    }

    /// How many files there are in all directories, and their bytes.
    pub fn measure(&self) -> (u64, u64) {
        self.directories
            .iter()
            .map(|it| measure(it))
            .fold((0, 0), |(files, bytes), (more, longer)| {
                (files + more, bytes + longer)
            })
    }
}

/// Bytes of all files in a directory; those that share blocks count each.
pub(crate) fn size(directory: &Path) -> u64 {
    measure(directory).1
}

fn measure(directory: &Path) -> (u64, u64) {
    // A link at its beginning is followed, as it leads to where the data lies; what is not there has no bytes.
    let directory = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let files = walkdir::WalkDir::new(directory)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file());
    files
        .filter_map(|entry| entry.metadata().ok())
        .fold((0, 0), |(files, bytes), it| (files + 1, bytes + it.len()))
}

/// Whether a file system is mounted on the directory or somewhere in it: renaming would take it along.
fn holds_mounts(directory: &Path) -> io::Result<bool> {
    // proc(5): the fifth field, with blanks written as \040.
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    let mut points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    Ok(points.any(|point| Path::new(&point.replace("\\040", " ")).starts_with(directory)))
}

/// Bytes of disk that are free.
pub(crate) fn free(directory: &Path) -> io::Result<u64> {
    let system = rustix::fs::statvfs(directory)?;
    Ok(system.f_bavail * system.f_frsize)
}

/// Renames; `false` when source and target lie in different file systems.
fn renamed(from: &Path, to: &Path) -> io::Result<bool> {
    use io::ErrorKind::{CrossesDevices, ResourceBusy};
    match durable::rename(from, to) {
        Ok(()) => Ok(true),
        Err(error) if [CrossesDevices, ResourceBusy].contains(&error.kind()) => Ok(false),
        Err(error) => Err(error),
    }
}

fn parent_times(path: &Path) -> io::Result<std::fs::FileTimes> {
    let metadata = std::fs::metadata(path.parent().unwrap_or(path))?;
    Ok(std::fs::FileTimes::new()
        .set_accessed(metadata.accessed()?)
        .set_modified(metadata.modified()?))
}

#[cfg(test)]
mod tests;
