//! Whatever the engine writes, renames or syncs, it does through here and through [`obnova_release::durable`].

mod copies;
mod live;

pub use copies::{Means, copy_entry, copy_file, copy_open_file, copy_start, copy_tree, mirror_tree};
pub use live::{copy_live_tree, shares_blocks};
pub use obnova_release::durable::*;

use std::fs::{File, FileTimes};
use std::io;
use std::path::Path;

/// Gives a directory these times.
///
/// # Errors
/// It cannot be opened, or the times not be set.
pub fn set_times(directory: &Path, times: FileTimes) -> io::Result<()> {
    let handle = File::open(directory)?;
    handle.set_times(times)?;
    handle.sync_all()
}
