//! Copies of trees that somebody works with meanwhile: good enough to try something on, and nothing to go back to.

use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::ioctl_ficlone;

use super::copies::keep_metadata;
use super::{copy_entry, remove_dir_all, remove_file_unsynced};

/// How often a file is copied again that changes while it is.
const TRIES: u32 = 5;

/// Copies a tree to a place where nothing is, leaving out what `skip` names, sockets, and what vanishes meanwhile. Not synced, so
/// that it stands in nobody's way. `progress` is told the length of every file.
///
/// # Errors
/// Something cannot be read or written, or is a device.
pub fn copy_live_tree(
    from: &Path,
    to: &Path,
    skip: &dyn Fn(&Path) -> bool,
    progress: &mut dyn FnMut(u64),
) -> io::Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if skip(&source) {
            continue;
        }
        let Some(metadata) = unless_gone(fs::symlink_metadata(&source))? else {
            continue;
        };
        if metadata.is_dir() {
            let copied = copy_live_tree(&source, &target, skip, progress);
            if unless_gone(copied)?.is_none() {
                remove_dir_all(&target)?;
            }
        } else if copy_one(&source, &target)? {
            progress(metadata.len());
        }
    }
    // Last, because every file made inside changes the directory's time.
    keep_metadata(&fs::metadata(from)?, from, to)
}

/// `false` when it has vanished.
fn copy_one(from: &Path, to: &Path) -> io::Result<bool> {
    let mut tries = 1;
    loop {
        match unless_gone(copy_entry(from, to, &|| true)) {
            // Somebody has made it shorter meanwhile.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && tries < TRIES => {
                tries += 1;
                remove_file_unsynced(to)?;
            }
            Ok(None) => {
                remove_file_unsynced(to)?;
                return Ok(false);
            }
            other => return other.map(|_| true),
        }
    }
}

fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether files of this directory can share their blocks. Tried with two small ones.
pub fn shares_blocks(directory: &Path) -> bool {
    let (one, other) = (directory.join(".share-1"), directory.join(".share-2"));
    let shared = || -> io::Result<()> {
        use std::io::Write;
        let mut from = fs::File::options()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(&one)?;
        from.write_all(&[1; 1 << 16])?;
        let to = fs::File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&other)?;
        Ok(ioctl_ficlone(&to, &from)?)
    };
    let is_shared = shared().is_ok();
    // Two that stay are nothing to speak of, and go with the directory.
    let _ = remove_file_unsynced(&one);
    let _ = remove_file_unsynced(&other);
    is_shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_copied_without_what_is_skipped_and_with_its_times() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::create_dir_all(from.join("inside")).unwrap();
        fs::write(from.join("inside/one"), "1").unwrap();
        fs::write(from.join("two"), "22").unwrap();
        let mut bytes = 0;
        let skip = |path: &Path| path.ends_with("two");
        copy_live_tree(&from, &to, &skip, &mut |length| bytes += length).unwrap();
        assert_eq!(bytes, 1);
        assert!(!to.join("two").exists());
        let time = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        assert_eq!(fs::read(to.join("inside/one")).unwrap(), b"1");
        assert_eq!(time(&from.join("inside")), time(&to.join("inside")));
    }

    #[test]
    fn what_vanishes_meanwhile_is_no_failure() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!copy_one(&dir.path().join("gone"), &dir.path().join("copy")).unwrap());
        assert!(!dir.path().join("copy").exists());
    }
}
