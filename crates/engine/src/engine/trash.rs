//! Removes protected copies that were thrown away, in the background: one of 50,000 files takes minutes on some file systems. It gives
//! way to updates and takes the disk only when nobody else does.
//!
//! Whatever an engine that is killed leaves of it, the next one removes: what was thrown away is nothing else any more.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Engine;
use crate::durable;
use crate::rehearsal;
use crate::step::LAID_OUT;
use crate::steps::clean;

/// How often it is looked whether something was thrown away.
const LOOK: Duration = Duration::from_millis(500);
/// How often it is looked whether an update has ended.
const GIVE_WAY: Duration = Duration::from_millis(50);
/// The pause after something could not be removed: a server that is down, most likely. It doubles from try to try.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long the end of the engine waits for what is being removed. The rest is left to the next one.
const END_PATIENCE: Duration = Duration::from_secs(2);

impl Engine {
    /// What the thread does until the engine has ended.
    pub(crate) fn empty_trash(&self) {
        let mut is_idle = false;
        let mut not_before = Instant::now();
        let mut pause = PAUSE;
        while !self.rests() {
            let found = match Instant::now() >= not_before {
                true => clean::trash(&self.installation.protected_root()),
                false => Vec::new(),
            };
            if !found.is_empty() && !std::mem::replace(&mut is_idle, true) {
                rehearsal::in_idle_class(true);
            }
            for path in found {
                match self.remove(&path) {
                    Ok(()) => pause = PAUSE,
                    Err(error) => {
                        tracing::warn!(path = %path.display(), %error, "this could not be removed yet");
                        not_before = Instant::now() + pause;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                }
            }
        }
    }

    /// A pause; whether the engine has ended meanwhile.
    fn rests(&self) -> bool {
        let until = Instant::now() + LOOK;
        while Instant::now() < until && !self.is_over.load(Ordering::Relaxed) {
            sleep(GIVE_WAY);
        }
        self.is_over.load(Ordering::Relaxed)
    }

    /// Waits a little for what is being removed, and lets the thread end: it lets go of the engine within a moment.
    pub(crate) fn leave_trash(&self) {
        let until = Instant::now() + END_PATIENCE;
        let root = self.installation.protected_root();
        while !clean::trash(&root).is_empty() && Instant::now() < until {
            sleep(GIVE_WAY);
        }
        self.is_over.store(true, Ordering::Relaxed);
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.give_way()?;
        for copy in [path.join(LAID_OUT), path.to_owned()] {
            let forgotten = self.database.forget(&copy.join("database"));
            forgotten.map_err(|problem| {
                let detail = problem.detail.unwrap_or_default();
                io::Error::other(format!("{}: {detail}", problem.code))
            })?;
        }
        // One by one, so that an update need not wait, nor the end of the engine.
        let entries = walkdir::WalkDir::new(path).into_iter().flatten();
        for entry in entries.filter(|entry| !entry.file_type().is_dir()) {
            self.give_way()?;
            // What lies in a directory that cannot be written to goes with all of it below.
            if let Err(error) = durable::remove_file_unsynced(entry.path()) {
                tracing::debug!(%error, "not by itself");
            }
        }
        durable::remove_dir_all(path)
    }

    /// Waits while an update runs.
    fn give_way(&self) -> io::Result<()> {
        loop {
            if self.is_over.load(Ordering::Relaxed) {
                return Err(io::Error::other("the engine ends"));
            }
            let work = self.lock_work();
            if !work.busy || work.end.is_some() {
                return Ok(());
            }
            drop(work);
            sleep(GIVE_WAY);
        }
    }
}
