//! Applications that are updated: how one is laid down, who uses it, and what it holds.
//!
//! An application is one file in `apps/` and one line in `apps.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use obnova_demo::programs::Programs;
use obnova_testkit::fingerprint::Fingerprint;
use obnova_testkit::volume::Kind as Volumes;
use serde::{Deserialize, Serialize};

use crate::fault::Needs;
use crate::round::Scenario;
use crate::world::{Ports, World};
use crate::{apps, postgres};

/// Everything that must be exactly old or exactly new: names and what is there under them.
pub type Contents = BTreeMap<String, String>;

/// What comes of asking an application.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// An application on a database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct App {
    /// Which.
    pub kind: Kind,
    /// How its database is protected, where there is a choice.
    pub rung: Option<String>,
}

/// Which application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The CRM on a SQLite file.
    CrmSqlite,
    /// The CRM on a PostgreSQL server of its own.
    CrmPostgres,
    /// Tryton on a PostgreSQL server of its own.
    Tryton,
}

/// What an application is made of.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sources {
    /// Where `docs/guide/examples/tryton` lies.
    pub example: Option<PathBuf>,
    /// Where packages that were downloaded are kept.
    pub wheels: Option<PathBuf>,
}

/// With what one is made.
pub struct Makings<'a> {
    /// Where what is prepared goes.
    pub directory: &'a Path,
    /// The product's programs and the CRM.
    pub programs: &'a Programs,
    /// What it is made of.
    pub sources: &'a Sources,
}

impl Makings<'_> {
    /// The vendor's folder; what is published lies in `repository` in there.
    pub fn vendor(&self) -> PathBuf {
        self.directory.join("vendor")
    }

    /// The CRM as it is shipped.
    pub fn crm(&self) -> PathBuf {
        self.directory.join("bin/crm")
    }
}

/// An application: everything in which they differ.
pub trait Application: Sync {
    /// Which.
    fn kind(&self) -> Kind;

    /// Its name on the command line and in tables.
    fn name(&self) -> &'static str;

    /// Whether `all` means it too. Not one for which more is needed than Debian's packages, or whose rounds are long.
    fn is_in_all(&self) -> bool {
        true
    }

    /// Ways in which its PostgreSQL server's database can be protected, the usual one first; none where it is on a file.
    fn rungs(&self) -> &'static [&'static str] {
        &[]
    }

    /// What its vendor sells it as.
    fn product(&self) -> &'static str;

    /// The version that is asked for. [`Scenario::Revert`]'s is the first one.
    fn version(&self, scenario: Scenario) -> &'static str;

    /// Makes a vendor in [`Makings::vendor`] who has published all versions. Here is a network; later there is none.
    ///
    /// # Errors
    /// Something is missing, or a program fails.
    fn publish(&self, makings: &Makings<'_>) -> Result<()>;

    /// Its sections of `installation.toml`.
    fn section(&self, folder: &Path, ports: &Ports, rung: &str) -> String;

    /// Files that the installation needs before anything of it runs, by name in the state directory: secrets.
    fn secrets(&self) -> Vec<(&'static str, &'static str)> {
        match self.rungs().is_empty() {
            true => Vec::new(),
            false => vec![("database-password", postgres::PASSWORD)],
        }
    }

    /// Fills the database of the first version, which is set up and does not run.
    ///
    /// # Errors
    /// A program fails.
    fn fill(&self, world: &World, makings: &Makings<'_>) -> Result<()>;

    /// Adds what only the running application can add.
    ///
    /// # Errors
    /// It refuses.
    fn furnish(&self, _world: &World) -> Result<()> {
        Ok(())
    }

    /// Its database's address for the centre, which imports users from it.
    fn import_url(&self, folder: &Path, ports: &Ports) -> String;

    /// The query with which the centre imports them.
    fn people(&self) -> &'static str;

    /// Those who use it through the front.
    fn clients(&self, http: reqwest::Client, port: u16) -> Arc<dyn Clients>;

    /// One request of theirs in so much time.
    fn pace(&self) -> Duration {
        Duration::from_millis(60)
    }

    /// So many requests of theirs under way at most: people wait for their answer. Without end where all that were held are answered at
    /// once.
    fn at_once(&self) -> usize {
        usize::MAX
    }

    /// How many times as long as the CRM anything may take.
    fn slowness(&self) -> u32 {
        1
    }

    /// What its database holds, without what users wrote meanwhile.
    ///
    /// # Errors
    /// It cannot be read.
    fn database(&self, world: &World) -> Result<Fingerprint>;

    /// What an update makes anew differs from one to the next, as the time at which it was made does: puts the same words in place
    /// of that in one value. `before` is what was there before the update.
    fn made_anew<'a>(&self, _before: &'a Contents) -> Box<dyn Fn(&str) -> String + 'a> {
        Box::new(str::to_owned)
    }
}

