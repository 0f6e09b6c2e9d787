//! Applications that are updated: how one is laid down, and what it holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use obnova_testkit::fingerprint::Fingerprint;
use obnova_testkit::volume::Kind as Volumes;
use serde::{Deserialize, Serialize};

use crate::apps::{crm_postgres, crm_sqlite};
use crate::fault::Needs;
use crate::world::{Ports, World};

/// Everything that must be exactly old or exactly new: names and what is there under them.
pub type Contents = BTreeMap<String, String>;

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
}

impl App {
    /// From the command line.
    ///
    /// # Errors
    /// There is no such application or rung.
    pub fn named(name: &str, rung: Option<&str>) -> Result<App> {
        let kind = match name {
            "crm-sqlite" => Kind::CrmSqlite,
            "crm-postgres" => Kind::CrmPostgres,
            other => bail!("no application {other}; there are crm-sqlite and crm-postgres"),
        };
        let rung = match (kind, rung) {
            (Kind::CrmSqlite, None) => None,
            (Kind::CrmSqlite, Some(rung)) => bail!("SQLite has no rung {rung}"),
            (Kind::CrmPostgres, rung) => Some(rung.unwrap_or("copy").to_owned()),
        };
        if let Some(rung) = rung.as_deref()
            && !crm_postgres::RUNGS.contains(&rung)
        {
            bail!(
                "no rung {rung}; there are {}",
                crm_postgres::RUNGS.join(", ")
            );
        }
        Ok(App { kind, rung })
    }

    /// Its name in tables and of folders.
    pub fn name(&self) -> String {
        let name = match self.kind {
            Kind::CrmSqlite => "crm-sqlite",
            Kind::CrmPostgres => "crm-postgres",
        };
        match &self.rung {
            Some(rung) => format!("{name}-{rung}"),
            None => name.to_owned(),
        }
    }

    /// All of them.
    pub fn all() -> Vec<App> {
        let sqlite = App {
            kind: Kind::CrmSqlite,
            rung: None,
        };
        let postgres = crm_postgres::RUNGS.iter().map(|rung| App {
            kind: Kind::CrmPostgres,
            rung: Some((*rung).to_owned()),
        });
        std::iter::once(sqlite).chain(postgres).collect()
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
        match self.kind {
            Kind::CrmSqlite => Ok(()),
            Kind::CrmPostgres => crm_postgres::make(folder),
        }
    }

    /// Its section of `installation.toml`.
    pub fn section(&self, folder: &Path, ports: &Ports) -> String {
        match self.kind {
            Kind::CrmSqlite => crm_sqlite::section(),
            Kind::CrmPostgres => {
                crm_postgres::section(folder, ports, self.rung.as_deref().unwrap_or_default())
            }
        }
    }

    /// Its database's address, as the CRM takes it.
    pub fn url(&self, folder: &Path, ports: &Ports) -> String {
        match self.kind {
            Kind::CrmSqlite => crm_sqlite::url(folder),
            Kind::CrmPostgres => crm_postgres::url(ports),
        }
    }

    /// The same for the centre, which imports users from it.
    pub fn import_url(&self, folder: &Path, ports: &Ports) -> String {
        match self.kind {
            Kind::CrmSqlite => crm_sqlite::url(folder),
            Kind::CrmPostgres => crm_postgres::import_url(ports),
        }
    }

    /// What the CRM needs in its environment to get in.
    pub fn env(&self) -> Option<(&'static str, &'static str)> {
        match self.kind {
            Kind::CrmSqlite => None,
            Kind::CrmPostgres => Some(("PGPASSWORD", crm_postgres::PASSWORD)),
        }
    }

    /// The command that is its database server, to be kept running, where it has one.
    ///
    /// # Errors
    /// PostgreSQL is not installed.
    pub fn server(&self, folder: &Path, ports: &Ports) -> Result<Option<Command>> {
        match self.kind {
            Kind::CrmSqlite => Ok(None),
            Kind::CrmPostgres => crm_postgres::server(folder, ports).map(Some),
        }
    }

    /// The process of its server, if one runs.
    pub fn server_pid(&self, folder: &Path) -> Option<i32> {
        match self.kind {
            Kind::CrmSqlite => None,
            Kind::CrmPostgres => crm_postgres::pid(folder),
        }
    }

    /// The file with the rules by which its server lets connections in, where it has one.
    pub fn access_rules(&self, folder: &Path) -> Option<PathBuf> {
        match self.kind {
            Kind::CrmSqlite => None,
            Kind::CrmPostgres => Some(crm_postgres::access_rules(folder)),
        }
    }

    /// What its database holds, without what users wrote meanwhile and without times of migrations.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn database(&self, world: &World) -> Result<Fingerprint> {
        match self.kind {
            Kind::CrmSqlite => crm_sqlite::database(world),
            Kind::CrmPostgres => crm_postgres::database(world),
        }
    }

    /// Databases, directories beside the data and the like that nothing needs any more, given the updates whose copies are kept.
    ///
    /// # Errors
    /// It cannot be looked.
    pub fn left_over(&self, world: &World, kept: &[u64]) -> Result<Vec<String>> {
        match self.kind {
            Kind::CrmSqlite => Ok(Vec::new()),
            Kind::CrmPostgres => crm_postgres::left_over(world, kept),
        }
    }
}
