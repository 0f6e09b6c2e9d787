//! Changes to the disk that survive a power cut: the only file of the workspace that may write, rename or fsync.
//!
//! Every function returns only when what it did is on the disk, and leaves either the old or the new state behind when
//! the machine dies inside it. Errors name the path.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

mod observer;
#[cfg_attr(unix, path = "durable/unix.rs")]
#[cfg_attr(windows, path = "durable/windows.rs")]
mod system;

use observer::or_late;
pub use observer::{Act, Kind, Observer, Verdict, act, observe, opening};

/// How the temporary files of an interrupted [`write`] begin; they may be removed by anybody who holds the directory.
pub const TEMPORARY_PREFIX: &str = ".obnova-tmp-";

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Replaces the file at `path` by one with these bytes and permission bits, wholly or not at all.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = temporary_beside(path)?;
    let result = write_new(&temporary, bytes, mode).and_then(|()| {
        rename_unsynced(&temporary, path)?;
        sync_parent(path)
    });
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// Makes a file that must not exist yet, with these bytes and permission bits, and syncs the file but not its directory.
///
/// For many files in one new directory: call [`sync_dir`] once after the last of them.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = create_new(path, mode)?;
    file.write_all(bytes)?;
    file.finish()
}

/// Opens a file that must not exist yet, for writing in pieces. The `umask` does not weaken `mode`.
pub fn create_new(path: &Path, mode: u32) -> io::Result<NewFile> {
    let file = opening(path, || {
        system::with_mode(&mut OpenOptions::new(), 0o600)
            .write(true)
            .create_new(true)
            .open(path)
    })
    .map_err(|error| at(path, error))?;
    Ok(NewFile {
        file,
        path: path.to_owned(),
        mode,
    })
}

/// A file being written; nothing of it counts before [`NewFile::finish`].
#[derive(Debug)]
pub struct NewFile {
    file: File,
    path: PathBuf,
    mode: u32,
}

impl NewFile {
    /// Sets the permission bits and syncs the content.
    pub fn finish(self) -> io::Result<()> {
        system::set_mode(&self.file, self.mode)
            .and_then(|()| act(Kind::Sync, &self.path, || self.file.sync_all()))
            .map_err(|error| at(&self.path, error))
    }

    /// Sets the permission bits without syncing: for many files that one [`sync_file_system`] makes durable together.
    pub fn finish_unsynced(self) -> io::Result<()> {
        system::set_mode(&self.file, self.mode).map_err(|error| at(&self.path, error))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file
            .write(bytes)
            .map_err(|error| at(&self.path, error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|error| at(&self.path, error))
    }
}

/// Moves a file or directory within one file system, replacing a file (or an empty directory) at `to`, and syncs both
/// parent directories.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    rename_unsynced(from, to)?;
    sync_parent(to)?;
    if from.parent() != to.parent() {
        sync_parent(from)?;
    }
    Ok(())
}

/// Moves a file within one file system, replacing one at `to`; not synced.
pub fn rename_unsynced(from: &Path, to: &Path) -> io::Result<()> {
    act(Kind::Rename, to, || {
        system::patiently(|| fs::rename(from, to))
    })
    .map_err(|error| at(to, error))
}

/// Moves a file or directory to a name that must be free: never replaces anything.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    act(Kind::Rename, to, || {
        system::patiently(|| system::rename_new(from, to))
    })
    .map_err(|error| at(to, error))?;
    sync_parent(to)?;
    if from.parent() != to.parent() {
        sync_parent(from)?;
    }
    Ok(())
}

/// Syncs a directory: the names in it, not the content of its files.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    act(Kind::Sync, path, || system::sync_dir(path)).map_err(|error| at(path, error))
}

/// Syncs all that is in the directory `path`: on Linux the whole file system that it is in, with one call instead of thousands.
pub fn sync_file_system(path: &Path) -> io::Result<()> {
    act(Kind::Sync, path, || system::sync_all_of(path)).map_err(|error| at(path, error))
}

/// Syncs the content and attributes of an existing file.
pub fn sync_file(path: &Path) -> io::Result<()> {
    act(Kind::Sync, path, || system::sync_file(path)).map_err(|error| at(path, error))
}

/// Makes a directory and all that is missing above it, and syncs each new name. An existing one is left as it is.
pub fn create_dir_all(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        create_dir_all(parent)?;
    }
    match act(Kind::Directory, path, || fs::create_dir(path)) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(at(path, error)),
    }
}