/// People, or programs, who use an application through the front.
pub trait Clients: Send + Sync {
    /// Reads what needs the database; the answer is the version of the release that answered.
    fn read(&self) -> Answer<'_, String>;

    /// Writes something under this reference.
    fn write<'a>(&'a self, reference: &'a str) -> Answer<'a, ()>;

    /// How often each reference is stored that begins so.
    fn stored<'a>(&'a self, prefix: &'a str) -> Answer<'a, BTreeMap<String, u32>>;
}

impl App {
    /// From the command line.
    ///
    /// # Errors
    /// There is no such application or rung.
    pub fn named(name: &str, rung: Option<&str>) -> Result<App> {
        let all = apps::all();
        let names: Vec<&str> = all.iter().map(|it| it.name()).collect();
        let found = all.iter().find(|it| it.name() == name);
        let found = found
            .with_context(|| format!("no application {name}; there are {}", names.join(", ")))?;
        let rungs = found.rungs();
        if let Some(rung) = rung
            && !rungs.contains(&rung)
        {
            bail!("{name} has no rung {rung}; it has {}", rungs.join(", "));
        }
        Ok(App {
            kind: found.kind(),
            rung: rung.or(rungs.first().copied()).map(str::to_owned),
        })
    }

    /// Its name in tables and of folders.
    pub fn name(&self) -> String {
        let name = self.of().name();
        match &self.rung {
            Some(rung) => format!("{name}-{rung}"),
            None => name.to_owned(),
        }
    }

    /// Those that `all` means: each with each rung.
    pub fn all() -> Vec<App> {
        let mut all = Vec::new();
        for it in apps::all().iter().filter(|it| it.is_in_all()) {
            let app = |rung: Option<&str>| App {
                kind: it.kind(),
                rung: rung.map(str::to_owned),
            };
            match it.rungs() {
                [] => all.push(app(None)),
                rungs => all.extend(rungs.iter().map(|rung| app(Some(rung)))),
            }
        }
        all
    }

    /// What it is like.
    pub fn of(&self) -> &'static dyn Application {
        apps::of(self.kind)
    }

    /// Whether its database is on a PostgreSQL server of its own, and not in a file.
    pub fn has_server(&self) -> bool {
        !self.of().rungs().is_empty()
    }

    /// What must be so before it is laid down.
    pub fn needs(&self) -> Needs {
        match self.rung.as_deref() {
            // Files are cloned.
            Some("file_system") => Needs {
                volume: Some((Volumes::Xfs, 3 << 30)),
                ..Needs::default()
            },
            _ => Needs::default(),
        }
    }

    /// Makes its empty database in a new folder, while it is prepared.
    ///
    /// # Errors
    /// A server is missing.
    pub fn make(&self, folder: &Path) -> Result<()> {
        match self.has_server() {
            true => postgres::make(folder),
            false => Ok(()),
        }
    }

    /// Its sections of `installation.toml`.
    pub fn section(&self, folder: &Path, ports: &Ports) -> String {
        let rung = self.rung.as_deref().unwrap_or_default();
        self.of().section(folder, ports, rung)
    }

    /// The command that is its database server, to be kept running, where it has one.
    ///
    /// # Errors
    /// PostgreSQL is not installed.
    pub fn server(&self, folder: &Path, ports: &Ports) -> Result<Option<Command>> {
        match self.has_server() {
            true => postgres::server(folder, ports).map(Some),
            false => Ok(None),
        }
    }

    /// The process of its server, if one runs.
    pub fn server_pid(&self, folder: &Path) -> Option<i32> {
        self.has_server().then(|| postgres::pid(folder)).flatten()
    }

    /// The file with the rules by which its server lets connections in, where it has one.
    pub fn access_rules(&self, folder: &Path) -> Option<PathBuf> {
        self.has_server().then(|| postgres::access_rules(folder))
    }

    /// How long something may take that takes the CRM at most so long.
    pub fn patience(&self, of_the_crm: Duration) -> Duration {
        of_the_crm * self.of().slowness()
    }

    /// Databases, directories beside the data and the like that nothing needs any more, given the updates whose copies are kept.
    ///
    /// # Errors
    /// It cannot be looked.
    pub fn left_over(&self, world: &World, kept: &[u64]) -> Result<Vec<String>> {
        match self.has_server() {
            true => postgres::left_over(world, kept),
            false => Ok(Vec::new()),
        }
    }
}
