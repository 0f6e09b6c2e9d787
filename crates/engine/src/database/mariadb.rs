//! A MariaDB or MySQL database, on this machine or another. Where the server is this application's alone and its files can
//! be cloned, the whole data directory is; otherwise the database is dumped.

mod address;
mod clone;
mod contents;
mod dump;
mod fence;
mod image;
mod note;
mod private;
mod process;
mod rights;
mod rungs;
mod server;
mod snapshot;
mod stage;
mod tools;

use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

use address::Address;
use failure::Failure;
use note::Note;
use private::Private;
use rights::Rights;
use rungs::Chosen;
use server::Server;
use snapshot::Snapshot;

use crate::api::{Problem, RungFacts, TableChange};
use crate::database::{Database, Spare, account, failure, network, programs, secret};
use crate::durable;
use crate::installation::{MariadbCluster, Rung};
use crate::problem;
use crate::step::chain;

/// Room that stays free beside the data directory.
const MARGIN: u64 = 64 << 20;

/// Looks at what the installation file says.
///
/// # Errors
/// What is wrong with it, without passwords.
pub(crate) fn validate(
    url: &str,
    rung: Option<Rung>,
    cluster: Option<&MariadbCluster>,
) -> Result<(), String> {
    address::validate(url)?;
    if matches!(rung, Some(Rung::Copy | Rung::Standby)) {
        return Err("database.rung: MariaDB has file_system and dump".to_owned());
    }
    match cluster {
        Some(cluster) if cluster.start.is_empty() != cluster.stop.is_empty() => {
            Err("database.cluster: start and stop are given both or not at all".to_owned())
        }
        _ => Ok(()),
    }
}

/// See the module.
pub(super) struct Mariadb {
    address: Address,
    forced: Option<Rung>,
    cluster: Option<MariadbCluster>,
    /// Where a server that is started here says what it does not say in its own log.
    log: PathBuf,
    /// The server of a clone; it ends with this.
    private: Option<Private>,
}

impl Mariadb {
    /// The database at this address. `forced` is a rung to take in any case, `logs` a directory.
    pub(super) fn new(
        url: String,
        password_file: Option<PathBuf>,
        forced: Option<Rung>,
        cluster: Option<MariadbCluster>,
        logs: &Path,
    ) -> Mariadb {
        Mariadb {
            address: Address { url, password_file },
            forced,
            cluster,
            log: logs.join("mariadb.log"),
            private: None,
        }
    }

    fn server(&self) -> Result<Server, Failure> {
        Server::connect(&self.address.options()?)
    }

    fn rights(&self) -> Result<Rights, Failure> {
        Rights::ask(&mut self.server()?, &self.address.database()?)
    }

    /// The way that is taken, what to say about it, and the size.
    fn choose(&self) -> Result<(Chosen, String, u64), Failure> {
        let mut server = self.server()?;
        let rights = Rights::ask(&mut server, &self.address.database()?)?;
        let (chosen, why) = rungs::choose(self, &mut server, &rights)?;
        Ok((chosen, why, rights.size()))
    }

    fn try_check(&self) -> Result<Chosen, Failure> {
        let (mut server, database) = (self.server()?, self.address.database()?);
        let rights = Rights::ask(&mut server, &database)?;
        let (chosen, _) = rungs::choose(self, &mut server, &rights)?;
        if matches!(chosen, Chosen::Dump) {
            let obstacles = rungs::obstacles_to_dump(&mut server, &rights, &database)?;
            if !obstacles.is_empty() {
                return Err(Failure::Unsuitable(obstacles.join("; ")));
            }
            dump::try_schema(&mut server, &self.address, &database)?;
        }
        Ok(chosen)
    }

