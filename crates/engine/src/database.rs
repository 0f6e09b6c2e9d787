//! What a database driver does: put the database in a safe place, and bring it back from there.

use std::path::{Path, PathBuf};

use crate::api::Problem;
use crate::installation;

mod sqlite;

/// A database that can be protected and returned. All calls are made with the application stopped, except `check` and `size`.
pub trait Database: Send + Sync {
    /// What it is, for plans and reports: kind and place, no secrets.
    fn describe(&self) -> String;

    /// The address that the application's commands get for `${database}`.
    fn url(&self) -> String;

    /// Bytes of disk that it takes.
    fn size(&self) -> u64;

    /// Files that belong to it and so are not data files.
    fn files(&self) -> Vec<PathBuf>;

    /// Looks whether it can be protected.
    ///
    /// # Errors
    /// `database-unusable`.
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
}

/// The driver that the installation names. To add one: a file in `database/`, a line here, and the contract tests.
pub fn open(config: &installation::Database) -> Box<dyn Database> {
    match config {
        installation::Database::Sqlite { path } => Box::new(sqlite::Sqlite::new(path.clone())),
    }
}
