//! A PostgreSQL database, on this machine or another. How it is protected is chosen from a ladder of rungs by what the
//! server, its version and the role's rights allow.
//!
//! Which database is the one before the update is known by its OID, not by its name: the note in the protected directory says
//! the copy's, and where that one has the database's name, all is as before.

mod account;
mod address;
mod contents;
mod copy;
mod dump;
mod failure;
mod note;
mod postmaster;
mod private;
mod properties;
mod rights;
mod secret;
mod server;
mod snapshot;
mod stage;
mod tools;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use address::Address;
use contents::Counters;
use failure::Failure;
use note::Note;
use private::Private;
use properties::Properties;
use rights::Rights;
use server::Server;
use snapshot::Snapshot;

use crate::api::{Problem, TableChange};
use crate::database::Database;
use crate::durable;
use crate::installation::{self, Rung};
use crate::problem;
use crate::step::chain;

pub(crate) use address::validate;

/// See the module.
pub(super) struct Postgres {
    address: Address,
    forced: Option<Rung>,
    cluster: Option<installation::Cluster>,
    /// The server, if it is one of our own that ends with this.
    _private: Option<Private>,
}

impl Postgres {
    /// The database at this address. `maintenance` is another one of the same server; `forced` a rung to take in any case;
    /// `cluster` what is known about a cluster that is this application's alone.
    pub(super) fn new(
        url: String,
        password_file: Option<PathBuf>,
        maintenance: String,
        forced: Option<Rung>,
        cluster: Option<installation::Cluster>,
    ) -> Postgres {
        Postgres {
            address: Address {
                url,
                password_file,
                maintenance,
                admin: None,
            },
            forced,
            cluster,
            _private: None,
        }
    }

    fn server(&self) -> Result<Server, Failure> {
        Server::connect(self.address.options(&self.address.maintenance)?)
    }

    fn rights(&self) -> Result<Rights, Failure> {
        Rights::ask(&mut self.server()?, &self.address.database()?)
    }

    fn try_check(&self) -> Result<Rights, Failure> {
        // The application gets in, too.
        let database = self.address.database()?;
        Server::connect(self.address.options(&database)?)?;
        let mut server = self.server()?;
        let rights = Rights::ask(&mut server, &database)?;
        let (rung, _) = rights.choose(self.forced)?;
        Properties::of(&mut server, &database)?.try_to_give(&mut server, &database)?;
        if rung == Rung::Dump {
            for tool in ["pg_dump", "pg_restore"] {
                tools::find(tool, rights.version())?;
            }
        }
        Ok(rights)
    }

    fn try_protect(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<String, Failure> {
        note::unset_complete(to)?;
        self.try_forget(to)?;
        durable::remove_dir_all(to)
            .and_then(|()| durable::create_dir_all(to))
            .map_err(|error| Failure::disk(to, error))?;
        let (mut server, database) = (self.server()?, self.address.database()?);
        let rights = Rights::ask(&mut server, &database)?;
        let (rung, why) = rights.choose(self.forced)?;
        let (copy, replaced) = note::free_names(&mut server, &database, to)?;
        let note = Note {
            rung,
            copy,
            replaced,
            oid: None,
            properties: Properties::of(&mut server, &database)?,
            creation: dump::creation(&mut server, &database)?,
        };
        note.write(to)?;
        match rung {
            Rung::Copy => {
                copy::protect(&mut server, &database, to, note, rights.version(), go_on)?;
            }
            Rung::Dump => dump::protect(&mut server, &self.address, &database, to, go_on)?,
            Rung::FileSystem | Rung::Standby => {}
        }
        Ok(format!("{why}, {} bytes", rights.size()))
    }

    fn try_restore(&self, from: &Path) -> Result<(), Failure> {
        let Some(note) = Note::read(from)? else {
            return Ok(());
        };
        let (mut server, database) = (self.server()?, self.address.database()?);
        if !note::is_complete(from) {
            // It may have been closed for the copying.
            server.open(&database)?;
            return server.drop(&note.copy);
        }
        match note.rung {
            Rung::Copy => copy::place(&mut server, &database, &note),
            Rung::Dump => dump::restore(&mut server, &self.address, &database, from, note),
            Rung::FileSystem | Rung::Standby => Ok(()),
        }
    }

    fn try_forget(&self, from: &Path) -> Result<(), Failure> {
        let Some(note) = Note::read(from)? else {
            return Ok(());
        };
        let mut server = self.server()?;
        // Both names are ours; the database itself never has one of them.
        server.drop(&note.replaced)?;
        server.drop(&note.copy)
    }

    /// The account that owns the cluster's files.
    fn owner(&self) -> Option<(u32, u32)> {
        let metadata = std::fs::metadata(&self.cluster.as_ref()?.data).ok()?;
        Some((metadata.uid(), metadata.gid()))
    }

    fn problem(&self, code: &str, failure: &Failure) -> Problem {
        let place = self.address.describe();
        Problem::new(code)
            .arg("database", &place)
            .arg("path", place)
            .detail(chain(failure))
    }
}

impl Database for Postgres {
    fn describe(&self) -> String {
        self.address.describe()
    }

