//! What [`super`] asks of Linux and its like.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// A file that is made gets these permission bits.
pub(super) fn with_mode(options: &mut OpenOptions, mode: u32) -> &mut OpenOptions {
    options.mode(mode)
}

pub(super) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode & 0o7777))
}

pub(super) fn set_mode_of(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode & 0o7777))
}

/// Nobody can stand in the way of a change here for a moment only.
pub(super) fn patiently<T>(mut change: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    change()
}

pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems cannot promise it; looking first is all that is left then.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            if fs::symlink_metadata(to).is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(from, to)
        }
        other => Ok(other?),
    }
}

pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

pub(super) fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

pub(super) fn sync_attributes(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The whole file system that the directory is in: one call instead of thousands.
pub(super) fn sync_all_of(directory: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(directory)?)?)
}

/// Cuts an open file.
pub(super) fn set_length(file: &File, _path: &Path, length: u64) -> io::Result<()> {
    file.set_len(length)
}

pub(super) fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// Lets everything in a directory be removed.
pub(super) fn make_writable(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_dir() {
        let mode = metadata.permissions().mode() | 0o700;
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        for entry in fs::read_dir(path)? {
            make_writable(&entry?.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{
        create_dir_all, read_limited, remove_dir_all, remove_file, symlink_swap, write,
    };
    use super::*;

    #[test]
    fn a_link_is_swapped_without_being_away() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("current");
        symlink_swap(&link, Path::new("versions/1")).unwrap();
        symlink_swap(&link, Path::new("versions/2")).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("versions/2"));
    }

    #[test]
    fn a_directory_with_read_only_ones_inside_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        create_dir_all(&inner).unwrap();
        fs::write(inner.join("file"), b"x").unwrap();
        fs::set_permissions(&inner, fs::Permissions::from_mode(0o555)).unwrap();
        remove_dir_all(&directory.path().join("a")).unwrap();
        remove_dir_all(&directory.path().join("a")).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_somebody_has_open_is_replaced_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pointer.json");
        write(&path, b"old", 0o600).unwrap();
        let reader = File::open(&path).unwrap();
        write(&path, b"new", 0o600).unwrap();
        assert_eq!(read_limited(&path, 10).unwrap(), b"new");
        drop(reader);
        remove_file(&path).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
