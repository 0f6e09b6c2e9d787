//! A rehearsal of an application that keeps its data on a PostgreSQL server, reached over loopback with a password.

use anyhow::{Context, Result, ensure};
use obnova_engine::api::{Outcome, RehearsalOutcome};
use obnova_testkit::cases::Case;
use obnova_testkit::postgres::{Postgres, tool};

use crate::fixture::Try;
use crate::scripted::{PASSWORD, Scripted};
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
        &format!(
            "CREATE ROLE crm LOGIN CREATEDB PASSWORD '{PASSWORD}'; CREATE DATABASE crm OWNER crm;"
        ),
    )?;
    let it = installed(&server)?;
    let before = server.dump("crm")?;
    let good = rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    let bad = rehearse_to(&it, "2.1.0", RehearsalOutcome::Failed)?;
    ensure!(code(&bad) == "migration-failed", "{bad:?}");
    let said = log(&it, "2.1.0")?.join("\n");
    ensure!(said.contains("division by zero"), "{said}");
    ensure!(!said.contains(PASSWORD), "the log tells the password");
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
    let psql = tool("psql")?.display().to_string();
    let database = format!(
        "driver = \"postgres\"\nurl = \"postgres://crm@127.0.0.1:{}/crm\"",
        server.port()
    );
    Scripted {
        database: &database,
        ask: &format!("\"{psql}\" -X -c 'SELECT count(*) FROM person' \"$1\""),
        migrate: &[
            &psql,
            "-X",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            "${sql}",
            "${database}",
        ],
        versions: &[("1.0.0", FIRST), ("2.0.0", SECOND), ("2.1.0", BROKEN)],
    }
    .install(&std::env::temp_dir())
}
