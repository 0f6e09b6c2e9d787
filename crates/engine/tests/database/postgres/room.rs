//! A server's disk that has room for one copy, but not for the two that a way back needs.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::owned::{self, On, run};
use crate::Case;
use crate::contract::{Subject, protect, restore, same};

pub(super) fn cases() -> Vec<Case> {
    vec![(
        "postgres copy: a way back has room for two copies, or does not begin".to_owned(),
        Box::new(|_| two_copies()),
    )]
}

fn free(path: &Path) -> Result<u64> {
    let output = Command::new("df")
        .args(["--output=avail", "-B1"])
        .arg(path)
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().nth(1).context("df says nothing")?;
    Ok(line.trim().parse()?)
}

fn two_copies() -> Result<()> {
    let subject = owned::subject(On::Old, "copy")?;
    let before = subject.now()?;
    subject.as_superuser("GRANT pg_read_all_settings TO crm")?;
    protect(&subject)?;
    let driver = subject.driver()?;
    driver.admit(&subject.protected()).map_err(crate::failed)?;
    let other = tempfile::tempdir()?;
    let second = other.path().join("8/back/database");
    let home = subject.server.data();
    let filler = home.with_file_name("filler");
    let fill = free(&home)?.saturating_sub(driver.size() * 3 / 2);
    run(Command::new("fallocate")
        .arg("-l")
        .arg(fill.to_string())
        .arg(&filler))?;
    let one = driver.check().map_err(crate::failed);
    let two = driver.spare(&subject.protected(), &second, &|| true);
    std::fs::remove_file(&filler)?;
    one.context("one copy has room")?;
    let problem = two.err().context("it began")?;
    ensure!(problem.code == "disk-space", "{problem:?}");
    driver
        .spare(&subject.protected(), &second, &|| true)
        .map_err(crate::failed)?;
    driver.forget(&second).map_err(crate::failed)?;
    restore(&subject)?;
    subject.as_superuser("REVOKE pg_read_all_settings FROM crm")?;
    same(&before, &subject.now()?)
}
