//! Reading from the disk on Linux and its like.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::tree::Tree;

/// Whether this tree can be on a disk here.
pub(crate) fn can_hold(_tree: &Tree) -> Result<(), String> {
    Ok(())
}

/// The permission bits, where there are any.
pub(crate) fn mode(metadata: &Metadata) -> Option<u32> {
    Some(metadata.permissions().mode() & 0o777)
}

/// Opens a file for reading without waiting for whoever writes to a pipe.
pub(crate) fn open_at_once(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
        .open(path)
}

/// What something is that is neither file nor directory nor link.
pub(crate) fn kind(kind: FileType) -> &'static str {
    if kind.is_fifo() {
        "pipe"
    } else if kind.is_socket() {
        "socket"
    } else {
        "device"
    }
}

/// A path inside a tree, as trees write it.
pub(crate) fn inside(path: &str) -> String {
    path.to_owned()
}
