//! Room on the disk, taken before it is needed: files without content in `reserved/`, each given back right before the step that
//! needs its room, so that neither another program nor the migration can take it away meanwhile. A small one always lies there
//! and is given up when the disk is full while an update is undone, since the version before needs some room to start.
//!
//! After a crash they lie there until the update is finished or undone, or the next engine finds no open one.

use std::io;
use std::path::{Path, PathBuf};

use crate::api::Problem;
use crate::durable;
use crate::files;
use crate::problem;

const DIRECTORY: &str = "reserved";
/// The piece that always lies there.
const LAST: &str = "last";
/// Its bytes.
const LAST_BYTES: u64 = 8 << 20;
/// So much must be free for it to be made, and below the half of it, it is given up.
const PLENTY: u64 = 64 << 20;

/// The piece that undoing needs.
pub(crate) const UNDO: &str = "undo";

/// Room for one step, by its name.
pub(crate) type Piece = (&'static str, u64);

fn directory(state_dir: &Path) -> PathBuf {
    state_dir.join(DIRECTORY)
}

/// Takes the room; all of it or none. `false` where this file system cannot do that.
///
/// # Errors
/// `disk-space`: there is less than that.
pub(crate) fn take(state_dir: &Path, pieces: &[Piece]) -> Result<bool, Problem> {
    let taken = try_take(state_dir, pieces);
    if !matches!(taken, Ok(true)) {
        give_back_all(state_dir);
    }
    taken.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::FileTooLarge => {
            Problem::new(problem::DISK_SPACE)
                .arg("needed", pieces.iter().map(|(_, bytes)| bytes).sum::<u64>())
                .arg("free", files::free(state_dir).unwrap_or(0))
                .arg("path", state_dir.display())
        }
        _ => Problem::new(problem::SYSTEM)
            .arg("path", directory(state_dir).display())
            .detail(error),
    })
}

fn try_take(state_dir: &Path, pieces: &[Piece]) -> io::Result<bool> {
    let directory = directory(state_dir);
    durable::create_dir_all(&directory)?;
    for (name, bytes) in pieces.iter().filter(|(_, bytes)| *bytes > 0) {
        let piece = directory.join(name);
        durable::remove_file_unsynced(&piece)?;
        if !durable::allocate(&piece, *bytes)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives back the room for a step, which is about to need it.
pub(crate) fn give_back(state_dir: &Path, step: &str) {
    let piece = directory(state_dir).join(step);
    if let Err(error) = durable::remove_file_unsynced(&piece) {
        tracing::warn!(%error, "reserved room could not be given back");
    }
}

/// Gives back all but the piece that always lies there.
pub(crate) fn give_back_all(state_dir: &Path) {
    let entries = std::fs::read_dir(directory(state_dir));
    for entry in entries.into_iter().flatten().flatten() {
        if entry.file_name() != LAST
            && let Err(error) = durable::remove_file_unsynced(&entry.path())
        {
            tracing::warn!(%error, "reserved room could not be given back");
        }
    }
}

/// Gives up the piece that always lies there if the disk is as good as full.
pub(crate) fn give_up_last(state_dir: &Path) {
    if files::free(state_dir).is_ok_and(|free| free < PLENTY / 2) {
        give_back(state_dir, LAST);
    }
}

/// Makes the piece that always lies there, if there is plenty of room and it is not there. Where it cannot be made, undoing on a
/// full disk waits for room as it must.
pub(crate) fn make_last(state_dir: &Path) {
    let last = directory(state_dir).join(LAST);
    if last.exists() || files::free(state_dir).is_ok_and(|free| free < PLENTY) {
        return;
    }
    let made = durable::create_dir_all(&directory(state_dir))
        .and_then(|()| durable::allocate(&last, LAST_BYTES));
    match made {
        Ok(true) => {}
        Ok(false) => tracing::debug!("this file system cannot reserve room"),
        Err(error) => tracing::warn!(%error, "no room could be reserved"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(state_dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(state_dir.join(DIRECTORY)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn room_is_taken_and_given_back_piece_by_piece() {
        let place = tempfile::tempdir().unwrap();
        let state_dir = place.path();
        make_last(state_dir);
        if !take(
            state_dir,
            &[("download", 4 << 20), (UNDO, 1 << 20), ("none", 0)],
        )
        .unwrap()
        {
            // This file system cannot.
            return;
        }
        assert_eq!(pieces(state_dir), ["download", "last", "undo"]);
        let blocks = std::os::unix::fs::MetadataExt::blocks(
            &std::fs::metadata(state_dir.join(DIRECTORY).join("download")).unwrap(),
        );
        assert!(blocks * 512 >= 4 << 20, "only {blocks} blocks are taken");
        give_back(state_dir, "download");
        give_back(state_dir, "migrate");
        assert_eq!(pieces(state_dir), ["last", "undo"]);
        give_back_all(state_dir);
        assert_eq!(pieces(state_dir), ["last"]);
    }

    #[test]
    fn more_than_there_is_cannot_be_taken_and_nothing_of_it_stays() {
        let place = tempfile::tempdir().unwrap();
        let taken = take(place.path(), &[("download", 4096), (UNDO, 1 << 50)]);
        if let Err(problem) = taken {
            assert_eq!(problem.code, problem::DISK_SPACE);
        }
        assert_eq!(pieces(place.path()), [""; 0]);
    }
}
