//! Copies a tree by several threads: while people wait for it, the processor must not wait for the disk, nor the other way round.
//!
//! One thread walks and makes the directories; the others copy files as it finds them. What has several names is copied by the one
//! that walks, so that it stays one file. Directories get their times and permissions in the end, the innermost first, since every
//! file that is made inside changes them.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::copies::{Copying, GoOn, keep_metadata, name};

/// Threads that copy, at least and at most.
const FEWEST: usize = 2;
const MOST: usize = 4;
/// Files that were found and not begun, for each of them.
const AHEAD: usize = 64;
/// How often it is asked whether to go on while all are busy.
const POLL: Duration = Duration::from_millis(20);

/// A file to copy.
struct Job {
    from: PathBuf,
    to: PathBuf,
}

/// A file that was copied.
struct Done {
    length: u64,
    has_copied: bool,
}

/// Copies all of it, unsynced. Whether bytes were copied: `false` when all files were cloned.
///
/// # Errors
/// The first that occurred, or `Interrupted` when `go_on` said no. What was copied until then stays.
pub(super) fn copy(
    from: &Path,
    to: &Path,
    skip: &dyn Fn(&Path) -> bool,
    go_on: GoOn,
    progress: &mut dyn FnMut(u64),
) -> io::Result<bool> {
    let threads = thread::available_parallelism().map_or(FEWEST, usize::from);
    let threads = threads.clamp(FEWEST, MOST);
    let ends = AtomicBool::new(false);
    let (jobs, waiting) = mpsc::sync_channel(threads * AHEAD);
    let (sender, done) = mpsc::channel();
    let waiting = Mutex::new(waiting);
    thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, waiting, ends) = (sender.clone(), &waiting, &ends);
            scope.spawn(move || {
                while let Some(job) = next(waiting) {
                    let copied = copy_one(&job, ends);
                    let failed = copied.is_err();
                    // Before the others end because of it: what is heard first is the reason.
                    let _ = sender.send(copied);
                    if failed {
                        ends.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
        drop(sender);
        let mut walk = Walk {
            skip,
            go_on,
            progress,
            ends: &ends,
            done,
            directories: Vec::new(),
            linked: Vec::new(),
            has_copied: false,
        };
        let walked = walk.directory(from, to, &jobs);
        if walked.is_err() {
            ends.store(true, Ordering::Relaxed);
        }
        drop(jobs);
        let ended = walk.hear_all();
        match walked {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            // What ended the walk may be no more than that somebody else has failed.
            walked => ended.and(walked)?,
        }
        walk.finish()?;
        Ok(walk.has_copied)
    })
}

fn next(waiting: &Mutex<Receiver<Job>>) -> Option<Job> {
    let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    waiting.recv().ok()
}

fn copy_one(job: &Job, ends: &AtomicBool) -> io::Result<Done> {
    let go_on = || !ends.load(Ordering::Relaxed);
    if !go_on() {
        return Err(interrupted());
    }
    let mut length = 0;
    let mut count = |copied| length = copied;
    let mut copying = Copying::new(&go_on, &mut count);
    copying.entry(&job.from, &job.to)?;
    let has_copied = copying.has_copied();
    Ok(Done { length, has_copied })
}

fn interrupted() -> io::Error {
    io::Error::new(io::ErrorKind::Interrupted, "the copying was broken off")
}

/// The one that walks.
struct Walk<'a> {
    skip: &'a dyn Fn(&Path) -> bool,
    go_on: GoOn<'a>,
    progress: &'a mut dyn FnMut(u64),
    ends: &'a AtomicBool,
    done: Receiver<io::Result<Done>>,
    /// Each before those in it.
    directories: Vec<Job>,
    /// Names of files that have several.
    linked: Vec<Job>,
    has_copied: bool,
}

impl Walk<'_> {
    fn directory(&mut self, from: &Path, to: &Path, jobs: &SyncSender<Job>) -> io::Result<()> {
        fs::create_dir(to)?;
        let (source, target) = (from.to_owned(), to.to_owned());
        self.directories.push(Job {
            from: source,
            to: target,
        });
        for entry in fs::read_dir(from)? {
            let from = entry?.path();
            let to = to.join(name(&from)?);
            if (self.skip)(&from) {
                continue;
            }
            let metadata = fs::symlink_metadata(&from)?;
            if metadata.is_dir() {
                self.directory(&from, &to, jobs)?;
            } else if metadata.is_file() && metadata.nlink() > 1 {
                self.linked.push(Job { from, to });
            } else {
                self.send(Job { from, to }, jobs)?;
            }
        }
        Ok(())
    }

    /// Hands it to whoever is free, and hears meanwhile what the others have done.
    fn send(&mut self, mut job: Job, jobs: &SyncSender<Job>) -> io::Result<()> {
        loop {
            self.ask()?;
            match jobs.try_send(job) {
                Ok(()) => return Ok(()),
                // All of them have ended, which they do only by a panic.
                Err(TrySendError::Disconnected(_)) => return Err(interrupted()),
                Err(TrySendError::Full(back)) => job = back,
            }
            match self.done.recv_timeout(POLL) {
                Ok(done) => self.take(done)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    fn ask(&self) -> io::Result<()> {
        match (self.go_on)() {
            true => Ok(()),
            false => {
                self.ends.store(true, Ordering::Relaxed);
                Err(interrupted())
            }
        }
    }

    fn take(&mut self, done: io::Result<Done>) -> io::Result<()> {
        let done = done?;
        self.has_copied |= done.has_copied;
        (self.progress)(done.length);
        Ok(())
    }

    /// Waits until all are done. The first failure counts: those after it are its consequences.
    fn hear_all(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        loop {
            let heard = match self.done.recv_timeout(POLL) {
                Ok(done) => self.take(done),
                Err(RecvTimeoutError::Timeout) => self.ask(),
                Err(RecvTimeoutError::Disconnected) => return result,
            };
            result = result.and(heard);
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        let mut copying = Copying::new(self.go_on, self.progress);
        for job in &self.linked {
            copying.entry(&job.from, &job.to)?;
        }
        self.has_copied |= copying.has_copied();
        for job in self.directories.iter().rev() {
            keep_metadata(&fs::metadata(&job.from)?, &job.from, &job.to)?;
        }
        Ok(())
    }
}
