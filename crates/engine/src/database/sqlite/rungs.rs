//! The two ways to protect a SQLite file, tried here, and what may be done with it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Instant;

use super::online::HANDLES;
use super::{is_wal, members};
use crate::api::RungFacts;
use crate::durable::{self, Means};

/// Bytes that a trial copies at most.
const TRIAL: u64 = 64 << 20;

/// Where a trial's copy lies: in the state directory, on the same file system as the protected copies. One that is left by a
/// crash goes at the next start.
fn place(state_dir: &Path, what: &str) -> PathBuf {
    state_dir.join(format!("{}trial-{what}", durable::TEMPORARY_PREFIX))
}

/// Clones the file and removes the clone: how many milliseconds that took, or why it cannot be done.
fn clone(file: &Path, state_dir: &Path) -> Result<u64, String> {
    let copy = place(state_dir, "clone");
    let began = Instant::now();
    let tried = (|| -> io::Result<Means> {
        durable::remove_file(&copy)?;
        let source = File::open(file)?;
        // Not one byte is copied: either the file system does it, or this is the answer.
        let means = durable::copy_open_file(&source, &copy, &|| false)?;
        durable::sync_dir(state_dir)?;
        Ok(means)
    })();
    let took = millis(began);
    let removed = durable::remove_file(&copy);
    match tried.and_then(|means| removed.map(|()| means)) {
        Ok(Means::Cloned) => Ok(took),
        Ok(Means::Copied) => Err("there is nothing to clone yet".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(format!(
            "files of {} cannot be cloned to {}: not one file system, or not one that can (XFS, btrfs)",
            file.display(),
            state_dir.display()
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// How a copy would be made here.
pub(super) fn means(file: &Path, state_dir: &Path) -> Means {
    let _handles = HANDLES.lock().unwrap_or_else(PoisonError::into_inner);
    match clone(file, state_dir) {
        Ok(_) => Means::Cloned,
        Err(_) => Means::Copied,
    }
}

/// See [`crate::database::Database::rungs`].
pub(super) fn facts(file: &Path, state_dir: &Path, size: u64, measure: bool) -> Vec<RungFacts> {
    let _handles = HANDLES.lock().unwrap_or_else(PoisonError::into_inner);
    let cloned = clone(file, state_dir);
    let copied = match measure {
        true => copy(file, state_dir).map(Some),
        false => Ok(None),
    };
    let milliseconds = cloned.as_ref().ok().copied().filter(|_| measure);
    let clone = RungFacts {
        rung: "reflink".to_owned(),
        why_not: cloned.clone().err(),
        chosen: cloned.is_ok(),
        protect_ms: milliseconds,
        restore_ms: milliseconds,
        disk_bytes: cloned.is_ok().then_some(0),
        measured: milliseconds.map(|_| "the whole file was cloned once".to_owned()),
    };
    let trial = copied.as_ref().ok().copied().flatten();
    let milliseconds = trial.map(|(bytes, took)| extrapolate(bytes, took, size));
    let copy = RungFacts {
        rung: "copy".to_owned(),
        why_not: copied.err().map(|error| error.to_string()),
        chosen: cloned.is_err(),
        protect_ms: milliseconds,
        restore_ms: milliseconds,
        disk_bytes: Some(size),
        measured: trial.map(|(bytes, took)| {
            format!("{bytes} bytes were copied and synced in {took} ms; reckoned up by size to {size} bytes")
        }),
    };
    vec![clone, copy]
}

/// Copies the file's start; how many bytes in how many milliseconds.
fn copy(file: &Path, state_dir: &Path) -> io::Result<(u64, u64)> {
    let copy = place(state_dir, "copy");
    durable::remove_file(&copy)?;
    let source = File::open(file)?;
    let bytes = source.metadata()?.len().min(TRIAL);
    let began = Instant::now();
    let tried = durable::copy_start(&source, &copy, TRIAL, &|| true);
    let took = millis(began);
    durable::remove_file(&copy)?;
    tried.map(|()| (bytes, took))
}

/// By size, for a part that took so long.
fn extrapolate(bytes: u64, took: u64, size: u64) -> u64 {
    let whole = u128::from(took) * u128::from(size) / u128::from(bytes.max(1));
    u64::try_from(whole).unwrap_or(u64::MAX).max(took)
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Whose the files are and how they are written.
pub(super) fn rights(file: &Path) -> Vec<String> {
    let mut told: Vec<String> = members(file)
        .iter()
        .filter_map(|(path, _)| {
            let metadata = fs::metadata(path).ok()?;
            Some(format!(
                "{}: user {}, group {}, mode {:o}, {} bytes",
                path.display(),
                metadata.uid(),
                metadata.gid(),
                metadata.mode() & 0o7777,
                metadata.len()
            ))
        })
        .collect();
    let _handles = HANDLES.lock().unwrap_or_else(PoisonError::into_inner);
    told.push(match File::open(file).and_then(|file| is_wal(&file)) {
        Ok(true) => "write-ahead log: it can be copied while it is written to".to_owned(),
        Ok(false) => "rollback journal: writers wait while it is copied".to_owned(),
        Err(error) => format!("{}: {error}", file.display()),
    });
    told.push(format!(
        "this engine is user {}",
        rustix::process::geteuid().as_raw()
    ));
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_reckoned_up_to_the_whole() {
        assert_eq!(extrapolate(10, 5, 100), 50);
        assert_eq!(extrapolate(0, 5, 0), 5);
        assert_eq!(extrapolate(1, u64::MAX, u64::MAX), u64::MAX);
    }
}