    fn try_protect(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<String, Failure> {
        note::unset_complete(to)?;
        self.try_forget(to)?;
        durable::remove_dir_all(to)
            .and_then(|()| durable::create_dir_all(to))
            .map_err(|error| Failure::disk(to, error))?;
        let (mut server, database) = (self.server()?, self.address.database()?);
        let rights = Rights::ask(&mut server, &database)?;
        let (chosen, why) = rungs::choose(self, &mut server, &rights)?;
        let creation = dump::creation(&mut server, &database)?;
        let others = match chosen {
            Chosen::FileSystem(data, starting) => {
                self.make_log()?;
                let clones = clone::names(data, starting, to)?;
                let note = Note {
                    rung: Rung::FileSystem,
                    creation,
                    sequences: Vec::new(),
                    clones: Some(clones.clone()),
                };
                note.write(to)?;
                let others = self.shut_out(&mut server, &rights, to)?;
                // It would only be cut off.
                drop(server);
                clone::protect(&clones, &self.address, to, &self.log, go_on)?;
                others
            }
            Chosen::Dump => {
                let note = Note {
                    rung: Rung::Dump,
                    creation,
                    sequences: dump::sequences(&mut server, &database)?,
                    clones: None,
                };
                note.write(to)?;
                let others = self.shut_out(&mut server, &rights, to)?;
                dump::protect(&mut server, &self.address, &database, to, go_on)?;
                others
            }
        };
        Ok(format!("{why}, {} bytes; {others}", rights.size()))
    }

    fn shut_out(&self, server: &mut Server, rights: &Rights, to: &Path) -> Result<String, Failure> {
        let (database, user) = (self.address.database()?, self.address.user()?);
        fence::shut(server, rights, &database, &user, to)
    }

    fn try_admit(&self, from: &Path) -> Result<(), Failure> {
        match fence::stands(from)? {
            true => fence::give_back(&mut self.server()?, from),
            false => Ok(()),
        }
    }

    fn try_keep_out(&self, to: &Path) -> Result<(), Failure> {
        match fence::stands(to)? {
            true => fence::shut_again(&mut self.server()?, to),
            false => Ok(()),
        }
    }

    fn try_restore(&self, from: &Path) -> Result<(), Failure> {
        let Some(note) = Note::read(from)? else {
            return Ok(());
        };
        self.make_log()?;
        match (&note.clones, note::is_complete(from)) {
            (Some(clones), true) => clone::restore(clones, &self.address, &self.log),
            (Some(clones), false) => clone::give_up(clones, &self.address, &self.log),
            (None, true) => {
                let database = self.address.database()?;
                dump::restore(
                    &mut self.server()?,
                    &self.address,
                    &database,
                    from,
                    &note.creation,
                    &note.sequences,
                )
            }
            // Nothing but a file was written.
            (None, false) => Ok(()),
        }?;
        // In a server that was returned as a whole they are locked as they were then.
        match note.clones.is_some() || fence::stands(from)? {
            true => fence::give_back(&mut self.server()?, from),
            false => Ok(()),
        }
    }

    fn try_forget(&self, from: &Path) -> Result<(), Failure> {
        self.try_admit(from)?;
        if let Some(clones) = Note::read(from)?.and_then(|note| note.clones) {
            clone::forget(&clones)?;
        }
        fence::forget(from)
    }

    fn make_log(&self) -> Result<(), Failure> {
        let directory = self.log.parent().unwrap_or(Path::new("/"));
        durable::create_dir_all(directory).map_err(|error| Failure::disk(directory, error))
    }

    fn problem(&self, code: &str, failure: &Failure) -> Problem {
        let place = self.address.describe();
        Problem::new(code)
            .arg("database", &place)
            .arg("path", place)
            .detail(chain(failure))
    }
}

impl Database for Mariadb {
    fn product(&self) -> String {
        let row = self
            .server()
            .and_then(|mut server| server.text("SELECT VERSION()"));
        match row {
            // Such as `10.11.14-MariaDB-0+deb12u2`, and of MySQL `8.0.44`.
            Ok(Some(version)) => match version.split_once("-MariaDB") {
                Some((number, _)) => format!("MariaDB {number}"),
                None => format!("MySQL {version}"),
            },
            _ => "MariaDB".to_owned(),
        }
    }

    fn describe(&self) -> String {
        self.address.describe()
    }