/// Makes a directory whose parent exists, unless it exists; not synced.
pub fn create_dir_unsynced(path: &Path) -> io::Result<()> {
    match act(Kind::Directory, path, || fs::create_dir(path)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(at(path, error)),
        _ => Ok(()),
    }
}

/// Removes a file that may be there; not synced.
pub fn remove_file_unsynced(path: &Path) -> io::Result<()> {
    match act(Kind::Remove, path, || {
        system::patiently(|| fs::remove_file(path))
    }) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path, error)),
        _ => Ok(()),
    }
}

/// Removes a directory with all in it, also one with read-only directories inside; one that is not there is fine.
///
/// Not atomic: rename it to a name nobody uses first, if anybody could take half of it for the whole.
pub fn remove_dir_all(path: &Path) -> io::Result<()> {
    let remove = || match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            system::make_writable(path)?;
            system::patiently(|| fs::remove_dir_all(path))
        }
        other => other,
    };
    match act(Kind::Remove, path, remove) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(at(path, error)),
        Ok(()) => sync_parent(path),
    }
}

/// Removes a file or symbolic link; one that is not there is fine.
pub fn remove_file(path: &Path) -> io::Result<()> {
    match act(Kind::Remove, path, || {
        system::patiently(|| fs::remove_file(path))
    }) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(at(path, error)),
        Ok(()) => sync_parent(path),
    }
}

/// Makes `link` a symbolic link to `target`; a link already there is replaced in one instant, so there always is one.
pub fn symlink_swap(link: &Path, target: &Path) -> io::Result<()> {
    let temporary = temporary_beside(link)?;
    symlink(&temporary, target)?;
    let result = rename_unsynced(&temporary, link).and_then(|()| sync_parent(link));
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// Makes a symbolic link where nothing is yet; not synced.
pub fn symlink(link: &Path, target: &Path) -> io::Result<()> {
    act(Kind::Link, link, || system::symlink(target, link)).map_err(|error| at(link, error))
}

/// Makes `to`, which must not exist, a copy of the file `from`, sharing its blocks where the file system can; not synced.
pub fn copy_unsynced(from: &Path, to: &Path, mode: u32) -> io::Result<()> {
    act(Kind::Copy, to, || {
        reflink_copy::reflink_or_copy(from, to)?;
        system::set_mode_of(to, mode)
    })
    .map_err(|error| at(to, error))
}

/// Gives the file `from` the second name `to`, or makes a copy where that cannot be: for files that nobody changes; not synced.
pub fn link_or_copy_unsynced(from: &Path, to: &Path) -> io::Result<()> {
    let linked = act(Kind::Link, to, || fs::hard_link(from, to));
    match linked {
        Ok(()) => Ok(()),
        Err(_) => copy_unsynced(from, to, 0o644),
    }
}

/// Removes what interrupted [`write`]s have left in a directory that nobody else writes to now.
pub fn remove_temporaries(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory).map_err(|error| at(directory, error))? {
        let entry = entry.map_err(|error| at(directory, error))?;
        let is_temporary = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.starts_with(TEMPORARY_PREFIX));
        if is_temporary {
            remove_file_unsynced(&entry.path())?;
        }
    }
    Ok(())
}

/// Exchanges two directories or files of one file system in one instant and syncs both parent directories. Some file
/// systems cannot: then the error is of kind `InvalidInput` or `Unsupported` and nothing was done.
pub fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    act(Kind::Rename, other, || system::exchange(one, other)).map_err(|error| at(other, error))?;
    sync_parent(one)?;
    sync_parent(other)
}

/// Sets the permission bits of an existing file or directory; not synced.
pub fn set_mode_unsynced(path: &Path, mode: u32) -> io::Result<()> {
    act(Kind::Attributes, path, || system::set_mode_of(path, mode)).map_err(|error| at(path, error))
}

/// Sets the permission bits of an existing file or directory, which its owner may read after it, and syncs it.
pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    set_mode_unsynced(path, mode)?;
    act(Kind::Sync, path, || system::sync_attributes(path)).map_err(|error| at(path, error))
}

/// A file that only grows, such as a journal.
#[derive(Debug)]
pub struct Append {
    file: File,
    path: PathBuf,
    /// What an observer wanted to be late.
    late: Vec<u8>,
}

