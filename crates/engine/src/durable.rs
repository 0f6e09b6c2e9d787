//! Whatever the engine writes, renames or syncs, it does through here and through [`obnova_release::durable`].

mod copies;
mod live;
mod parallel;

pub use copies::{
    Means, copy_entry, copy_file, copy_open_file, copy_start, copy_tree, mirror_tree,
};
pub use live::{copy_live_tree, shares_blocks};
pub use obnova_release::durable::*;

use std::fs::{File, FileTimes};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Gives a directory these times.
///
/// # Errors
/// It cannot be opened, or the times not be set.
pub fn set_times(directory: &Path, times: FileTimes) -> io::Result<()> {
    let handle = File::open(directory)?;
    act(Kind::Attributes, directory, || handle.set_times(times))?;
    act(Kind::Sync, directory, || handle.sync_all())
}

/// Makes a file that takes so many bytes of disk without holding anything; unsynced. `false`, and no file, where the file system
/// cannot do that.
///
/// # Errors
/// There is no room, or the file exists.
pub fn allocate(path: &Path, bytes: u64) -> io::Result<bool> {
    use rustix::fs::{FallocateFlags, fallocate};
    let file = opening(path, || {
        File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
    })?;
    match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(true),
        Err(error) => {
            remove_file_unsynced(path)?;
            match error {
                rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS => Ok(false),
                other => Err(other.into()),
            }
        }
    }
}
