//! What [`super`] asks of Windows. Permission bits mean nothing there and are ignored: who may do what comes down from the
//! directory that an installer has chosen.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

const ERROR_INVALID_FUNCTION: i32 = 1;
const ERROR_ACCESS_DENIED: i32 = 5;
const ERROR_INVALID_HANDLE: i32 = 6;
const ERROR_SHARING_VIOLATION: i32 = 32;
const ERROR_LOCK_VIOLATION: i32 = 33;
const ERROR_NOT_SUPPORTED: i32 = 50;
/// Without it a directory cannot be opened.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;

/// How long somebody may stand in the way: virus scanners and search indexes open files that have just been written, for moments.
const PATIENCE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

pub(super) fn with_mode(options: &mut OpenOptions, _mode: u32) -> &mut OpenOptions {
    options
}

pub(super) fn set_mode(_file: &File, _mode: u32) -> io::Result<()> {
    Ok(())
}

pub(super) fn set_mode_of(_path: &Path, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// Tries again while somebody else has the file or directory open, but not for ever.
pub(super) fn patiently<T>(mut change: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let until = Instant::now() + PATIENCE;
    let mut pause = FIRST_PAUSE;
    loop {
        match change() {
            Err(error) if is_in_use(&error) && Instant::now() < until => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            other => return other,
        }
    }
}

/// A file that is open is refused as one that may not be touched; the two cannot be told apart.
fn is_in_use(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(ERROR_ACCESS_DENIED | ERROR_SHARING_VIOLATION | ERROR_LOCK_VIOLATION)
    )
}

/// There is no such promise without calling Windows itself. Whoever needs it has a lock on the directory as well.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

pub(super) fn exchange(_one: &Path, _other: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// NTFS writes names to its log, in their order, and flushing the directory makes that durable. Where it cannot be asked for
/// (other file systems, no right to it), the order is what is left.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(path);
    match opened.and_then(|directory| directory.sync_all()) {
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(
                    ERROR_INVALID_FUNCTION
                        | ERROR_ACCESS_DENIED
                        | ERROR_INVALID_HANDLE
                        | ERROR_SHARING_VIOLATION
                        | ERROR_NOT_SUPPORTED
                )
            ) =>
        {
            Ok(())
        }
        other => other,
    }
}

/// Only whoever may write to a file may have it flushed.
pub(super) fn sync_file(path: &Path) -> io::Result<()> {
    patiently(|| OpenOptions::new().write(true).open(path))?.sync_all()
}

/// None are set.
pub(super) fn sync_attributes(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Flushing a whole volume is for administrators, so each file has its turn.
pub(super) fn sync_all_of(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => sync_all_of(&entry.path())?,
            false => sync_file(&entry.path())?,
        }
    }
    sync_dir(directory)
}

/// A file that is open for appending cannot be cut here.
pub(super) fn set_length(_file: &File, path: &Path, length: u64) -> io::Result<()> {
    let file = patiently(|| OpenOptions::new().write(true).open(path))?;
    file.set_len(length)
}

/// For administrators and developers only, and nothing that a Desktop may have (see `tree::windows`).
pub(super) fn symlink(_target: &Path, _link: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Lets everything in a directory be removed.
pub(super) fn make_writable(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    let mut permissions = metadata.permissions();
    if permissions.readonly() {
        // On Windows an attribute of this one file, and nothing about who may write to it.
        #[allow(clippy::permissions_set_readonly_false)]
        permissions.set_readonly(false);
        fs::set_permissions(path, permissions)?;
    }
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            make_writable(&entry?.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{read_limited, remove_dir_all, write};
    use super::*;

    /// Opens a file as virus scanners do, so that nobody else may do anything with it, and lets it go after a moment.
    fn scanned(path: &Path, moment: Duration) -> std::thread::JoinHandle<()> {
        let scanner = OpenOptions::new().read(true).share_mode(0).open(path);
        let scanner = scanner.unwrap();
        std::thread::spawn(move || {
            std::thread::sleep(moment);
            drop(scanner);
        })
    }

    #[test]
    fn a_file_that_a_scanner_holds_for_a_moment_is_replaced_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pointer.json");
        write(&path, b"old", 0o600).unwrap();
        let scanner = scanned(&path, Duration::from_millis(700));
        write(&path, b"new", 0o600).unwrap();
        assert!(scanner.is_finished(), "it was not in the way");
        let scanner = scanned(&path, Duration::from_millis(700));
        assert_eq!(read_limited(&path, 10).unwrap(), b"new");
        assert!(scanner.is_finished(), "it was not in the way");
    }

    #[test]
    fn a_file_that_somebody_keeps_open_is_given_up_and_stays_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pointer.json");
        write(&path, b"old", 0o600).unwrap();
        let scanner = scanned(&path, PATIENCE + Duration::from_secs(3));
        let error = write(&path, b"new", 0o600).unwrap_err();
        assert!(error.to_string().contains("pointer.json"), "{error}");
        scanner.join().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_with_read_only_files_inside_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a\\b");
        fs::create_dir_all(&inner).unwrap();
        let file = inner.join("file");
        fs::write(&file, b"x").unwrap();
        let mut permissions = fs::metadata(&file).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&file, permissions).unwrap();
        remove_dir_all(&directory.path().join("a")).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
