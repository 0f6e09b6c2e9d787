//! The CRM, whatever its database: its vendor, its data, its users.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result};
use obnova_demo::programs::{Programs, run};
use obnova_demo::vendor::Vendor;
use serde_json::Value;

use crate::app::{Answer, Clients, Makings};
use crate::round::Scenario;
use crate::world::World;

/// What it is sold as.
pub const PRODUCT: &str = "vzor-crm";
/// Its users, for the centre.
pub const PEOPLE: &str = "SELECT name, email, language, groups FROM app_user WHERE active = 1";
/// Contacts in it: enough that some share an address, which is what the failing migration fails of.
const CONTACTS: &str = "1200";

/// The version that is asked for.
pub fn version(scenario: Scenario) -> &'static str {
    match scenario {
        Scenario::Good => "1.1.0",
        Scenario::MigrationFails => "1.2.0",
        Scenario::Unhealthy => "1.4.0",
        Scenario::Revert => "1.0.0",
    }
}

/// Makes the vendor, who publishes all versions.
///
/// # Errors
/// A program fails.
pub fn publish(makings: &Makings<'_>) -> Result<()> {
    without_symbols(makings)?;
    let programs = Programs {
        obnova: makings.programs.obnova.clone(),
        crm: makings.crm(),
    };
    let vendor = Vendor::make(&programs, &makings.vendor())?;
    let mut versions = Scenario::ALL.map(version);
    versions.sort_unstable();
    versions
        .iter()
        .try_for_each(|version| vendor.publish(version))
}

/// The program is in every release: without what only a debugger reads, it is half as long to copy.
fn without_symbols(makings: &Makings<'_>) -> Result<()> {
    let (program, target) = (&makings.programs.crm, makings.crm());
    std::fs::create_dir_all(target.parent().context("a folder")?)?;
    let stripped = Command::new("strip")
        .arg("-o")
        .arg(&target)
        .arg(program)
        .status();
    if !stripped.is_ok_and(|status| status.success()) {
        std::fs::copy(program, &target)?;
    }
    Ok(())
}

/// Puts contacts into the database, by the program with its address that is given.
///
/// # Errors
/// It fails, with what it said.
pub fn fill(world: &World, mut seed: Command) -> Result<()> {
    let state = world.state_dir();
    run(seed
        .args(["--contacts", CONTACTS, "--today", "2026-11-02"])
        .args(["--tree".as_ref(), state.join("current").as_os_str()])
        .args(["--files".as_ref(), state.join("data/files").as_os_str()]))?;
    Ok(())
}

/// Clients of its interface over HTTP.
pub fn clients(http: reqwest::Client, port: u16) -> Arc<dyn Clients> {
    let base = format!("http://127.0.0.1:{port}");
    Arc::new(People { http, base })
}

struct People {
    http: reqwest::Client,
    base: String,
}

impl People {
    async fn get(&self, path: String) -> Result<Value> {
        let request = self.http.get(format!("{}{path}", self.base));
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}

impl Clients for People {
    fn read(&self) -> Answer<'_, String> {
        Box::pin(async {
            let body = self.get("/api/version".to_owned()).await?;
            Ok(body["version"].as_str().context("no version")?.to_owned())
        })
    }

    fn write<'a>(&'a self, reference: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let body = serde_json::json!({ "kind": "note", "subject": "Při aktualizaci", "reference": reference });
            let request = self
                .http
                .post(format!("{}/api/activities", self.base))
                .json(&body);
            let answer = request.send().await?.error_for_status()?;
            answer.json::<Value>().await?;
            Ok(())
        })
    }

    fn stored<'a>(&'a self, prefix: &'a str) -> Answer<'a, BTreeMap<String, u32>> {
        Box::pin(async move {
            let path = format!("/api/activities/references?prefix={prefix}");
            let body = self.get(path).await?;
            let list = body.as_array().or_else(|| body["references"].as_array());
            let list = list.context("a list of references")?;
            Ok(crate::load::counted(
                list.iter().filter_map(Value::as_str).map(str::to_owned),
            ))
        })
    }
}
