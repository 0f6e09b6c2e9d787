//! The CRM on a PostgreSQL server of its own.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::Result;
use obnova_testkit::fingerprint::Fingerprint;

use super::crm;
use crate::app::{Application, Clients, Kind, Makings};
use crate::load::PREFIX;
use crate::postgres;
use crate::round::Scenario;
use crate::world::{Ports, World};

/// See the module.
pub struct CrmPostgres;

impl Application for CrmPostgres {
    fn kind(&self) -> Kind {
        Kind::CrmPostgres
    }

    fn name(&self) -> &'static str {
        "crm-postgres"
    }

    fn rungs(&self) -> &'static [&'static str] {
        &postgres::RUNGS
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

    fn section(&self, folder: &Path, ports: &Ports, rung: &str) -> String {
        postgres::section(folder, ports, rung)
    }

    fn fill(&self, world: &World, makings: &Makings<'_>) -> Result<()> {
        let mut seed = Command::new(makings.crm());
        seed.arg("seed");
        seed.args(["--database", &postgres::url(&world.ports)])
            .env("PGPASSWORD", postgres::PASSWORD);
        crm::fill(world, seed)
    }

    fn import_url(&self, _folder: &Path, ports: &Ports) -> String {
        postgres::import_url(ports)
    }

    fn people(&self) -> &'static str {
        crm::PEOPLE
    }

    fn clients(&self, http: reqwest::Client, port: u16) -> Arc<dyn Clients> {
        crm::clients(http, port)
    }

    /// Without the load's rows and the counter of their keys.
    fn database(&self, world: &World) -> Result<Fingerprint> {
        let text = postgres::dump(world)?;
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.contains(PREFIX) && !line.contains("activity_id_seq', "))
            .collect();
        // The load's rows shift others in the file, not in their order.
        Ok(Fingerprint::of_text(&lines.join("\n")))
    }
}
