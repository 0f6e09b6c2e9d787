//! Clones of a directory that share its blocks: they take no time and no room, whatever its size. By a snapshot where it is
//! a subvolume of btrfs, by reflink of each file elsewhere.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::statfs;

use super::failure::Failure;
use super::postmaster::is_alive;
use super::programs;
use crate::durable;

/// statfs(2).
const BTRFS: i64 = 0x9123_683e;
/// The number of every subvolume's own directory.
const SUBVOLUME: u64 = 256;

/// Room that stays free beside a data directory.
const MARGIN: u64 = 64 << 20;

/// How the names of what is only tried begin; the process's number follows.
const TRIAL: &str = "trial-";

/// How a directory is cloned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// A snapshot of a subvolume.
    Snapshot,
    /// A reflink of each file.
    Reflink,
}

impl Means {
    /// What it is, for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Means::Snapshot => "btrfs snapshot",
            Means::Reflink => "reflink of every file",
        }
    }
}

/// Proves by a trial that `data` can be cloned into the directory `beside`.
pub(super) fn prove(data: &Path, beside: &Path) -> Result<Means, Failure> {
    let trial = scratch(beside)?;
    if is_subvolume(data) && programs::in_path("btrfs") {
        let made = clone(data, &trial, Means::Snapshot, &|| true);
        remove(&trial)?;
        return made.map(|()| Means::Snapshot);
    }
    let made = durable::copy_file(&data.join("PG_VERSION"), &trial, &|| true);
    remove(&trial)?;
    match made.map_err(|error| Failure::disk(&trial, error))? {
        durable::Means::Cloned => Ok(Means::Reflink),
        durable::Means::Copied => Err(Failure::Unsuitable(format!(
            "the file system of {} does not clone files",
            data.display()
        ))),
    }
}

/// Refuses to fill the disk that a server works on: what it cannot write brings it down.
pub(super) fn check_room(beside: &Path, needed: u64) -> Result<(), Failure> {
    let needed = needed + needed / 10 + MARGIN;
    let free = crate::files::free(beside).map_err(|error| Failure::disk(beside, error))?;
    match free < needed {
        true => Err(Failure::Unsuitable(format!(
            "a copy in {} needs {needed} bytes, {free} are free",
            beside.display()
        ))),
        false => Ok(()),
    }
}

/// A path for trying something, where nothing is. What processes that have gone left of theirs goes.
pub(super) fn scratch(beside: &Path) -> Result<PathBuf, Failure> {
    let own = std::process::id().to_string();
    for entry in std::fs::read_dir(beside).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(process) = name.strip_prefix(TRIAL)
            && (process == own || !process.parse().is_ok_and(is_alive))
        {
            remove(&entry.path())?;
        }
    }
    Ok(beside.join(format!("{TRIAL}{own}")))
}

/// Clones a directory that nobody writes to; `to` must not exist. Complete and durable when it returns.
pub(super) fn clone(
    from: &Path,
    to: &Path,
    means: Means,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let disk = |error| Failure::disk(to, error);
    match means {
        // On the disk when it is made. Syncing the file system would wait for all that others have written.
        Means::Snapshot => btrfs(&["subvolume", "snapshot"], &[from, to]),
        Means::Reflink => {
            durable::copy_tree(from, to, &|_| false, go_on, &mut |_| ()).map_err(disk)
        }
    }
}

/// Removes a directory that may hold subvolumes, or be one, or be a file; one that is not there is fine.
pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    let disk = |error| Failure::disk(path, error);
    let Ok(metadata) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !metadata.is_dir() {
        return durable::remove_file(path).map_err(disk);
    }
    // Whoever may not delete subvolumes removes what is in them.
    if is_subvolume(path) && btrfs(&["subvolume", "delete"], &[path]).is_ok() {
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(disk)?.flatten() {
        if is_subvolume(&entry.path()) {
            remove(&entry.path())?;
        }
    }
    durable::remove_dir_all(path).map_err(disk)
}

fn is_subvolume(path: &Path) -> bool {
    let is_btrfs = statfs(path).is_ok_and(|it| it.f_type == BTRFS);
    is_btrfs && std::fs::symlink_metadata(path).is_ok_and(|it| it.is_dir() && it.ino() == SUBVOLUME)
}

fn btrfs(words: &[&str], paths: &[&Path]) -> Result<(), Failure> {
    let output = Command::new("btrfs")
        .args(words)
        .args(paths)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::disk(Path::new("btrfs"), error))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Failure::Tool {
            tool: "btrfs".into(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }),
    }
}
