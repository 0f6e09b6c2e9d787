//! Others in the database, and crashes between any two steps.

use anyhow::{Context, Result, ensure};
use obnova_testkit::postgres::Postgres;

use super::{OWNER, Server};
use crate::Case;
use crate::contract::{Subject, protect, restore, same};

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |name: &str, case: fn(&Postgres) -> Result<()>| {
        cases.push((format!("postgres: {name}"), Box::new(case)));
    };
    add("a session of the owner is cut off", own_session);
    add(
        "a session of another role is named and left alone",
        foreign_session,
    );
    add(
        "sessions during the return are cut off",
        session_during_return,
    );
    add(
        "killed while copying: the database is open again",
        killed_while_copying,
    );
    add(
        "killed while returning, before the renaming",
        killed_before_renaming,
    );
    add(
        "killed after the renaming, before it was recorded",
        killed_after_renaming,
    );
    add("killed while reading the dump", killed_while_reading);
    add(
        "a migration that makes the database anew is undone",
        made_anew,
    );
    add("a copy that somebody dropped is an error", copy_dropped);
    add(
        "somebody else's database of that name is left alone",
        name_taken,
    );
    cases
}

fn session(server: &Postgres, user: &str, database: &str) -> Result<std::process::Child> {
    let child = server
        .client("psql", user)?
        .args(["-X", "-q", "-c", "SELECT pg_sleep(60)"])
        .env("PGDATABASE", database)
        .env("PGAPPNAME", "stranger")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()?;
    let there = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'stranger'";
    for _ in 0..200 {
        if server.sql("postgres", "postgres", there)? != "0" {
            return Ok(child);
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    anyhow::bail!("the session did not begin")
}

fn own_session(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    let mut stranger = session(server, OWNER, "crm")?;
    protect(&subject)?;
    ensure!(!stranger.wait()?.success(), "it was not cut off");
    subject.sql("SELECT 1").map(drop)
}

fn foreign_session(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    let before = subject.now()?;
    let mut stranger = session(server, "postgres", "crm")?;
    let problem = subject
        .driver()?
        .protect(&subject.protected(), &|| true)
        .err()
        .context("it was protected")?;
    stranger.kill()?;
    stranger.wait()?;
    ensure!(problem.code == "database-in-use", "{problem:?}");
    let detail = problem.detail.unwrap_or_default();
    ensure!(detail.contains("postgres stranger"), "{detail}");
    same(&before, &subject.now()?)?;
    restore(&subject)?;
    same(&before, &subject.now()?)
}

fn session_during_return(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    let before = subject.now()?;
    protect(&subject)?;
    subject.migrate()?;
    let mut stranger = session(server, OWNER, "crm")?;
    restore(&subject)?;
    ensure!(!stranger.wait()?.success(), "it was not cut off");
    same(&before, &subject.now()?)
}

fn killed_while_copying(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    let before = subject.now()?;
    protect(&subject)?;
    std::fs::remove_file(subject.protected().join("complete"))?;
    subject.as_superuser("ALTER DATABASE crm ALLOW_CONNECTIONS false")?;
    restore(&subject)?;
    let left = subject.left_over()?;
    ensure!(left.is_empty(), "left over: {left}");
    same(&before, &subject.now()?)
}

fn killed_before_renaming(server: &Postgres) -> Result<()> {
    for rung in ["copy", "dump"] {
        let subject = Server::new(server, "crm", rung)?;
        let before = subject.now()?;
        protect(&subject)?;
        subject.migrate()?;
        subject.as_superuser("ALTER DATABASE crm ALLOW_CONNECTIONS false")?;
        restore(&subject)?;
        same(&before, &subject.now()?).context(rung)?;
    }
    Ok(())
}

fn killed_after_renaming(server: &Postgres) -> Result<()> {
    for rung in ["copy", "dump"] {
        let subject = Server::new(server, "crm", rung)?;
        let before = subject.now()?;
        protect(&subject)?;
        subject.migrate()?;
        restore(&subject)?;
        // The engine's next start does it again, with the version before perhaps running already.
        subject
            .sql("INSERT INTO sales.person (id, name) VALUES (9999, 'of the version before')")?;
        let written = subject.now()?;
        restore(&subject)?;
        same(&written, &subject.now()?).context(rung)?;
        ensure!(written != before, "nothing was written");
    }
    Ok(())
}

/// Half a database lies there under the name that the next try makes it under.
fn killed_while_reading(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "dump")?;
    let before = subject.now()?;
    protect(&subject)?;
    subject.migrate()?;
    server.sql(OWNER, "postgres", "CREATE DATABASE crm__obnova_7")?;
    server.sql(OWNER, "crm__obnova_7", "CREATE TABLE half (id int)")?;
    restore(&subject)?;
    same(&before, &subject.now()?)
}

fn made_anew(server: &Postgres) -> Result<()> {
    for rung in ["copy", "dump"] {
        let subject = Server::new(server, "crm", rung)?;
        let before = subject.now()?;
        protect(&subject)?;
        server.sql(OWNER, "postgres", "DROP DATABASE crm; CREATE DATABASE crm;")?;
        restore(&subject)?;
        same(&before, &subject.now()?).context(rung)?;
    }
    let subject = Server::new(server, "crm", "copy")?;
    let before = subject.now()?;
    protect(&subject)?;
    server.sql(OWNER, "postgres", "DROP DATABASE crm")?;
    restore(&subject)?;
    same(&before, &subject.now()?)
}

fn copy_dropped(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    protect(&subject)?;
    subject.migrate()?;
    subject.as_superuser("DROP DATABASE crm__obnova_7")?;
    let problem = restore(&subject).err().context("it said nothing")?;
    ensure!(problem.to_string().contains("crm__obnova_7"), "{problem}");
    Ok(())
}

fn name_taken(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    let before = subject.now()?;
    server.sql(OWNER, "postgres", "CREATE DATABASE crm__obnova_7")?;
    protect(&subject)?;
    subject.migrate()?;
    restore(&subject)?;
    subject
        .driver()?
        .forget(&subject.protected())
        .map_err(crate::failed)?;
    same(&before, &subject.now()?)?;
    let left = subject.left_over()?;
    ensure!(left == "crm__obnova_7", "left over: {left}");
    Ok(())
}
