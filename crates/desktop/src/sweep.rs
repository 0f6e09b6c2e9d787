//! Removing versions that are not needed any more. Only ever tidy: what is in use, or cannot be removed now, stays.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::{Duration, Instant};

use obnova_release::durable::{self, Lock};
use semver::Version;

use crate::layout::Layout;
use crate::platform;
use crate::pointer::Pointer;

/// How long to wait for who removes a version.
const PATIENCE: Duration = Duration::from_secs(2);

/// Removes every version but the current one, the one before it, and the one that is being downloaded.
pub(crate) fn versions(layout: &Layout, pointer: &Pointer) {
    if layout.is_shared() {
        return;
    }
    let kept = [&pointer.current, &pointer.previous];
    let mut kept: BTreeSet<&Version> = kept.into_iter().flatten().map(|it| &it.version).collect();
    kept.extend(pointer.wanted.iter().map(|wanted| &wanted.version));
    all_but(layout, &kept);
}

/// Removes every version but these.
pub(crate) fn all_but(layout: &Layout, kept: &BTreeSet<&Version>) {
    let versions = layout.versions();
    // Whoever downloads puts a version together there; it is tidied up the next time.
    let Ok(_lock) = Lock::try_take(&versions.join(".lock")) else {
        return;
    };
    let Ok(entries) = std::fs::read_dir(&versions) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let Ok(version) = name.strip_suffix(".json").unwrap_or(name).parse() else {
            continue;
        };
        if kept.contains(&version) || platform::has_open_files(&layout.version(&version)) {
            continue;
        }
        // Whoever begins to run it now waits, and finds it gone.
        let running = File::open(layout.running(&version)).ok();
        if running
            .as_ref()
            .is_some_and(|file| file.try_lock().is_err())
        {
            continue;
        }
        let path = entry.path();
        let removed = match path.is_dir() {
            true => durable::remove_dir_all(&path),
            false => durable::remove_file(&path),
        };
        if let Err(error) = removed {
            tracing::warn!(%error, "an old version could not be removed yet");
        }
        drop(running);
        let _ = durable::remove_file(&layout.running(&version));
    }
}

/// Whether a program of this version runs.
pub(crate) fn is_in_use(layout: &Layout, version: &Version) -> bool {
    is_locked(layout, version) || platform::has_open_files(&layout.version(version))
}

/// Whether a launcher says that it has started a program of this version.
fn is_locked(layout: &Layout, version: &Version) -> bool {
    match File::open(layout.running(version)) {
        Ok(file) => matches!(file.try_lock(), Err(std::fs::TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

/// Says that this version is in use, for as long as the file is open here or in a program that got it.
pub(crate) fn use_of(layout: &Layout, version: &Version) -> std::io::Result<File> {
    let path = layout.running(version);
    if layout.is_shared() {
        return use_of_shared(&path);
    }
    durable::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)?;
    file.lock_shared()?;
    Ok(file)
}

/// The same of a file that is not this user's. Whoever it belongs to has it for a moment; somebody who keeps it to himself, which
/// any user may, keeps nobody from starting.
fn use_of_shared(path: &Path) -> std::io::Result<File> {
    let file = File::open(path)?;
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock_shared() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(error.into()),
        }
    }
}
