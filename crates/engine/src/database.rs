//! What a database driver does: put the database in a safe place, and bring it back from there.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::api::{Problem, RungFacts, TableChange};
use crate::installation::{self, Installation};
use crate::problem;

mod account;
mod failure;
mod mariadb;
mod network;
mod postgres;
mod programs;
mod secret;
mod sqlite;

pub(crate) use mariadb::validate as validate_mariadb;
pub(crate) use network::cut_off;
pub(crate) use postgres::{of_service, service_file, validate as validate_postgres};

/// What drivers keep in protected directories and in clones; see `outside.rs`.
#[cfg(any(test, fuzzing))]
pub(crate) fn notes() -> Vec<crate::outside::Reader> {
    let mut readers = postgres::notes();
    readers.extend(mariadb::notes());
    readers
}

/// What [`Database::spare`] did, and so what going back to the kept copy does to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spare {
    /// Nothing: `restore` only reads the kept copy, which stays good.
    OnlyRead,
    /// A second copy, which `restore` may use up; the kept one stays good.
    Made,
    /// Nothing: `restore` uses the kept copy up, and nobody may go back to it again.
    UsesUp,
}

/// A database that can be protected and returned. All calls are made with the application stopped, except `check` and `size`.
pub trait Database: Send + Sync {
    /// What it is, for plans and reports: kind and place, no secrets.
    fn describe(&self) -> String;

    /// The kind of database and its version, such as `PostgreSQL 15.14`.
    fn product(&self) -> String;

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

    /// The socket at which its server is found, if its address names one.
    fn socket(&self) -> Option<PathBuf> {
        None
    }

    /// Looks whether it can be protected.
    ///
    /// # Errors
    /// `database-unusable`; `disk-space`, where it lies elsewhere on this machine.
    fn check(&self) -> Result<(), Problem>;

    /// What makes `protect` short and can be done while the application works with the database: called before requests are
    /// held, with the directory that `protect` will get. `None` when there is nothing of the kind. Repeatable; given up by `forget`.
    ///
    /// # Errors
    /// `protection-failed`; the database itself is untouched.
    fn prepare(
        &self,
        _to: &Path,
        _progress: &mut dyn FnMut(u64, u64),
        _go_on: &dyn Fn() -> bool,
    ) -> Result<Option<String>, Problem> {
        Ok(None)
    }

    /// Copies the database as it is at one instant into the new directory `to`, while the application goes on working with it:
    /// for rehearsals. As little in its way as possible. The answer says how.
    ///
    /// # Errors
    /// `rehearsal-impossible`: not with this driver, these rights or this room.
    fn snapshot(&self, _to: &Path, _go_on: &dyn Fn() -> bool) -> Result<String, Problem> {
        Err(Problem::new(problem::REHEARSAL_IMPOSSIBLE).arg("database", self.describe()))
    }

    /// A database of its own made of what `snapshot` put into `from`, by a private server if it needs one: everything of it
    /// lies in `from`, and it can be reached in a network of its own that has loopback only, where it has the same address as
    /// the original if that is on loopback. Its server ends when the value is dropped, and when this process dies.
    ///
    /// # Errors
    /// `rehearsal-impossible`.
    fn stage(&self, _from: &Path, _go_on: &dyn Fn() -> bool) -> Result<Box<dyn Database>, Problem> {
        Err(Problem::new(problem::REHEARSAL_IMPOSSIBLE).arg("database", self.describe()))
    }

    /// A fingerprint of all that is in it, for comparing before and after a way back: equal exactly if the contents are.
    ///
    /// # Errors
    /// `database-unusable`.
    fn fingerprint(&self) -> Result<String, Problem> {
        Err(Problem::new(problem::DATABASE_UNUSABLE).arg("database", self.describe()))
    }

    /// Every way to protect it, the fastest first, and what each costs here. With `measure`, each possible one is tried on a
    /// small scale and timed.
    fn rungs(&self, _measure: bool) -> Vec<RungFacts> {
        Vec::new()
    }

    /// What the role that is used may and may not do. Technical English.
    fn rights(&self) -> Vec<String> {
        Vec::new()
    }

    /// Counters by which [`Database::written_since`] tells later what was written; kept beside the protected copy.
    ///
    /// # Errors
    /// `database-unusable`.
    fn counters(&self) -> Result<serde_json::Value, Problem> {
        Ok(serde_json::Value::Null)
    }

    /// What was written since those counters were taken; `None` when that cannot be told.
    ///
    /// # Errors
    /// `database-unusable`.
    fn written_since(
        &self,
        _counters: &serde_json::Value,
    ) -> Result<Option<Vec<TableChange>>, Problem> {
        Ok(None)
    }

    /// Writes all that is in it into the new directory `to`, in a form that its own tools read; the application may be running.
    ///
    /// # Errors
    /// `system`.
    fn export(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<(), Problem> {
        self.snapshot(to, go_on).map(drop)
    }

    /// Puts a copy into the directory `to`, complete and durable when this returns. Whatever lies there is of another update or
    /// an interrupted call, and goes. The answer says how it was done. `go_on` is asked while it is.
    ///
    /// # Errors
    /// `protection-failed`, `database-in-use`; the database itself is untouched.
    fn protect(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<String, Problem>;

    /// Makes of the complete copy in `kept`, whose update was finished long ago, a second one in the new directory `to`, unless
    /// `restore` only reads it. Called before requests are held, so that a way back that fails leaves the kept copy good.
    ///
    /// # Errors
    /// `protection-failed`; the kept copy is untouched.
    fn spare(&self, _kept: &Path, _to: &Path, _go_on: &dyn Fn() -> bool) -> Result<Spare, Problem> {
        Ok(Spare::UsesUp)
    }

    /// Bytes of disk that the copy in `from` takes, wherever it lies; of files that share blocks with others, their whole
    /// length.
    fn protected_size(&self, from: &Path) -> u64 {
        crate::files::size(from)
    }

    /// Lets in again, after a success, those whom `protect` keeps out of the database from the moment of the copy on; a return does
    /// that itself. `protected` is the directory that `protect` got. Repeatable.
    ///
    /// # Errors
    /// `system`; to be tried again.
    fn admit(&self, _protected: &Path) -> Result<(), Problem> {
        Ok(())
    }

    /// Keeps them out again, after an older copy was returned to in the middle of the change-over that `protected` belongs to.
    ///
    /// # Errors
    /// `system`.
    fn keep_out(&self, _protected: &Path) -> Result<(), Problem> {
        Ok(())
    }

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
pub fn open(installation: &Installation) -> Box<dyn Database> {
    match &installation.database {
        installation::Database::Sqlite { path } => Box::new(sqlite::Sqlite::new(
            path.clone(),
            installation.state_dir.clone(),
        )),
        installation::Database::Mariadb {
            url,
            password_file,
            rung,
            cluster,
        } => Box::new(mariadb::Mariadb::new(
            url.clone(),
            password_file.clone(),
            *rung,
            cluster.clone(),
            &installation.logs(),
        )),
        installation::Database::Postgres {
            url,
            password_file,
            maintenance_db,
            rung,
            cluster,
            roles,
            service: _,
        } => Box::new(postgres::Postgres::new(
            url.clone(),
            password_file.clone(),
            maintenance_db.clone(),
            *rung,
            cluster.clone(),
            roles.clone(),
        )),
    }
}
