//! A rehearsal of an application that keeps its data on a PostgreSQL server, reached over loopback with a password.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use obnova_engine::api::{Outcome, RehearsalOutcome};
use obnova_engine::{Installation, setup};
use obnova_release::publish::{BuildOptions, InitOptions, Vendor, build, init, publish};
use obnova_testkit::cases::Case;
use obnova_testkit::postgres::{Postgres, tool};

use crate::fixture::{Try, test_app};
use crate::stage::{code, log, rehearse_to};

/// The cases.
pub const CASES: &[Case] = &[(
    "a_postgresql_database_is_rehearsed_on_a_server_of_its_own",
    rehearsed,
)];

const FIRST: &str = "CREATE TABLE person (id serial PRIMARY KEY, name text NOT NULL); \
                     INSERT INTO person (name) SELECT 'Person ' || n FROM generate_series(1, 5000) n;";
const SECOND: &str = "ALTER TABLE person ADD COLUMN upper text; UPDATE person SET upper = upper(name); \
                      CREATE INDEX ON person (upper);";
const BROKEN: &str = "ALTER TABLE person DROP COLUMN name; SELECT 1 / 0;";

fn rehearsed() -> Result<String> {
    let server = Postgres::start()?;
    server.sql(
        "postgres",
        "postgres",
        "CREATE ROLE crm LOGIN CREATEDB PASSWORD 'a secret'; CREATE DATABASE crm OWNER crm;",
    )?;
    let it = installed(&server)?;
    let before = server.dump("crm")?;
    let good = rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    let bad = rehearse_to(&it, "2.1.0", RehearsalOutcome::Failed)?;
    ensure!(code(&bad) == "migration-failed", "{bad:?}");
    let said = log(&it, "2.1.0")?.join("\n");
    ensure!(said.contains("division by zero"), "{said}");
    ensure!(!said.contains("a secret"), "the log tells the password");
    ensure!(server.dump("crm")? == before, "production was touched");
    let forecast = good.forecast.context("no forecast")?;
    let update = it.update("2.0.0")?;
    ensure!(update.outcome == Outcome::Completed, "{update:?}");
    let actual = update.blackout_ms.context("no blackout")?;
    it.end()?;
    Ok(format!(
        "foretold {} to {} ms, was {actual} ms; way back {} ms",
        forecast.blackout_min_ms, forecast.blackout_max_ms, forecast.way_back_ms
    ))
}

/// Version 1.0.0, installed and serving.
fn installed(server: &Postgres) -> Result<Try> {
    let dir = tempfile::tempdir()?;
    let (keys, state) = (dir.path().join("keys"), dir.path().join("state"));
    let vendor = Vendor::new(dir.path().join("repository"), vec![keys.clone()]);
    let options = InitOptions {
        online_keys: keys.clone(),
        offline_keys: keys,
        root: (1, 1),
        targets: (1, 1),
    };
    let initialised = init(&vendor, &options)?;
    for (version, sql) in [("1.0.0", FIRST), ("2.0.0", SECOND), ("2.1.0", BROKEN)] {
        publish_release(dir.path(), &vendor, version, sql)?;
    }
    std::fs::create_dir_all(&state)?;
    std::fs::copy(initialised.root, state.join("root.json"))?;
    std::fs::write(state.join("password"), "a secret")?;
    std::fs::write(
        state.join("installation.toml"),
        format!(
            "product = \"test-app\"\n[releases]\nsource = \"../repository\"\n\
             [database]\ndriver = \"postgres\"\nurl = \"postgres://crm@127.0.0.1:{}/crm\"\n\
             password_file = \"password\"\n[data]\ndirectories = [\"data\"]\n\
             [front]\nlisten = \"127.0.0.1:0\"\n[center]\nlisten = \"127.0.0.1:0\"\n",
            server.port()
        ),
    )?;
    let installation = Installation::load(&state).map_err(failed)?;
    setup::install(&installation, Some("1.0.0".parse()?), &mut |_, _| ()).map_err(failed)?;
    let mut it = Try::of(dir)?;
    it.start(None)?;
    it.check()?;
    it.settled()?;
    Ok(it)
}

fn failed(problem: obnova_engine::api::Problem) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", problem.code, problem.detail.unwrap_or_default())
}

/// One that asks the database before it serves, and changes it with SQL.
fn publish_release(dir: &Path, vendor: &Vendor, version: &str, sql: &str) -> Result<()> {
    let work = dir.join(format!("work-{version}"));
    std::fs::create_dir_all(work.join("tree/bin"))?;
    std::fs::copy(test_app()?, work.join("tree/bin/test-app"))?;
    let psql = tool("psql")?.display().to_string();
    let ask = format!(
        "\"{psql}\" -X -c 'SELECT count(*) FROM person' \"$1\" && exec \"$2\" serve --port \"$3\" \
         --version {version} --database \"$4/local.db\" --data \"$4\""
    );
    let (tree, database) = ("${tree}/bin/test-app", "${database}");
    let start = [
        "/bin/sh", "-c", &ask, "sh", database, tree, "${port}", "${data}",
    ];
    let migrate = [&psql, "-X", "-v", "ON_ERROR_STOP=1", "-c", sql, database];
    let text = format!(
        "product = \"test-app\"\nname = \"Test\"\nversion = \"{version}\"\ndate = \"2026-01-01\"\n\
         [server]\nstart = {}\nmigrate = {}\nhealth_seconds = 20\n\
         [[server.health]]\npath = \"/health\"\ncontains = \"{version}\"\n[database]\nchange = \"migrate\"\n",
        serde_json::to_string(&start)?,
        serde_json::to_string(&migrate)?
    );
    std::fs::write(work.join("release.toml"), text)?;
    let out = dir.join(format!("built-{version}"));
    build(&BuildOptions {
        description: work.join("release.toml"),
        tree: work.join("tree"),
        out: out.clone(),
    })?;
    publish(vendor, &out)?;
    Ok(())
}
