//! What a database driver does: put the database in a safe place, and bring it back from there.

use std::path::{Path, PathBuf};

use crate::api::Problem;
use crate::installation;

mod postgres;
mod sqlite;

pub(crate) use postgres::validate as validate_postgres;

/// A database that can be protected and returned. All calls are made with the application stopped, except `check` and `size`.
pub trait Database: Send + Sync {
    /// What it is, for plans and reports: kind and place, no secrets.
    fn describe(&self) -> String;

    /// How it would be protected: the dry run. Technical English.
    fn plan(&self) -> String {
        format!("{}, {} bytes", self.describe(), self.size())
    }

    /// The address that the application's commands get for `${database}`. No secrets: they are in [`Database::env`].
    fn url(&self) -> String;

    /// What the application and its migrations need in their environment to get in, secrets included.
    fn env(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// What must not get into reports.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// Bytes of disk that it takes.
    fn size(&self) -> u64;

    /// Bytes that protecting and returning it take at most beside the engine's own files.
    fn room(&self) -> u64 {
        // The protected copy, and the copy made of that while returning to it.
        2 * self.size()
    }

    /// Files that belong to it and so are not data files.
    fn files(&self) -> Vec<PathBuf>;

    /// Looks whether it can be protected.
    ///
    /// # Errors
    /// `database-unusable`; `disk-space`, where it lies elsewhere on this machine.
    fn check(&self) -> Result<(), Problem>;

    /// Puts a copy into the directory `to`, complete and durable when this returns. Whatever lies there is of another update or
    /// an interrupted call, and goes. The answer says how it was done. `go_on` is asked while it is.
    ///
    /// # Errors
    /// `protection-failed`, `database-in-use`; the database itself is untouched.
    fn protect(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<String, Problem>;

    /// Returns the database to the copy in `from`. Where the copy never was complete, the database was not touched, and
    /// nothing is done. Repeatable.
    ///
    /// # Errors
    /// `system`; to be tried again.
    fn restore(&self, from: &Path) -> Result<(), Problem>;

    /// Gives up what `protect` put elsewhere than into this directory, which is about to be removed. Repeatable.
    ///
    /// # Errors
    /// `system`; to be tried again, so the directory must stay.
    fn forget(&self, _from: &Path) -> Result<(), Problem> {
        Ok(())
    }
}

/// The driver that the installation names. To add one: a file in `database/`, a line here, and the contract tests.
pub fn open(config: &installation::Database) -> Box<dyn Database> {
    match config {
        installation::Database::Sqlite { path } => Box::new(sqlite::Sqlite::new(path.clone())),
        installation::Database::Postgres {
            url,
            password_file,
            maintenance_db,
            rung,
        } => Box::new(postgres::Postgres::new(
            url.clone(),
            password_file.clone(),
            maintenance_db.clone(),
            *rung,
        )),
    }
}
