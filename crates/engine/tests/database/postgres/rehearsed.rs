//! A clone for rehearsals: made while others work, on a server of its own, which nothing of outlives it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use obnova_engine::database::Database;
use obnova_testkit::postgres::Postgres;

use super::{ODD_NAME, Server};
use crate::Case;
use crate::contract::{Subject, same};

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |name: &str, case: fn(&Postgres) -> Result<()>| {
        cases.push((format!("postgres: {name}"), Box::new(case)));
    };
    add("a clone has the fingerprint of the original", fingerprint);
    add("a clone of an odd name does, too", odd_name);
    add("a clone is protected and returned", clone_returned);
    add(
        "a clone in a network of its own has the original's address and passwords do not matter",
        own_network,
    );
    add(
        "the clone's server ends with its starter",
        ends_with_starter,
    );
    add("what was written is counted by table", counted);
    cases
}

/// A directory that only its owner passes, as state directories often are.
fn scratch() -> Result<tempfile::TempDir> {
    Ok(tempfile::tempdir()?)
}

fn clone(subject: &Server, directory: &Path) -> Result<Box<dyn Database>> {
    let driver = subject.driver()?;
    driver
        .snapshot(&directory.join("clone"), &|| true)
        .map_err(crate::failed)?;
    driver
        .stage(&directory.join("clone"), &|| true)
        .map_err(crate::failed)
}

fn fingerprint(server: &Postgres) -> Result<()> {
    same_as_original(&Server::new(server, "crm", "copy")?)
}

fn odd_name(server: &Postgres) -> Result<()> {
    same_as_original(&Server::new(server, ODD_NAME, "dump")?)
}

fn same_as_original(subject: &Server) -> Result<()> {
    let scratch = scratch()?;
    let original = subject.driver()?;
    let before = original.fingerprint().map_err(crate::failed)?;
    let clone = clone(subject, scratch.path())?;
    ensure!(
        clone.fingerprint().map_err(crate::failed)? == before,
        "the clone is not like the original"
    );
    clone.check().map_err(crate::failed)?;
    ensure!(
        clone.url() != original.url(),
        "it is the original's address"
    );
    // Nothing that happens at the original happens at the clone.
    subject.migrate()?;
    let after = original.fingerprint().map_err(crate::failed)?;
    ensure!(
        after != before,
        "a migration does not change the fingerprint"
    );
    ensure!(
        clone.fingerprint().map_err(crate::failed)? == before,
        "the clone was migrated"
    );
    Ok(())
}

/// The application's own program changes it, with what the driver tells it.
fn as_application(clone: &dyn Database, sql: &str) -> Result<()> {
    let output = Command::new(obnova_testkit::postgres::tool("psql")?)
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql, &clone.url()])
        .env_clear()
        .envs(clone.env())
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn clone_returned(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "dump")?;
    let scratch = scratch()?;
    let clone = clone(&subject, scratch.path())?;
    let before = clone.fingerprint().map_err(crate::failed)?;
    let protected = scratch.path().join("protected/7/database");
    let plan = clone.plan();
    ensure!(plan.contains("rung copy"), "{plan}");
    clone.protect(&protected, &|| true).map_err(crate::failed)?;
    as_application(
        clone.as_ref(),
        "ALTER TABLE sales.person ADD COLUMN phone text; DELETE FROM sales.deal",
    )?;
    ensure!(
        clone.fingerprint().map_err(crate::failed)? != before,
        "nothing was changed"
    );
    clone.restore(&protected).map_err(crate::failed)?;
    ensure!(
        clone.fingerprint().map_err(crate::failed)? == before,
        "it is not as before"
    );
    clone.forget(&protected).map_err(crate::failed)
}

fn own_network(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    let port = server.port();
    let section = format!(
        "driver = \"postgres\"\nurl = \"postgres://crm@127.0.0.1:{port}/crm\"\npassword_file = \"password\"\n"
    );
    let subject = subject.configured(section);
    std::fs::write(subject.directory.path().join("password"), "tajne-heslo\n")?;
    let directory = scratch()?;
    let clone = directory.path().join("clone");
    let driver = subject.driver()?;
    driver.snapshot(&clone, &|| true).map_err(crate::failed)?;
    let fingerprint = driver.fingerprint().map_err(crate::failed)?;
    let script = "ip link set lo up && exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--net", "sh", "-c", script, "sh"])
        .arg(format!("/proc/{}/exe", std::process::id()))
        .args(["drive", "stage"])
        .arg(subject.directory.path())
        .arg(&clone)
        .output()
        .context("unshare is needed: install the Debian package `util-linux`")?;
    let said = String::from_utf8(output.stdout)?;
    ensure!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut lines = said.lines();
    let url = lines.next().unwrap_or_default();
    ensure!(
        url.starts_with(&format!("postgres://crm@127.0.0.1:{port}/crm")),
        "{url}"
    );
    ensure!(lines.next() == Some(fingerprint.as_str()), "{said}");
    Ok(())
}

fn ends_with_starter(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    let directory = scratch()?;
    let clone = directory.path().join("clone");
    let driver = subject.driver()?;
    driver.snapshot(&clone, &|| true).map_err(crate::failed)?;
    let mut child = Command::new(crate::postgres::owned::THIS)
        .args(["drive", "stay"])
        .arg(subject.directory.path())
        .arg(&clone)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = std::io::BufReader::new(child.stdout.take().context("no output")?);
    let mut url = String::new();
    std::io::BufRead::read_line(&mut said, &mut url)?;
    let pid = std::fs::read_to_string(clone.join("server/data/postmaster.pid"))?;
    let pid = pid.lines().next().context("no process")?.to_owned();
    ensure!(Path::new("/proc").join(&pid).exists(), "it does not run");
    child.kill()?;
    child.wait()?;
    let until = Instant::now() + Duration::from_secs(20);
    while Path::new("/proc").join(&pid).join("exe").exists() {
        ensure!(Instant::now() < until, "the server {pid} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn counted(server: &Postgres) -> Result<()> {
    let subject = Server::new(server, "crm", "copy")?;
    let driver = subject.driver()?;
    let before = driver.counters().map_err(crate::failed)?;
    subject.sql(
        "INSERT INTO sales.person (name) VALUES ('a'), ('b'); DELETE FROM sales.deal WHERE id = 3;
         UPDATE sales.deal SET amount = 0 WHERE id IN (4, 5, 6)",
    )?;
    let mut found = Vec::new();
    let until = Instant::now() + Duration::from_secs(20);
    // A session tells the server what it has done when it ends.
    while found.len() < 2 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
        let written = driver.written_since(&before).map_err(crate::failed)?;
        found = written.context("it cannot tell")?;
    }
    let text = found.iter().map(|it| {
        format!(
            "{} {:?} {:?} {:?}",
            it.table, it.inserted, it.updated, it.deleted
        )
    });
    same(
        "sales.deal Some(0) Some(3) Some(1)\nsales.person Some(2) Some(0) Some(0)",
        &text.collect::<Vec<_>>().join("\n"),
    )
}
