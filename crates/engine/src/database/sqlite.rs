//! Any SQLite file. Protecting is a copy of the file *and* of what lies beside it (`-wal`, `-journal`), byte by byte or by reflink:
//! with no process having it open, the copy is the database as it was, in whatever journal mode.
//!
//! Returning must remove the migrated `-wal` and `-shm` in the same act: SQLite would otherwise apply the migration again
//! to the returned file without a word.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::api::Problem;
use crate::database::Database;
use crate::durable;
use crate::problem;

/// What SQLite puts beside a database file. Everything but `-shm`, an index over `-wal` that SQLite makes anew, is data.
const BESIDE: [&str; 3] = ["-wal", "-journal", "-shm"];

/// Written last into a copy: it is complete. Holds where the file really lies.
const COMPLETE: &str = "complete";

/// Length and time of the last change.
type Stamp = (u64, SystemTime);

/// A SQLite file.
pub(super) struct Sqlite {
    path: PathBuf,
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
    all.map(|suffix| (member(file, suffix), format!("database{suffix}")))
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

fn copy(file: &Path, to: &Path, go_on: &dyn Fn() -> bool) -> io::Result<()> {
    // First: nobody may take a copy that is half removed for a complete one.
    durable::remove_file(&to.join(COMPLETE))?;
    durable::remove_dir_all(to)?;
    durable::create_dir_all(to)?;
    for (path, name) in members(file) {
        durable::copy_file(&path, &to.join(name), go_on)?;
    }
    durable::sync_dir(to)
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
        let copy = from.join(format!("database{suffix}"));
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
        other => other?,
    }
    durable::rename(&fresh, to)
}

impl Sqlite {
    /// The database in this file.
    pub(super) fn new(path: PathBuf) -> Sqlite {
        Sqlite { path }
    }

    /// Where the file really lies, whatever links lead there. SQLite follows them too, and puts its other files there.
    fn file(&self) -> PathBuf {
        fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone())
    }

    fn problem(&self, code: &str) -> Problem {
        Problem::new(code)
            .arg("database", self.path.display())
            .arg("path", self.path.display())
    }
}

impl Database for Sqlite {
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

    fn check(&self) -> Result<(), Problem> {
        let unusable = |detail: String| self.problem(problem::DATABASE_UNUSABLE).detail(detail);
        let mut header = [0; 16];
        let mut file = fs::File::open(&self.path).map_err(|error| unusable(error.to_string()))?;
        match file.read_exact(&mut header) {
            Ok(()) if &header == b"SQLite format 3\0" => Ok(()),
            // A database that was never written to has no header yet.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && self.size() == 0 => {
                Ok(())
            }
            Ok(()) => Err(unusable("the file is not a SQLite database".to_owned())),
            Err(error) => Err(unusable(error.to_string())),
        }
    }

    fn protect(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<String, Problem> {
        let failed = |error: io::Error| self.problem(problem::PROTECTION_FAILED).detail(error);
        let file = self.file();
        let before = stamps(&file).map_err(failed)?;
        copy(&file, to, go_on).map_err(failed)?;
        if before != stamps(&file).map_err(failed)? {
            return Err(self.problem(problem::DATABASE_IN_USE));
        }
        let place = serde_json::to_vec(&file).map_err(|error| failed(error.into()))?;
        durable::write(&to.join(COMPLETE), &place, 0o600).map_err(failed)?;
        Ok(format!("copied {} bytes", self.size()))
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
