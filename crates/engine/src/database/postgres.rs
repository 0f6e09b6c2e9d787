//! A PostgreSQL database, on this machine or another. How it is protected is chosen from a ladder of rungs by what the
//! server, its version and the role's rights allow.
//!
//! Which database is the one before the update is known by its OID, not by its name: the note in the protected directory says
//! the copy's, and where that one has the database's name, all is as before.

mod access;
mod address;
mod base_backup;
mod clone;
mod cluster;
mod contents;
mod copy;
mod dump;
mod facts;
mod fence;
mod ladder;
mod note;
mod own;
mod place;
mod postmaster;
mod private;
mod properties;
mod refill;
mod rights;
mod sample;
mod server;
mod service;
mod snapshot;
mod stage;
mod standby;
mod tools;

#[cfg(any(test, fuzzing))]
pub(super) use note::readers as notes;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use address::Address;
use cluster::Cluster;
use contents::Counters;
use failure::Failure;
use ladder::Ladder;
use note::Note;
use place::Place;
use private::Private;
use properties::Properties;
use rights::Rights;
use server::Server;
use snapshot::Snapshot;

use crate::api::{Problem, RungFacts, TableChange};
use crate::database::{Database, Spare, account, failure, network, programs, secret};
use crate::durable;
use crate::installation::{self, Rung};
use crate::problem;
use crate::step::chain;

pub(crate) use address::validate;
pub(crate) use service::{file as service_file, url as of_service};

/// See the module.
pub(super) struct Postgres {
    address: Address,
    forced: Option<Rung>,
    cluster: Option<Cluster>,
    /// Further roles that are let in while others are kept out.
    roles: Vec<String>,
    /// What was found out when protecting was prepared, so that it is not found out again while requests are held.
    surveyed: Mutex<Option<Ladder>>,
    /// The server, if it is one of our own that ends with this.
    _private: Option<Private>,
}

impl Postgres {
    /// The database at this address. `maintenance` is another one of the same server; `forced` a rung to take in any case;
    /// `cluster` what is known about a cluster that is this application's alone; `roles` are those of the application beside the
    /// one of the address.
    pub(super) fn new(
        url: String,
        password_file: Option<PathBuf>,
        maintenance: String,
        forced: Option<Rung>,
        cluster: Option<installation::Cluster>,
        roles: Vec<String>,
    ) -> Postgres {
        Postgres {
            address: Address {
                url,
                password_file,
                maintenance,
                admin: None,
            },
            forced,
            cluster: cluster.map(Cluster::new),
            roles,
            surveyed: Mutex::new(None),
            _private: None,
        }
    }

    fn server(&self) -> Result<Server, Failure> {
        if let Some(cluster) = &self.cluster {
            cluster.revive()?;
        }
        Server::connect(self.address.options(&self.address.maintenance)?)
    }

    fn cluster(&self) -> Result<&Cluster, Failure> {
        self.cluster.as_ref().ok_or_else(|| {
            Failure::Unsuitable(
                "the copy is of a whole cluster, and the installation file has no database.cluster any more".to_owned(),
            )
        })
    }

    fn ask_rights(&self) -> Result<Rights, Failure> {
        Rights::ask(&mut self.server()?, &self.address.database()?)
    }

    fn survey(&self) -> Result<(Server, Ladder), Failure> {
        let mut server = self.server()?;
        let ladder = Ladder::survey(&self.address, self.cluster.as_ref(), &mut server)?;
        Ok((server, ladder))
    }

    fn surveyed(&self) -> MutexGuard<'_, Option<Ladder>> {
        self.surveyed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As found out a moment ago, if it was; whether the cluster is still this application's alone is asked again.
    fn survey_again(&self) -> Result<(Server, Ladder), Failure> {
        let Some(ladder) = self.surveyed().take() else {
            return self.survey();
        };
        let mut server = self.server()?;
        if let (Rung::FileSystem, Some(cluster)) = (ladder.choose(self.forced)?, &self.cluster) {
            let database = self.address.database()?;
            let found = own::new_obstacles(cluster, &mut server, &database);
            if !found.is_empty() {
                return Err(Failure::Unsuitable(found.join("; ")));
            }
        }
        Ok((server, ladder))
    }

    fn try_check(&self) -> Result<(Rung, Ladder), Failure> {
        let (mut server, ladder) = self.survey()?;
        let rung = ladder.choose(self.forced)?;
        // The application gets in, too.
        let database = self.address.database()?;
        Server::connect(self.address.options(&database)?)?;
        if matches!(rung, Rung::Copy | Rung::Dump) {
            let anew = rung == Rung::Dump && ladder.is_in_place();
            let properties = Properties::of(&mut server, &database)?;
            properties.try_to_give(&mut server, &database, anew)?;
        }
        if rung == Rung::Dump {
            for tool in ["pg_dump", "pg_restore", "psql"] {
                tools::find(tool, ladder.rights.version())?;
            }
        }
        Ok((rung, ladder))
    }