    fn plan(&self) -> String {
        let how = self
            .rights()
            .and_then(|rights| Ok((rights.choose(self.forced)?.1, rights.size())));
        match how {
            Ok((why, size)) => format!("{}, {size} bytes: {why}", self.describe()),
            Err(failure) => format!("{}: {}", self.describe(), chain(&failure)),
        }
    }

    fn url(&self) -> String {
        self.address.url.clone()
    }

    fn env(&self) -> Vec<(String, String)> {
        self.address.env()
    }

    fn secrets(&self) -> Vec<String> {
        let is_password = |(name, _): &(String, String)| name == "PGPASSWORD";
        let passwords = self.address.env().into_iter().filter(is_password);
        passwords.map(|(_, password)| password).collect()
    }

    fn size(&self) -> u64 {
        self.rights().map_or(0, |rights| rights.size())
    }

    /// A copy lies at the server; a dump here, compressed, but how well is not known before.
    fn room(&self) -> u64 {
        let dumped = |rights: Rights| match rights.choose(self.forced) {
            Ok((Rung::Dump, _)) => rights.size(),
            _ => 0,
        };
        self.rights().map_or(0, dumped)
    }

    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn check(&self) -> Result<(), Problem> {
        let rights = self
            .try_check()
            .map_err(|failure| self.problem(problem::DATABASE_UNUSABLE, &failure))?;
        match rights.lacks_room(self.address.is_local()) {
            Some((directory, free)) => Err(Problem::new(problem::DISK_SPACE)
                .arg("needed", rights.size())
                .arg("free", free)
                .arg("path", directory)),
            None => Ok(()),
        }
    }

    fn snapshot(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<String, Problem> {
        Snapshot::make(&self.address, to, go_on)
            .map(|snapshot| format!("pg_dump of PostgreSQL {}", snapshot.version))
            .map_err(|failure| self.problem(problem::REHEARSAL_IMPOSSIBLE, &failure))
    }

    fn stage(&self, from: &Path, go_on: &dyn Fn() -> bool) -> Result<Box<dyn Database>, Problem> {
        let (address, private) = stage::stage(&self.address, self.owner(), from, go_on)
            .map_err(|failure| self.problem(problem::REHEARSAL_IMPOSSIBLE, &failure))?;
        Ok(Box::new(Postgres {
            address,
            forced: Some(Rung::Copy),
            cluster: None,
            _private: Some(private),
        }))
    }

    fn fingerprint(&self) -> Result<String, Problem> {
        contents::fingerprint(&self.address)
            .map_err(|failure| self.problem(problem::DATABASE_UNUSABLE, &failure))
    }

    fn counters(&self) -> Result<serde_json::Value, Problem> {
        let unusable = |failure: &Failure| self.problem(problem::DATABASE_UNUSABLE, failure);
        let counters = Counters::of(&self.address).map_err(|failure| unusable(&failure))?;
        serde_json::to_value(counters)
            .map_err(|error| unusable(&Failure::Unsuitable(error.to_string())))
    }

    fn written_since(
        &self,
        counters: &serde_json::Value,
    ) -> Result<Option<Vec<TableChange>>, Problem> {
        // Of another driver, or a driver that could not tell then.
        let Ok(before) = serde_json::from_value::<Counters>(counters.clone()) else {
            return Ok(None);
        };
        Counters::of(&self.address)
            .map(|now| now.since(&before))
            .map_err(|failure| self.problem(problem::DATABASE_UNUSABLE, &failure))
    }

    fn protect(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<String, Problem> {
        self.try_protect(to, go_on).map_err(|failure| {
            let code = match failure {
                Failure::InUse(_) => problem::DATABASE_IN_USE,
                _ => problem::PROTECTION_FAILED,
            };
            self.problem(code, &failure)
        })
    }

    fn restore(&self, from: &Path) -> Result<(), Problem> {
        self.try_restore(from)
            .map_err(|failure| self.problem(problem::SYSTEM, &failure))
    }

    fn forget(&self, from: &Path) -> Result<(), Problem> {
        self.try_forget(from)
            .map_err(|failure| self.problem(problem::SYSTEM, &failure))
    }
}
