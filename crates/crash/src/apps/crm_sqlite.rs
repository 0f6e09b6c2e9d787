//! The CRM on a SQLite file in the state directory.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::Result;
use obnova_testkit::fingerprint::Fingerprint;

use super::crm;
use crate::app::{Application, Clients, Kind, Makings};
use crate::load::PREFIX;
use crate::round::Scenario;
use crate::world::{Ports, World};

/// See the module.
pub struct CrmSqlite;

impl Application for CrmSqlite {
    fn kind(&self) -> Kind {
        Kind::CrmSqlite
    }

    fn name(&self) -> &'static str {
        "crm-sqlite"
    }

    fn product(&self) -> &'static str {
        crm::PRODUCT
    }

    fn version(&self, scenario: Scenario) -> &'static str {
        crm::version(scenario)
    }

    fn publish(&self, makings: &Makings<'_>) -> Result<()> {
        crm::publish(makings)
    }

    fn section(&self, _folder: &Path, _ports: &Ports, _rung: &str) -> String {
        "[database]\ndriver = \"sqlite\"\npath = \"data/crm.db\"\n".to_owned()
    }

    fn fill(&self, world: &World, makings: &Makings<'_>) -> Result<()> {
        let mut seed = Command::new(makings.crm());
        seed.arg("seed");
        seed.args(["--database", &url(&world.folder)]);
        crm::fill(world, seed)
    }

    fn import_url(&self, folder: &Path, _ports: &Ports) -> String {
        url(folder)
    }

    fn people(&self) -> &'static str {
        crm::PEOPLE
    }

    fn clients(&self, http: reqwest::Client, port: u16) -> Arc<dyn Clients> {
        crm::clients(http, port)
    }

    /// Every row but those of the load, and the counter of their keys.
    fn database(&self, world: &World) -> Result<Fingerprint> {
        let path = world.state_dir().join("data/crm.db");
        let all = world.block_on(Fingerprint::of_sqlite(path))?;
        let left_out: Vec<String> = all
            .entries()
            .filter(|(name, value)| {
                let is_written = name.starts_with("table activity ") && value.contains(PREFIX);
                let is_counter =
                    name.starts_with("table sqlite_sequence ") && value.contains("activity");
                is_written || is_counter
            })
            .map(|(name, _)| name.to_owned())
            .collect();
        Ok(all.without(|name| left_out.iter().any(|it| it == name)))
    }
}

fn url(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("state/data/crm.db").display())
}