    fn plan(&self) -> String {
        match self.choose() {
            Ok((_, why, size)) => format!("{}, {size} bytes: {why}", self.describe()),
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
        let env = self.address.env().into_iter();
        env.map(|(_, password)| password).collect()
    }

    fn size(&self) -> u64 {
        self.rights().map_or(0, |rights| rights.size())
    }

    /// A dump lies here, as text: binary values take two bytes for one. Clones share what they hold with the original.
    fn room(&self) -> u64 {
        match self.choose() {
            Ok((Chosen::Dump, _, size)) => 2 * size,
            _ => 0,
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn socket(&self) -> Option<PathBuf> {
        self.address.socket()
    }

    fn check(&self) -> Result<(), Problem> {
        let chosen = self
            .try_check()
            .map_err(|failure| self.problem(problem::DATABASE_UNUSABLE, &failure))?;
        let Chosen::FileSystem(data, _) = chosen else {
            return Ok(());
        };
        // What is written after cloning takes room of its own; the way back does not.
        let needed = rungs::data_size(&data) / 10 + MARGIN;
        let free = statvfs(&data).map_or(u64::MAX, |it| it.f_bavail * it.f_frsize);
        match free < needed {
            true => Err(Problem::new(problem::DISK_SPACE)
                .arg("needed", needed)
                .arg("free", free)
                .arg("path", data.display())),
            false => Ok(()),
        }
    }

    fn snapshot(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<String, Problem> {
        Snapshot::make(self, to, true, go_on)
            .map(|snapshot| snapshot.how)
            .map_err(|failure| self.problem(problem::REHEARSAL_IMPOSSIBLE, &failure))
    }

    fn stage(&self, from: &Path, go_on: &dyn Fn() -> bool) -> Result<Box<dyn Database>, Problem> {
        let (address, private) = stage::stage(&self.address, from, go_on)
            .map_err(|failure| self.problem(problem::REHEARSAL_IMPOSSIBLE, &failure))?;
        // As the original is, or else a forecast would be one of something else.
        let rung = match private.whole() {
            Some(_) => Rung::FileSystem,
            None => Rung::Dump,
        };
        Ok(Box::new(Mariadb {
            address,
            forced: Some(rung),
            cluster: None,
            log: from.join("server.log"),
            private: Some(private),
        }))
    }

    fn export(&self, to: &Path, go_on: &dyn Fn() -> bool) -> Result<(), Problem> {
        // What its own tools read is a dump.
        Snapshot::make(self, to, false, go_on)
            .map(drop)
            .map_err(|failure| self.problem(problem::SYSTEM, &failure))
    }

    fn fingerprint(&self) -> Result<String, Problem> {
        contents::fingerprint(&self.address)
            .map_err(|failure| self.problem(problem::DATABASE_UNUSABLE, &failure))
    }

    fn rungs(&self, measure: bool) -> Vec<RungFacts> {
        rungs::facts(self, measure).unwrap_or_default()
    }

    fn rights(&self) -> Vec<String> {
        match self.rights() {
            Ok(rights) => rights.told(),
            Err(failure) => vec![chain(&failure)],
        }
    }

    fn counters(&self) -> Result<serde_json::Value, Problem> {
        contents::counters(&self.address)
            .map_err(|failure| self.problem(problem::DATABASE_UNUSABLE, &failure))
    }

    fn written_since(
        &self,
        counters: &serde_json::Value,
    ) -> Result<Option<Vec<TableChange>>, Problem> {
        contents::written_since(&self.address, counters)
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

    fn spare(&self, _kept: &Path, _to: &Path, _go_on: &dyn Fn() -> bool) -> Result<Spare, Problem> {
        Ok(Spare::OnlyRead)
    }

    fn protected_size(&self, from: &Path) -> u64 {
        match Note::read(from).ok().flatten().and_then(|note| note.clones) {
            Some(clones) => rungs::data_size(&clones.copy),
            None => crate::files::size(from),
        }
    }

    fn admit(&self, protected: &Path) -> Result<(), Problem> {
        self.try_admit(protected)
            .map_err(|failure| self.problem(problem::SYSTEM, &failure))
    }

    fn keep_out(&self, protected: &Path) -> Result<(), Problem> {
        self.try_keep_out(protected)
            .map_err(|failure| self.problem(problem::SYSTEM, &failure))
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

/// See `outside.rs`.
#[cfg(any(test, fuzzing))]
pub(super) fn notes() -> Vec<crate::outside::Reader> {
    use crate::outside::again;
    vec![
        again::<note::Note>,
        again::<note::Clones>,
        again::<fence::Fence>,
        again::<process::Starting>,
        again::<image::Image>,
        again::<snapshot::Snapshot>,
    ]
}
