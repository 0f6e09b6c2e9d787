//! Every major version of PostgreSQL that is known, each with the rungs that need nothing but the server: what is thin of the
//! contract on all of them, since what a version changed shows there. The servers come as packages; a missing one is an error.
//! Dumps are compared by the client programs of the same version or, where this machine has none, of the next newer one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use obnova_testkit::postgres::Postgres;

use crate::contract::{Subject, protect, restore, same};
use crate::postgres::Server;
use crate::postgres::owned::{self, run};
use crate::{Case, failed};

/// The versions.
const MAJORS: [u32; 6] = [13, 14, 15, 16, 17, 18];

pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (index, major) in MAJORS.into_iter().enumerate() {
        for rung in ["copy", "dump"] {
            cases.push((
                format!("postgres {major} {rung}: protected, counted, and returned byte for byte"),
                Box::new(move |_| tried(index, rung)),
            ));
        }
    }
    cases
}

/// Made when the first case needs it; ends with this process.
fn server(index: usize) -> Result<&'static Postgres> {
    static SERVERS: [OnceLock<Result<Postgres, String>>; MAJORS.len()] =
        [const { OnceLock::new() }; MAJORS.len()];
    let make = || {
        let programs = programs(MAJORS[index])?;
        Postgres::start_in(&std::env::temp_dir(), Some(&programs), &|_| Ok(()))
    };
    SERVERS[index]
        .get_or_init(|| make().map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error}"))
}

fn tried(index: usize, rung: &str) -> Result<()> {
    let subject = Server::new(server(index)?, "crm", rung)?;
    let driver = subject.driver()?;
    driver.check().map_err(failed)?;
    let major = MAJORS[index].to_string();
    ensure!(
        driver.product().contains(&format!("PostgreSQL {major}")),
        "{}",
        driver.product()
    );
    let rights = driver.rights().join("\n");
    ensure!(!rights.is_empty(), "nothing about rights");
    let (before, print) = (subject.now()?, driver.fingerprint().map_err(failed)?);
    let counters = driver.counters().map_err(failed)?;
    protect(&subject)?;
    subject.migrate()?;
    ensure!(before != subject.now()?, "the migration changed nothing");
    let told = driver.written_since(&counters).map_err(failed)?;
    let told = told.context("nothing is told of what was written")?;
    let deals = told.iter().find(|change| change.table.ends_with("deal"));
    ensure!(
        deals.is_some_and(|change| change.updated.is_some_and(|rows| rows > 0)),
        "{told:?}"
    );
    restore(&subject)?;
    same(&before, &subject.now()?)?;
    same(&print, &driver.fingerprint().map_err(failed)?)?;
    driver.forget(&subject.protected()).map_err(failed)?;
    let left = subject.left_over()?;
    ensure!(left.is_empty(), "left over: {left}");
    Ok(())
}

/// Where the packages of tests are.
pub fn packages() -> Result<PathBuf> {
    let program = std::fs::read_link(owned::THIS)?;
    let target = program.ancestors().nth(3).context("no target directory")?;
    Ok(target.join("tools"))
}

/// The programs of a version, at a place that every account gets at: mounted there, for as long as this process lives.
fn programs(major: u32) -> Result<PathBuf> {
    let package = packages()?.join(format!("npm-postgres/node_modules/postgres-{major}"));
    ensure!(
        package.is_dir(),
        "{} is not there: run `cargo xtask test` once",
        package.display()
    );
    link(&package)?;
    let place = owned::mount_there(&package, &format!("programs-{major}"))?;
    Ok(place.join("native/bin"))
}

/// A package holds no links; a list in it says which there should be.
fn link(home: &Path) -> Result<()> {
    let list = std::fs::read(home.join("native/pg-symlinks.json"))?;
    let links: Vec<std::collections::BTreeMap<String, String>> = serde_json::from_slice(&list)?;
    for link in links {
        let target = home.join(&link["target"]);
        if std::fs::symlink_metadata(&target).is_err() {
            // Another process may be doing the same.
            let name = Path::new(&link["source"]).file_name().context("a name")?;
            let _ = std::os::unix::fs::symlink(name, &target);
        }
        ensure!(target.exists(), "{} leads nowhere", target.display());
    }
    run(Command::new("chmod").args(["-R", "a+rX"]).arg(home))?;
    run(Command::new("chmod")
        .args(["-R", "a+x"])
        .arg(home.join("native/bin")))
}
