//! Protecting a database and returning it, by every rung, beside what everybody has.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use obnova_engine::Installation;
use obnova_engine::database::{Database, open};
use serde::Serialize;

use super::place::{Ground, run};
use crate::spread::Spread;

/// Rows that something is done to lie before this one, so that a large database does not take longer for what is not measured.
const TOUCHED: u64 = 2_000_000;

/// `pg_dump` in the directory format, quickly compressed, and its return into a new database, two jobs each.
#[derive(Debug, Serialize)]
pub(crate) struct Baseline {
    pub(crate) place: &'static str,
    pub(crate) pg_dump_seconds: f64,
    pub(crate) pg_restore_seconds: f64,
}

/// What a rung costs.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Costs {
    pub(crate) place: &'static str,
    pub(crate) rung: &'static str,
    /// Why it was not measured.
    pub(crate) problem: Option<String>,
    /// Before requests are held.
    pub(crate) prepare_seconds: Spread,
    pub(crate) protect_seconds: Spread,
    pub(crate) return_seconds: Spread,
    /// The return's median, as a part of pg_restore's time.
    pub(crate) return_to_pg_restore: f64,
}

impl Costs {
    pub(crate) fn failed(place: &'static str, rung: &'static str, error: &anyhow::Error) -> Costs {
        Costs {
            place,
            rung,
            problem: Some(format!("{error:#}")),
            ..Costs::default()
        }
    }
}

/// Measures what everybody has, once.
pub(crate) fn baseline(ground: &Ground) -> Result<Baseline> {
    let scratch = tempfile::tempdir_in(&ground.directory)?;
    let dump = scratch.path().join("dump");
    let client = |name| ground.server.client(name, "postgres");
    let pg_dump_seconds = timed(|| {
        run(client("pg_dump")?
            .args(["-Fd", "-j2", "-Z1", "-f"])
            .arg(&dump)
            .arg("crm"))
    })?;
    ground.as_superuser("CREATE DATABASE again OWNER crm TEMPLATE template0")?;
    let pg_restore_seconds = timed(|| {
        let mut restore: Command = client("pg_restore")?;
        run(restore.args(["-j2", "-d", "again"]).arg(&dump))
    })?;
    ground.as_superuser("DROP DATABASE again WITH (FORCE)")?;
    ground.as_superuser("CHECKPOINT")?;
    drop(scratch);
    ground.trim()?;
    let place = ground.place.name;
    eprintln!("{place}: pg_dump {pg_dump_seconds:.2} s, pg_restore {pg_restore_seconds:.2} s");
    Ok(Baseline {
        place,
        pg_dump_seconds,
        pg_restore_seconds,
    })
}

/// Measures a rung.
pub(crate) fn costs(
    ground: &Ground,
    rung: &'static str,
    repetitions: usize,
    baseline: &Baseline,
) -> Result<Costs> {
    let mut costs = Costs {
        place: ground.place.name,
        rung,
        ..Costs::default()
    };
    let repetitions = if rung == "dump" { 1 } else { repetitions };
    for _ in 0..repetitions {
        once(ground, rung, &mut costs)?;
    }
    costs.return_to_pg_restore = costs.return_seconds.median() / baseline.pg_restore_seconds;
    Ok(costs)
}

fn once(ground: &Ground, rung: &str, costs: &mut Costs) -> Result<()> {
    let state = tempfile::tempdir_in(&ground.directory)?;
    let database = driver(ground, state.path(), rung)?;
    let before = sums(ground)?;
    let to = state.path().join("protected/1/database");
    std::fs::create_dir_all(&to)?;
    database.check().map_err(failed)?;
    costs.prepare_seconds.0.push(timed(|| {
        let prepared = database.prepare(&to, &mut |_, _| (), &|| true);
        prepared.map(drop).map_err(failed)
    })?);
    costs.protect_seconds.0.push(timed(|| {
        let protected = database.protect(&to, &|| true);
        protected.map(drop).map_err(failed)
    })?);
    ground.as_application(&format!(
        "ALTER TABLE archive ADD COLUMN phone text; DELETE FROM archive WHERE id % 97 = 0 AND id < {TOUCHED}; \
         CREATE TABLE new (id int)"
    ))?;
    ensure!(sums(ground)? != before, "nothing was changed");
    let returning = timed(|| database.restore(&to).map_err(failed))?;
    costs.return_seconds.0.push(returning);
    let after = patiently(|| sums(ground))?;
    ensure!(
        after == before,
        "it came back as {after} instead of {before}"
    );
    database.forget(&to).map_err(failed)?;
    ground.trim()
}

fn driver(ground: &Ground, state: &Path, rung: &str) -> Result<Box<dyn Database>> {
    let text = format!(
        "product = \"crm\"\n[releases]\nsource = \"repository\"\n{}[front]\nlisten = \"127.0.0.1:0\"\n\
         [center]\nlisten = \"127.0.0.1:0\"\n",
        section(ground, rung, &ground.server.url("crm", "crm"), "")
    );
    std::fs::write(state.join("installation.toml"), text)?;
    Ok(open(&Installation::load(state).map_err(failed)?))
}

/// What an installation file says about the database.
pub(crate) fn section(ground: &Ground, rung: &str, url: &str, more: &str) -> String {
    let cluster = match rung {
        "copy" | "dump" => String::new(),
        _ => format!(
            "[database.cluster]\ndata = \"{}\"\nreplication_user = \"postgres\"\nbase_backup_rate = \"1024M\"\n",
            ground.server.data().display()
        ),
    };
    format!("[database]\ndriver = \"postgres\"\nurl = '{url}'\nrung = \"{rung}\"\n{more}{cluster}")
}

/// Enough to see that it is the database from before.
fn sums(ground: &Ground) -> Result<String> {
    ground.as_application(&format!(
        "SELECT count(*), sum(id), (SELECT max(id) FROM archive), (SELECT count(*) FROM pg_class WHERE relname = 'new') \
         FROM archive WHERE id < {TOUCHED}"
    ))
}

/// A server that was started again may need a moment.
fn patiently<T>(mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        match ask() {
            Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(50)),
            answer => return answer,
        }
    }
}

fn timed(act: impl FnOnce() -> Result<()>) -> Result<f64> {
    let began = Instant::now();
    act()?;
    Ok(began.elapsed().as_secs_f64())
}

fn failed(problem: obnova_engine::api::Problem) -> anyhow::Error {
    anyhow!("{}: {}", problem.code, problem.detail.unwrap_or_default())
}
