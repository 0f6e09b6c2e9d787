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

/// Written last into a copy: it is complete.
const COMPLETE: &str = "complete";

/// Length and time of the last change.
type Stamp = (u64, SystemTime);

/// A SQLite file.
pub(super) struct Sqlite {
    path: PathBuf,
}

impl Sqlite {
    /// The database in this file.
    pub(super) fn new(path: PathBuf) -> Sqlite {
        Sqlite { path }
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    /// The members that exist, with the name that each has in a copy.
    fn members(&self) -> Vec<(PathBuf, String)> {
        let main = std::iter::once((self.path.clone(), "database".to_owned()));
        let others = BESIDE
            .iter()
            .map(|suffix| (self.beside(suffix), format!("database{suffix}")));
        main.chain(others)
            .filter(|(path, _)| path.exists())
            .collect()
    }

    fn stamps(&self) -> io::Result<Vec<Stamp>> {
        let stamp = |(path, _): (PathBuf, String)| {
            let metadata = fs::metadata(path)?;
            Ok((metadata.len(), metadata.modified()?))
        };
        self.members()
            .into_iter()
            .filter(|(_, name)| !name.ends_with("-shm"))
            .map(stamp)
            .collect()
    }

    fn copy(&self, to: &Path) -> io::Result<()> {
        durable::remove_dir_all(to)?;
        durable::create_dir_all(to)?;
        for (path, name) in self.members() {
            durable::copy_file(&path, &to.join(name))?;
        }
        durable::sync_dir(to)
    }

    /// Places the copies over the originals, each by a rename, so that at any moment a crash leaves something from which the
    /// same call can go on: copies are only read.
    fn place(&self, from: &Path) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        for suffix in BESIDE {
            durable::remove_file(&self.beside(suffix))?;
        }
        durable::sync_dir(directory)?;
        for suffix in ["", "-wal", "-journal", "-shm"] {
            let copy = from.join(format!("database{suffix}"));
            if copy.exists() {
                let fresh = self.beside(&format!("{suffix}.obnova-restore"));
                durable::remove_file(&fresh)?;
                durable::copy_file(&copy, &fresh)?;
                durable::rename(&fresh, &self.beside(suffix))?;
            } else if suffix.is_empty() {
                // There was no database before this update.
                durable::remove_file(&self.path)?;
            }
        }
        durable::sync_dir(directory)
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
        self.members()
            .iter()
            .filter_map(|(path, _)| fs::metadata(path).ok())
            .map(|metadata| metadata.len())
            .sum()
    }

    fn files(&self) -> Vec<PathBuf> {
        std::iter::once(self.path.clone())
            .chain(BESIDE.iter().map(|suffix| self.beside(suffix)))
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

    fn protect(&self, to: &Path) -> Result<String, Problem> {
        if to.join(COMPLETE).exists() {
            return Ok("already protected".to_owned());
        }
        let failed = |error: io::Error| self.problem(problem::PROTECTION_FAILED).detail(error);
        let before = self.stamps().map_err(failed)?;
        self.copy(to).map_err(failed)?;
        if before != self.stamps().map_err(failed)? {
            return Err(self.problem(problem::DATABASE_IN_USE));
        }
        durable::write(&to.join(COMPLETE), b"", 0o600).map_err(failed)?;
        Ok(format!("copied {} bytes", self.size()))
    }

    fn restore(&self, from: &Path) -> Result<(), Problem> {
        if !from.join(COMPLETE).exists() {
            return Ok(());
        }
        self.place(from)
            .map_err(|error| self.problem(problem::SYSTEM).detail(error))
    }
}
