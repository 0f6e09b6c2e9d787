//! Any SQLite file. Protecting is a copy of the file *and* of what lies beside it (`-wal`, `-journal`), byte by byte or by reflink:
//! with no process having it open, the copy is the database as it was, in whatever journal mode.
//!
//! Returning must remove the migrated `-wal` and `-shm` in the same act: SQLite would otherwise apply the migration again
//! to the returned file without a word.

mod contents;
mod online;
mod rungs;
mod session;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::TryLockError;
use std::time::SystemTime;

use crate::api::{Problem, RungFacts, TableChange};
use crate::database::{Database, Spare};
use crate::durable::{self, Means};
use crate::problem;
use crate::step::chain;

/// What SQLite puts beside a database file. Everything but `-shm`, an index over `-wal` that SQLite makes anew, is data.
const BESIDE: [&str; 3] = ["-wal", "-journal", "-shm"];

/// Written last into a copy: it is complete. Holds where the file really lies.
const COMPLETE: &str = "complete";

/// What a copy of the database is called in its directory.
const DATABASE: &str = "database";

/// The first bytes of a SQLite file, and where one of those after them says 2 if it has a write-ahead log.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const READ_VERSION: usize = 19;

/// Length and time of the last change.
type Stamp = (u64, SystemTime);

/// A SQLite file.
pub(super) struct Sqlite {
    path: PathBuf,
    /// On the file system of the protected copies.
    state_dir: PathBuf,
}

/// The file, or what SQLite puts beside it.
fn member(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The members that exist, with the name that each has in a copy.
fn members(file: &Path) -> Vec<(PathBuf, String)> {
    let all = std::iter::once("").chain(BESIDE);
    all.map(|suffix| (member(file, suffix), format!("{DATABASE}{suffix}")))
        .filter(|(path, _)| path.exists())
        .collect()
}

fn stamps(file: &Path) -> io::Result<Vec<Stamp>> {
    let stamp = |(path, _): (PathBuf, String)| {
        let metadata = fs::metadata(path)?;
        Ok((metadata.len(), metadata.modified()?))
    };
    members(file)
        .into_iter()
        .filter(|(_, name)| !name.ends_with("-shm"))
        .map(stamp)
        .collect()
}

/// Whether the database has a write-ahead log.
fn is_wal(file: &File) -> io::Result<bool> {
    let mut header = [0; READ_VERSION + 1];
    match file.read_exact_at(&mut header, 0) {
        Ok(()) => Ok(header[READ_VERSION] == 2),
        // Nothing has been written to it yet.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn word(means: Means) -> &'static str {
    match means {
        Means::Cloned => "cloned",
        Means::Copied => "copied",
    }
}

fn copy(file: &Path, to: &Path, go_on: &dyn Fn() -> bool) -> io::Result<Means> {
    // First: nobody may take a copy that is half removed for a complete one.
    durable::remove_file(&to.join(COMPLETE))?;
    durable::remove_dir_all(to)?;
    durable::create_dir_all(to)?;
    let mut means = Means::Cloned;
    for (path, name) in members(file) {
        if durable::copy_file(&path, &to.join(name), go_on)? == Means::Copied {
            means = Means::Copied;
        }
    }
    durable::sync_dir(to)?;
    Ok(means)
}

/// Places the copies over the originals, each by a rename, so that at any moment a crash leaves something from which the
/// same call can go on: copies are only read.
fn place(file: &Path, from: &Path) -> io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("/"));
    for suffix in BESIDE {
        durable::remove_file(&member(file, suffix))?;
    }
    durable::sync_dir(directory)?;
    for suffix in ["", "-wal", "-journal", "-shm"] {
        let copy = from.join(format!("{DATABASE}{suffix}"));
        if copy.exists() {
            place_one(&copy, &member(file, suffix))?;
        } else if suffix.is_empty() {
            // There was no database before this update.
            durable::remove_file(file)?;
        }
    }
    durable::sync_dir(directory)
}

fn place_one(copy: &Path, to: &Path) -> io::Result<()> {
    let fresh = member(to, ".obnova-restore");
    durable::remove_file(&fresh)?;
    match durable::copy_file(copy, &fresh, &|| true) {
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            // What the update left goes anyway, and its room is where the copy came from.
            durable::remove_file(&fresh)?;
            durable::remove_file(to)?;
            durable::copy_file(copy, &fresh, &|| true)?;
        }
        other => drop(other?),
    }
    durable::rename(&fresh, to)
}

impl Sqlite {
    /// The database in this file, of the installation in this directory.
    pub(super) fn new(path: PathBuf, state_dir: PathBuf) -> Sqlite {
        Sqlite { path, state_dir }
    }

    /// Where the file really lies, whatever links lead there. SQLite follows them too, and puts its other files there.
    fn file(&self) -> PathBuf {
        fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone())
    }

    fn unusable(&self, error: &sqlx::Error) -> Problem {
        self.problem(problem::DATABASE_UNUSABLE)
            .detail(chain(error))
    }

    fn problem(&self, code: &str) -> Problem {
        Problem::new(code)
            .arg("database", self.path.display())
            .arg("path", self.path.display())
    }
}

impl Database for Sqlite {
    fn product(&self) -> String {
        // Its version is that of the library in the application.
        "SQLite".to_owned()
    }

