//! The engine's process is killed at any instant of protecting and of returning; the next one calls the same again.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use obnova_testkit::volume::Kind;

use super::Server;
use crate::Case;
use crate::contract::{Subject, protect, restore, same};

/// How often, for each rung.
const KILLS: u32 = 5;

pub(super) fn cases() -> Vec<Case> {
    vec![
        (
            "mariadb dump: killed at any instant, all is as before".to_owned(),
            Box::new(|_| killed(&Server::dumped("crm")?)),
        ),
        (
            "mariadb file_system: killed at any instant, all is as before".to_owned(),
            Box::new(|_| killed(&Server::cloned(Kind::Xfs)?)),
        ),
    ]
}

fn killed(subject: &Server) -> Result<()> {
    let before = subject.now()?;
    let began = Instant::now();
    protect(subject)?;
    let protecting = began.elapsed();
    subject.migrate()?;
    let began = Instant::now();
    restore(subject)?;
    let returning = began.elapsed();
    for kill in 0..KILLS {
        let instant = f64::from(kill) / f64::from(KILLS);
        kill_after(subject, "protect", protecting.mul_f64(instant))?;
        restore(subject)?;
        same(&before, &subject.now()?).with_context(|| format!("protecting, {instant}"))?;

        protect(subject)?;
        subject.migrate()?;
        kill_after(subject, "restore", returning.mul_f64(instant))?;
        restore(subject)?;
        same(&before, &subject.now()?).with_context(|| format!("returning, {instant}"))?;
    }
    subject
        .driver()?
        .forget(&subject.protected())
        .map_err(crate::failed)?;
    let left = subject.left_over()?;
    ensure!(left.is_empty(), "left over: {left}");
    Ok(())
}

fn kill_after(subject: &Server, verb: &str, time: Duration) -> Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["drive", verb])
        .arg(subject.directory.path())
        .arg(subject.protected())
        .stdin(Stdio::null())
        .spawn()?;
    sleep(time);
    child.kill()?;
    child.wait()?;
    Ok(())
}