    fn try_prepare(
        &self,
        to: &Path,
        progress: &mut dyn FnMut(u64, u64),
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<String>, Failure> {
        self.try_forget(to)?;
        *self.surveyed() = None;
        let (mut server, ladder) = self.survey()?;
        let rung = ladder.choose(self.forced)?;
        match (rung, &ladder.replication) {
            (Rung::Standby, Some(replication)) => {
                let cluster = self.cluster()?;
                cluster.make_directory(&cluster.beside())?;
                clone::check_room(&cluster.beside(), crate::files::size(cluster.data()))?;
                let place = Place::make(cluster, to, Rung::Standby)?;
                let size = ladder.rights.size();
                standby::prepare(cluster, &place, replication, size, progress, go_on)?;
                Ok(Some(format!("a standby in {}", place.copy().display())))
            }
            (Rung::FileSystem, _) => {
                // What is written now need not be when the server is stopped. Not every role may ask for that.
                let asked = server.run("CHECKPOINT").is_ok();
                *self.surveyed() = Some(ladder);
                Ok(asked.then(|| "what was in memory is on the disk".to_owned()))
            }
            _ => Ok(None),
        }
    }

    fn try_protect(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<String, Failure> {
        let is_promised = standby::take_promise(to)?;
        note::unset_complete(to)?;
        let place = Place::read(to)?;
        let prepared = place.as_ref().filter(|place| place.is_prepared());
        if let (Some(place), Some(cluster)) = (prepared, &self.cluster) {
            let mut server = self.server()?;
            let others = self.shut_out(&mut server, to)?;
            standby::protect(cluster, place, &mut server, &self.address, to, go_on)?;
            return Ok(format!("rung standby: frozen; {others}"));
        }
        if let Some(place) = place.filter(|_| is_promised) {
            // Making it anew would take its time, and requests are held.
            return Err(standby::gone(&place));
        }
        self.try_forget(to)?;
        durable::remove_dir_all(to)
            .and_then(|()| durable::create_dir_all(to))
            .map_err(|error| Failure::disk(to, error))?;
        let (mut server, ladder) = self.survey_again()?;
        let rung = ladder.choose(self.forced)?;
        let others = match (rung, ladder.means) {
            (Rung::FileSystem, Some(means)) => {
                let cluster = self.cluster()?;
                let place = Place::make(cluster, to, rung)?;
                let others = self.shut_out(&mut server, to)?;
                drop(server);
                place.protect(cluster, to, means, go_on)?;
                others
            }
            (Rung::FileSystem | Rung::Standby, _) => {
                self.try_prepare(to, &mut |_, _| (), go_on)?;
                return self.try_protect(to, go_on);
            }
            _ => self.protect_database(&mut server, &ladder, rung, to, go_on)?,
        };
        let how = ladder.describe(rung);
        Ok(format!("{how}, {} bytes; {others}", ladder.rights.size()))
    }

    fn protect_database(
        &self,
        server: &mut Server,
        ladder: &Ladder,
        rung: Rung,
        to: &Path,
        go_on: &dyn Fn() -> bool,
    ) -> Result<String, Failure> {
        let database = self.address.database()?;
        let (copy, replaced) = note::free_names(server, &database, to)?;
        let note = Note {
            rung,
            copy,
            replaced,
            oid: None,
            in_place: ladder.is_in_place(),
            properties: Properties::of(server, &database)?,
            creation: dump::creation(server, &database)?,
        };
        note.write(to)?;
        let others = self.shut_out(server, to)?;
        match rung {
            Rung::Dump => dump::protect(server, &self.address, &database, to, go_on)?,
            _ => copy::protect(server, &database, to, note, ladder.rights.version(), go_on)?,
        }
        Ok(others)
    }

    fn shut_out(&self, server: &mut Server, to: &Path) -> Result<String, Failure> {
        fence::shut(server, &self.address.database()?, &self.insiders()?, to)
    }

    fn insiders(&self) -> Result<Vec<String>, Failure> {
        let user = self.address.user()?;
        Ok([user].into_iter().chain(self.roles.clone()).collect())
    }

    fn try_restore(&self, from: &Path) -> Result<(), Failure> {
        let database = self.address.database()?;
        if let Some(place) = Place::read(from)? {
            let cluster = self.cluster()?;
            if note::is_complete(from) {
                let means = clone::prove(cluster.data(), &cluster.beside()).ok();
                place.restore(cluster, means)?;
            } else {
                cluster.start(Some(&place.launch))?;
            }
            return fence::give_back(&mut self.server()?, &database, from);
        }
        let Some(note) = Note::read(from)? else {
            return Ok(());
        };
        let mut server = self.server()?;
        match (note::is_complete(from), note.rung) {
            (false, _) => {
                // It may have been closed for the copying.
                server.open(&database)?;
                server.drop(&note.copy)?;
            }
            (_, Rung::Dump) => dump::restore(&mut server, &self.address, &database, from, note)?,
            _ => copy::place(&mut server, &database, &note)?,
        }
        fence::give_back(&mut server, &database, from)
    }

    fn try_lift(&self, from: &Path) -> Result<(), Failure> {
        match fence::stands(from)? {
            true => fence::lift(&mut self.server()?, &self.address.database()?, from),
            false => Ok(()),
        }
    }

    fn try_shut_again(&self, to: &Path) -> Result<(), Failure> {
        let database = self.address.database()?;
        fence::shut_again(&mut self.server()?, &database, &self.insiders()?, to)
    }

    fn try_forget(&self, from: &Path) -> Result<(), Failure> {
        if let Some(place) = Place::read(from)? {
            let cluster = self.cluster()?;
            cluster.revive()?;
            self.try_lift(from)?;
            standby::take_promise(from)?;
            place.forget(cluster)?;
            Place::unwrite(from)?;
            return fence::forget(from);
        }
        let Some(note) = Note::read(from)? else {
            return Ok(());
        };
        let mut server = self.server()?;
        fence::lift(&mut server, &self.address.database()?, from)?;
        // Both names are ours; the database itself never has one of them.
        server.drop(&note.replaced)?;
        server.drop(&note.copy)?;
        fence::forget(from)
    }

    fn try_spare(&self, kept: &Path, to: &Path, go_on: &dyn Fn() -> bool) -> Result<(), Failure> {
        durable::create_dir_all(to).map_err(|error| Failure::disk(to, error))?;
        if let Some(place) = Place::read(kept)? {
            let cluster = self.cluster()?;
            let means = match clone::prove(cluster.data(), &cluster.beside()) {
                Ok(means) => means,
                // Where nothing is cloned, it is copied: that takes its time, while the application works.
                Err(_) => {
                    clone::check_room(&cluster.beside(), place.size())?;
                    clone::Means::Reflink
                }
            };
            fence::copy(kept, to)?;
            return place.spare(cluster, to, means, go_on);
        }
        let Some(note) = Note::read(kept)? else {
            return Err(Failure::Unsuitable("there is no copy".to_owned()));
        };
        let (mut server, database) = (self.server()?, self.address.database()?);
        let (copy, replaced) = note::free_names(&mut server, &database, to)?;
        let second = Note {
            copy,
            replaced,
            oid: None,
            ..note.clone()
        };
        second.write(to)?;
        match note.rung {
            Rung::Dump => dump::spare(kept, to, go_on),
            _ => {
                let version = self.ask_rights()?.version();
                copy::spare(&mut server, &note, to, second, version, go_on)
            }
        }
    }

    /// Two copies at the server: the second one of the copy that is returned to, and that of what is left by returning.
    fn check_room_to_spare(&self, kept: &Path) -> Result<(), Problem> {
        let sizes = || {
            let copy = Note::read(kept)?.filter(|note| note.rung == Rung::Copy);
            let Some(copy) = copy else { return Ok(None) };
            let mut server = self.server()?;
            let needed = server.size(&copy.copy)? + server.size(&self.address.database()?)?;
            Ok(Some((self.ask_rights()?, needed)))
        };
        match sizes() {
            Ok(Some((rights, needed))) => rights.check_room(self.address.is_local(), needed),
            Ok(None) => Ok(()),
            Err(failure) => Err(self.problem(problem::PROTECTION_FAILED, &failure)),
        }
    }

    fn problem(&self, code: &str, failure: &Failure) -> Problem {
        let place = self.address.describe();
        Problem::new(code)
            .arg("database", &place)
            .arg("path", place)
            .detail(chain(failure))
    }
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

impl Database for Postgres {
    fn product(&self) -> String {
        const VERSION: &str =
            "SELECT to_json(current_setting('server_version'))::text WHERE $1 IS NOT NULL";
        let version = self
            .server()
            .and_then(|mut server| server.ask::<String>(VERSION, ""));
        match version {
            // Of Debian's `15.14 (Debian 15.14-0+deb12u1)` the number.
            Ok(Some(version)) => format!("PostgreSQL {}", first_word(&version)),
            _ => "PostgreSQL".to_owned(),
        }
    }

    fn describe(&self) -> String {
        self.address.describe()
    }

    fn plan(&self) -> String {
        let how = self.survey().and_then(|(_, ladder)| {
            let rung = ladder.choose(self.forced)?;
            Ok((ladder.describe(rung), ladder.rights.size()))
        });
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
        self.ask_rights().map_or(0, |rights| rights.size())
    }

    /// A copy lies at the server; a dump here, compressed, but how well is not known before.
    fn room(&self) -> u64 {
        let dumped = |(_, ladder): (Server, Ladder)| match ladder.choose(self.forced) {
            Ok(Rung::Dump) => ladder.rights.size(),
            _ => 0,
        };
        self.survey().map_or(0, dumped)
    }

    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn socket(&self) -> Option<PathBuf> {
        self.address.socket()
    }

    fn check(&self) -> Result<(), Problem> {
        let (rung, ladder) = self
            .try_check()
            .map_err(|failure| self.problem(problem::DATABASE_UNUSABLE, &failure))?;
        // What is cloned takes no room.
        let is_local = self.address.is_local() && rung != Rung::FileSystem;
        // A dump that goes back into the same database takes none there either.
        let takes_room = is_local && !(rung == Rung::Dump && ladder.is_in_place());
        ladder.rights.check_room(takes_room, ladder.rights.size())
    }

    fn prepare(
        &self,
        to: &Path,
        progress: &mut dyn FnMut(u64, u64),
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<String>, Problem> {
        self.try_prepare(to, progress, go_on)
            .and_then(|how| standby::promise(to).map(|()| how))
            .map_err(|failure| self.problem(problem::PROTECTION_FAILED, &failure))
    }

    fn rungs(&self, measure: bool) -> Vec<RungFacts> {
        facts::rungs(self, measure)
    }

    fn rights(&self) -> Vec<String> {
        match self.ask_rights() {
            Ok(rights) => rights.describe(),
            Err(failure) => vec![chain(&failure)],
        }
    }

    fn spare(&self, kept: &Path, to: &Path, go_on: &dyn Fn() -> bool) -> Result<Spare, Problem> {
        self.check_room_to_spare(kept)?;
        self.try_spare(kept, to, go_on)
            .map(|()| Spare::Made)
            .map_err(|failure| self.problem(problem::PROTECTION_FAILED, &failure))
    }

    fn protected_size(&self, from: &Path) -> u64 {
        let elsewhere = match (Place::read(from), Note::read(from)) {
            (Ok(Some(place)), _) => Ok(place.size()),
            (_, Ok(Some(note))) => self.server().and_then(|mut server| server.size(&note.copy)),
            _ => Ok(0),
        };
        crate::files::size(from) + elsewhere.unwrap_or(0)
    }

    fn snapshot(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<String, Problem> {
        Snapshot::make(&self.address, to, go_on)
            .map(|snapshot| format!("pg_dump of PostgreSQL {}", snapshot.version))
            .map_err(|failure| self.problem(problem::REHEARSAL_IMPOSSIBLE, &failure))
    }

    fn stage(&self, from: &Path, go_on: &dyn Fn() -> bool) -> Result<Box<dyn Database>, Problem> {
        let (address, private) = stage::stage(&self.address, self.cluster.as_ref(), from, go_on)
            .map_err(|failure| self.problem(problem::REHEARSAL_IMPOSSIBLE, &failure))?;
        Ok(Box::new(Postgres {
            address,
            forced: Some(Rung::Copy),
            cluster: None,
            roles: self.roles.clone(),
            surveyed: Mutex::new(None),
            _private: Some(private),
        }))
    }

    fn fingerprint(&self) -> Result<String, Problem> {
        contents::fingerprint(&self.address)
            .map_err(|failure| self.problem(problem::DATABASE_UNUSABLE, &failure))
    }

    fn counters(&self) -> Result<serde_json::Value, Problem> {
        let unusable = |failure: &Failure| self.problem(problem::DATABASE_UNUSABLE, failure);
        // Requests are held: what was written in the last second before may count as written since.
        let counters = Counters::at_once(&self.address).map_err(|failure| unusable(&failure))?;
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
        Counters::settled(&self.address)
            .map(|now| now.since(&before))
            .map_err(|failure| self.problem(problem::DATABASE_UNUSABLE, &failure))
    }

    fn protect(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<String, Problem> {
        self.try_protect(to, go_on).map_err(|failure| {
            let database = self.address.database();
            let given = database.and_then(|it| fence::give_back(&mut self.server()?, &it, to));
            if let Err(error) = given {
                // Undoing does it, then.
                tracing::warn!(
                    error = chain(&error),
                    "others are still kept out of the database"
                );
            }
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

    fn admit(&self, protected: &Path) -> Result<(), Problem> {
        self.try_lift(protected)
            .map_err(|failure| self.problem(problem::SYSTEM, &failure))
    }

    fn keep_out(&self, protected: &Path) -> Result<(), Problem> {
        self.try_shut_again(protected)
            .map_err(|failure| self.problem(problem::SYSTEM, &failure))
    }

    fn forget(&self, from: &Path) -> Result<(), Problem> {
        self.try_forget(from)
            .map_err(|failure| self.problem(problem::SYSTEM, &failure))
    }
}
