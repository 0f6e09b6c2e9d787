//! Reading from the disk on Windows.

use std::fs::{File, FileType, Metadata};
use std::io;
use std::path::Path;

use crate::tree::Tree;

/// Whether this tree can be on a disk here.
pub(crate) fn can_hold(tree: &Tree) -> Result<(), String> {
    tree.check_for_windows()
}

/// There are none: what may be started is told by its name, and who may read it by the directory's access list.
pub(crate) fn mode(_metadata: &Metadata) -> Option<u32> {
    None
}

/// Pipes are not among the files here.
pub(crate) fn open_at_once(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// What something is that is neither file nor directory nor link.
pub(crate) fn kind(_kind: FileType) -> &'static str {
    "reparse point"
}

/// A path inside a tree, as trees write it.
pub(crate) fn inside(path: &str) -> String {
    path.replace('\\', "/")
}
