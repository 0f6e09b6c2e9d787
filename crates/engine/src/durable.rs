//! Whatever the engine writes, renames or syncs, it does through here and through [`obnova_release::durable`].

use std::fs::{self, File, FileTimes};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

pub use obnova_release::durable::*;

/// Copies a file to a place where none is: by reflink where the file system can, else byte by byte; with mode, owner and
/// times; synced. After a crash the copy may be partial.
///
/// # Errors
/// The file cannot be read, or the copy not written.
pub fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    copy_unsynced(from, to)?.sync_all()
}

fn copy_unsynced(from: &Path, to: &Path) -> io::Result<File> {
    reflink_copy::reflink_or_copy(from, to)?;
    let metadata = fs::metadata(from)?;
    let copy = fs::OpenOptions::new()
        .write(true)
        .open(to)
        .or_else(|_| File::open(to))?;
    keep_metadata(&metadata, to, &copy)?;
    Ok(copy)
}

/// Gives `to` the owner, permissions and times of `metadata`.
fn keep_metadata(metadata: &fs::Metadata, to: &Path, handle: &File) -> io::Result<()> {
    let made = handle.metadata()?;
    if (made.uid(), made.gid()) != (metadata.uid(), metadata.gid()) {
        chown(to, Some(metadata.uid()), Some(metadata.gid()))?;
    }
    fs::set_permissions(to, fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
    handle.set_times(
        FileTimes::new()
            .set_accessed(metadata.accessed()?)
            .set_modified(metadata.modified()?),
    )
}

/// Copies a tree of files, directories and symbolic links to a place where nothing is, leaving out what `skip` names, with
/// modes, owners and times, and syncs all of it at once: a sync for each of many files takes many times as long. `progress` is
/// told after every file. After a crash the copy may be partial.
///
/// # Errors
/// Something cannot be read or written, or is neither file, directory nor link (a socket is left out).
pub fn copy_tree(
    from: &Path,
    to: &Path,
    skip: &dyn Fn(&Path) -> bool,
    progress: &mut dyn FnMut(u64),
) -> io::Result<()> {
    copy_tree_unsynced(from, to, skip, progress)?;
    Ok(rustix::fs::syncfs(File::open(to)?)?)
}

fn copy_tree_unsynced(
    from: &Path,
    to: &Path,
    skip: &dyn Fn(&Path) -> bool,
    progress: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let metadata = fs::metadata(from)?;
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if skip(&source) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree_unsynced(&source, &target, skip, progress)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_file() {
            copy_unsynced(&source, &target)?;
            progress(entry.metadata()?.len());
        }
    }
    let directory = File::open(to)?;
    // Last, because every file made inside changes the directory's time.
    keep_metadata(&metadata, to, &directory)
}

/// Gives a directory these times.
///
/// # Errors
/// It cannot be opened, or the times not be set.
pub fn set_times(directory: &Path, times: FileTimes) -> io::Result<()> {
    let handle = File::open(directory)?;
    handle.set_times(times)?;
    handle.sync_all()
}