    fn describe(&self) -> String {
        format!("SQLite {}", self.path.display())
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.path.display())
    }

    fn size(&self) -> u64 {
        members(&self.file())
            .iter()
            .filter_map(|(path, _)| fs::metadata(path).ok())
            .map(|metadata| metadata.len())
            .sum()
    }

    fn files(&self) -> Vec<PathBuf> {
        let file = self.file();
        std::iter::once("")
            .chain(BESIDE)
            .map(|suffix| member(&file, suffix))
            .collect()
    }

    fn plan(&self) -> String {
        format!(
            "{}, {} bytes, which will be {}",
            self.describe(),
            self.size(),
            word(rungs::means(&self.file(), &self.state_dir))
        )
    }

    fn check(&self) -> Result<(), Problem> {
        // While it is being copied it must not be opened here, see there; and it is there, and one of SQLite's.
        let _handles = match online::HANDLES.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(()),
            other => other,
        };
        let unusable = |detail: String| self.problem(problem::DATABASE_UNUSABLE).detail(detail);
        let mut header = [0; MAGIC.len()];
        let file = File::open(&self.path).map_err(|error| unusable(error.to_string()))?;
        match file.read_exact_at(&mut header, 0) {
            Ok(()) if &header == MAGIC => Ok(()),
            // A database that was never written to has no header yet.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && self.size() == 0 => {
                Ok(())
            }
            Ok(()) => Err(unusable("the file is not a SQLite database".to_owned())),
            Err(error) => Err(unusable(error.to_string())),
        }
    }

    fn snapshot(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<String, Problem> {
        let (file, copy) = (self.file(), to.join(DATABASE));
        let made = durable::remove_dir_all(to)
            .and_then(|()| durable::create_dir_all(to))
            .map_err(online::Failure::from)
            .and_then(|()| match online::is_there(&file) {
                true => online::copy(&file, &copy, go_on).map(Some),
                false => Ok(None),
            })
            .and_then(|done| {
                durable::sync_file_system(to)?;
                Ok(done)
            });
        match made {
            Ok(Some(done)) => Ok(format!(
                "{} while in use, {} bytes, writers kept out for {} ms",
                word(done.means),
                self.size(),
                done.held.as_millis()
            )),
            Ok(None) => Ok("there is nothing in it yet".to_owned()),
            Err(failure) => Err(self
                .problem(problem::REHEARSAL_IMPOSSIBLE)
                .detail(chain(&failure))),
        }
    }

    fn stage(&self, from: &Path, _go_on: &dyn Fn() -> bool) -> Result<Box<dyn Database>, Problem> {
        Ok(Box::new(Sqlite::new(from.join(DATABASE), from.to_owned())))
    }

    fn fingerprint(&self) -> Result<String, Problem> {
        match online::is_there(&self.file()) {
            true => contents::fingerprint(&self.file()).map_err(|error| self.unusable(&error)),
            false => Ok("empty".to_owned()),
        }
    }

    fn rungs(&self, measure: bool) -> Vec<RungFacts> {
        rungs::facts(&self.file(), &self.state_dir, self.size(), measure)
    }

    fn rights(&self) -> Vec<String> {
        rungs::rights(&self.file())
    }

    fn counters(&self) -> Result<serde_json::Value, Problem> {
        match online::is_there(&self.file()) {
            true => contents::counters(&self.file()).map_err(|error| self.unusable(&error)),
            false => Ok(serde_json::json!({})),
        }
    }

    fn written_since(
        &self,
        counters: &serde_json::Value,
    ) -> Result<Option<Vec<TableChange>>, Problem> {
        match online::is_there(&self.file()) {
            true => contents::written_since(&self.file(), counters)
                .map_err(|error| self.unusable(&error)),
            false => Ok(None),
        }
    }

    fn export(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<(), Problem> {
        self.snapshot(to, go_on)?;
        let copy = to.join(DATABASE);
        if !copy.exists() {
            return Ok(());
        }
        online::merge(&copy)
            .map_err(online::Failure::from)
            .and_then(|()| Ok(durable::rename(&copy, &to.join("database.sqlite"))?))
            .map_err(|failure| self.problem(problem::SYSTEM).detail(chain(&failure)))
    }

    fn protect(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<String, Problem> {
        let failed = |error: io::Error| self.problem(problem::PROTECTION_FAILED).detail(error);
        let file = self.file();
        let before = stamps(&file).map_err(failed)?;
        let means = copy(&file, to, go_on).map_err(failed)?;
        if before != stamps(&file).map_err(failed)? {
            return Err(self.problem(problem::DATABASE_IN_USE));
        }
        let place = serde_json::to_vec(&file).map_err(|error| failed(error.into()))?;
        durable::write(&to.join(COMPLETE), &place, 0o600).map_err(failed)?;
        Ok(format!("{} {} bytes", word(means), self.size()))
    }

    fn spare(&self, kept: &Path, _to: &Path, _go_on: &dyn Fn() -> bool) -> Result<Spare, Problem> {
        let failed = |error: io::Error| self.problem(problem::PROTECTION_FAILED).detail(error);
        let complete = fs::read(kept.join(COMPLETE)).map_err(failed)?;
        let place: PathBuf =
            serde_json::from_slice(&complete).map_err(|error| failed(error.into()))?;
        // It would be returned to where it was.
        match place == self.file() {
            true => Ok(Spare::OnlyRead),
            false => Err(failed(io::Error::other(format!(
                "the database was {} when this copy was made",
                place.display()
            )))),
        }
    }

    fn restore(&self, from: &Path) -> Result<(), Problem> {
        let complete = from.join(COMPLETE);
        if !complete.exists() {
            return Ok(());
        }
        let placed = fs::read(complete)
            .and_then(|bytes| Ok(serde_json::from_slice::<PathBuf>(&bytes)?))
            .and_then(|file| place(&file, from));
        placed.map_err(|error| self.problem(problem::SYSTEM).detail(error))
    }
}