impl Append {
    /// Opens the file for appending; makes it with these permission bits when it is not there.
    pub fn open(path: &Path, mode: u32) -> io::Result<Self> {
        let existed = path.exists();
        let file = opening(path, || {
            system::with_mode(&mut OpenOptions::new(), mode)
                .read(true)
                .append(true)
                .create(true)
                .open(path)
        })
        .map_err(|error| at(path, error))?;
        if !existed {
            act(Kind::Sync, path, || file.sync_all()).map_err(|error| at(path, error))?;
            sync_parent(path)?;
        }
        Ok(Self {
            file,
            path: path.to_owned(),
            late: Vec::new(),
        })
    }

    /// Adds the bytes and returns when they are on the disk.
    ///
    /// After an error the end of the file is unknown: part of the bytes may be there. Read it again, [`Append::truncate`],
    /// and do not go on as if nothing had happened.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let late = std::mem::take(&mut self.late);
        let (mut file, path) = (&self.file, &self.path);
        let is_late = or_late(Kind::Append, path, || {
            file.write_all(&late)?;
            file.write_all(bytes)?;
            act(Kind::Sync, path, || file.sync_data())
        })
        .map_err(|error| at(path, error))?;
        if is_late {
            self.file
                .write_all(&late)
                .map_err(|error| at(&self.path, error))?;
            self.late = bytes.to_owned();
        }
        Ok(())
    }

    /// Cuts the file to `length` bytes: a torn tail is taken off this way.
    pub fn truncate(&mut self, length: u64) -> io::Result<()> {
        let (file, path) = (&self.file, &self.path);
        act(Kind::Truncate, path, || {
            system::set_length(file, path, length)
        })
        .and_then(|()| act(Kind::Sync, path, || file.sync_all()))
        .map_err(|error| at(path, error))
    }

    /// The length in bytes.
    pub fn length(&self) -> io::Result<u64> {
        self.file
            .metadata()
            .map(|metadata| metadata.len())
            .map_err(|error| at(&self.path, error))
    }
}

/// A file that is filled in pieces over several runs; what is in it is worth nothing before its digest was checked, so
/// nothing is synced.
#[derive(Debug)]
pub struct Partial {
    file: File,
    path: PathBuf,
}

impl Partial {
    /// Opens or makes the file; the next piece goes to its end.
    pub fn open(path: &Path) -> io::Result<Self> {
        opening(path, || {
            system::with_mode(&mut OpenOptions::new(), 0o600)
                .read(true)
                .append(true)
                .create(true)
                .open(path)
        })
        .map(|file| Self {
            file,
            path: path.to_owned(),
        })
        .map_err(|error| at(path, error))
    }

    /// Adds a piece.
    pub fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file
            .write_all(bytes)
            .map_err(|error| at(&self.path, error))
    }

    /// Throws away what is in it.
    pub fn clear(&mut self) -> io::Result<()> {
        system::set_length(&self.file, &self.path, 0).map_err(|error| at(&self.path, error))
    }
}

/// A lock on a file, given back when dropped or when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock or says at once (`WouldBlock`) that somebody else has it.
    pub fn try_take(path: &Path) -> io::Result<Self> {
        let file = Self::open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(at(
                path,
                io::Error::new(io::ErrorKind::WouldBlock, "in use by another process"),
            )),
            Err(fs::TryLockError::Error(error)) => Err(at(path, error)),
        }
    }

    /// Waits for the lock.
    pub fn take(path: &Path) -> io::Result<Self> {
        let file = Self::open(path)?;
        file.lock().map_err(|error| at(path, error))?;
        Ok(Self { _file: file })
    }

    fn open(path: &Path) -> io::Result<File> {
        system::with_mode(&mut OpenOptions::new(), 0o600)
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| at(path, error))
    }
}

/// Reads a whole file of at most `limit` bytes; a longer one is an error of kind `FileTooLarge`.
pub fn read_limited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = system::patiently(|| File::open(path)).map_err(|error| at(path, error))?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| at(path, error))?;
    if bytes.len() as u64 > limit {
        return Err(at(
            path,
            io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("longer than {limit} bytes"),
            ),
        ));
    }
    Ok(bytes)
}

fn temporary_beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| {
        at(
            path,
            io::Error::new(io::ErrorKind::InvalidInput, "is not a file's path"),
        )
    })?;
    let mut temporary = std::ffi::OsString::from(TEMPORARY_PREFIX);
    // A process that died may have had this number: its left-over is overwritten by nobody, so the time is in the name.
    let nanoseconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    temporary.push(format!(
        "{}-{}-{nanoseconds:x}-",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    ));
    temporary.push(name);
    Ok(path.with_file_name(temporary))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_dir(parent),
        _ => sync_dir(Path::new(".")),
    }
}

fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
