//! A copy of a database that is in use by other processes.
//!
//! While somebody reads, SQLite neither starts its write-ahead log anew nor puts pages into the file that are not in that
//! log. So with a reading session open, the file copied first and its log copied second are the database as it was at one
//! instant, and no writer waits. Without such a log, reading does keep writers out; that is done for at most a moment, and
//! a copy that takes longer counts only if nobody wrote meanwhile.
//!
//! Copies are made from handles that stay open until the session has ended: closing one would take from this process every
//! lock that it has on the file, those of the session too.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::session::Session;
use super::{is_wal, member};
use crate::durable::{self, Means};

/// How long writers may be kept out.
const HOLD: Duration = Duration::from_millis(800);
/// How often a copy is made that others may write into.
const TRIES: u32 = 3;
/// Where SQLite counts the changes to a file without a write-ahead log, and how many bytes.
const CHANGE_COUNTER: u64 = 24;

/// Held by whoever opens a database file otherwise than by SQLite, see the module.
pub(super) static HANDLES: Mutex<()> = Mutex::new(());

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// SQLite said so.
    #[error(transparent)]
    Sqlite(#[from] sqlx::Error),
    /// A disk.
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// Others write to it all the time.
    #[error(
        "it is written to all the time, has no write-ahead log, and lies where files cannot be cloned; \
         PRAGMA journal_mode = wal lets it be copied meanwhile"
    )]
    Busy,
}

/// How it was done.
pub(super) struct Done {
    /// By clones or byte by byte.
    pub(super) means: Means,
    /// How long writers were kept out.
    pub(super) held: Duration,
}

/// Copies the database in `file` to `to`, a name in a directory, and its log beside.
pub(super) fn copy(file: &Path, to: &Path, go_on: &dyn Fn() -> bool) -> Result<Done, Failure> {
    let _handles = HANDLES.lock().unwrap_or_else(PoisonError::into_inner);
    let handle = File::open(file)?;
    match is_wal(&handle)? {
        true => with_log(&handle, file, to, go_on),
        false => without_log(&handle, file, to, HOLD, go_on),
    }
}

fn with_log(
    handle: &File,
    file: &Path,
    to: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<Done, Failure> {
    let session = Session::read(file)?;
    let means = durable::copy_open_file(handle, to, go_on)?;
    let log = member(file, "-wal");
    let log_handle = match File::open(&log) {
        Ok(log) => Some(log),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(log) = &log_handle {
        durable::copy_open_file(log, &member(to, "-wal"), go_on)?;
    }
    session.end()?;
    Ok(Done {
        means,
        held: Duration::ZERO,
    })
}

fn without_log(
    handle: &File,
    file: &Path,
    to: &Path,
    hold: Duration,
    go_on: &dyn Fn() -> bool,
) -> Result<Done, Failure> {
    for _ in 0..TRIES {
        durable::remove_file(to)?;
        let session = std::cell::RefCell::new(Some(Session::read(file)?));
        let before = state(handle)?;
        let began = Instant::now();
        let held = std::cell::Cell::new(None);
        let means = durable::copy_open_file(handle, to, &|| {
            if began.elapsed() > hold && held.get().is_none() {
                held.set(Some(began.elapsed()));
                // Rolled back by closing; whatever goes wrong there, nobody is kept out any more.
                session.take().map(Session::end);
            }
            go_on()
        })?;
        let let_in_early = held.get();
        if let_in_early.is_some() {
            session.replace(Some(Session::read(file)?));
        }
        let is_same = state(handle)? == before;
        let held = let_in_early.unwrap_or(began.elapsed());
        if let Some(session) = session.take() {
            session.end()?;
        }
        if is_same {
            return Ok(Done { means, held });
        }
    }
    Err(Failure::Busy)
}

/// Changes with every transaction.
fn state(handle: &File) -> io::Result<(u64, SystemTime, [u8; 4])> {
    let metadata = handle.metadata()?;
    let mut counter = [0; 4];
    if metadata.len() > 0 {
        handle.read_exact_at(&mut counter, CHANGE_COUNTER)?;
    }
    Ok((metadata.len(), metadata.modified()?, counter))
}

/// Makes one file of the copy at `path` and its log.
pub(super) fn merge(path: &Path) -> Result<(), sqlx::Error> {
    let mut session = Session::write(path)?;
    session.run("PRAGMA journal_mode = delete")?;
    session.end()
}

/// Whether there is anything to copy.
pub(super) fn is_there(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.len() > 0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A database of some pieces, where files cannot be cloned.
    fn database() -> tempfile::TempDir {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let file = dir.path().join("app.db");
        fs::write(&file, "").unwrap();
        run(
            &file,
            "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (0); CREATE TABLE f (x); INSERT INTO f VALUES (zeroblob(4000000))",
        );
        dir
    }

    fn run(file: &Path, sql: &'static str) {
        let mut session = Session::write(file).unwrap();
        session.run(sql).unwrap();
        session.end().unwrap();
    }

    #[test]
    fn a_slow_copy_lets_writers_in_and_counts_only_if_none_came() {
        let dir = database();
        let (file, to) = (dir.path().join("app.db"), dir.path().join("copy"));
        let handle = File::open(&file).unwrap();
        let asked = Cell::new(0);
        let once = || {
            asked.set(asked.get() + 1);
            if asked.get() == 2 {
                run(&file, "UPDATE t SET a = 1");
            }
            true
        };
        without_log(&handle, &file, &to, Duration::ZERO, &once).unwrap();
        assert!(asked.get() > 4, "it was not copied again");
        assert_eq!(fs::read(&file).unwrap(), fs::read(&to).unwrap());

        let always = || {
            run(&file, "UPDATE t SET a = a + 1");
            true
        };
        let refused = without_log(&handle, &file, &to, Duration::ZERO, &always);
        assert!(matches!(refused, Err(Failure::Busy)));
    }
}
