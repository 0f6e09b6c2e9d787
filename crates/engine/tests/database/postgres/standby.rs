//! A standby that is not there any more, or stands still, when it is to be frozen.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use obnova_engine::api::Problem;

use super::Server;
use super::owned::{self, On, run};
use crate::Case;
use crate::contract::{Subject, protect, restore, same};

pub(super) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |name: &str, case: fn() -> Result<()>| {
        cases.push((
            format!("postgres standby: {name}"),
            Box::new(move |_| case()),
        ));
    };
    add(
        "one that died is not made anew while requests are held",
        died,
    );
    add("one that stands still is given up", stands_still);
    cases
}

fn prepared() -> Result<Server<'static>> {
    let subject = owned::subject(On::Here, "standby")?;
    let how = subject
        .driver()?
        .prepare(&subject.protected(), &mut |_, _| (), &|| true)
        .map_err(crate::failed)?;
    ensure!(
        how.is_some_and(|how| how.contains("standby")),
        "nothing was prepared"
    );
    Ok(subject)
}

fn copy(subject: &Server) -> PathBuf {
    PathBuf::from(format!("{}.obnova/7/copy", subject.server.data().display()))
}

fn postmaster(subject: &Server) -> Result<String> {
    let text = std::fs::read_to_string(copy(subject).join("postmaster.pid"))?;
    Ok(text.lines().next().context("no process")?.to_owned())
}

fn refusal(subject: &Server) -> Result<Problem> {
    let problem = subject
        .driver()?
        .protect(&subject.protected(), &|| true)
        .err()
        .context("it was protected")?;
    ensure!(problem.code == "protection-failed", "{problem:?}");
    Ok(problem)
}

fn undone(subject: &Server, before: &str) -> Result<()> {
    same(before, &subject.now()?)?;
    restore(subject)?;
    same(before, &subject.now()?)?;
    let driver = subject.driver()?;
    driver.forget(&subject.protected()).map_err(crate::failed)?;
    let left = subject.left_over()?;
    ensure!(left.is_empty(), "left over: {left}");
    same(before, &subject.now()?)
}

fn died() -> Result<()> {
    let subject = prepared()?;
    let before = subject.now()?;
    let pid = postmaster(&subject)?;
    run(Command::new("kill").args(["-KILL", &pid]))?;
    let until = Instant::now() + Duration::from_secs(30);
    while std::path::Path::new("/proc")
        .join(&pid)
        .join("exe")
        .exists()
    {
        ensure!(Instant::now() < until, "the standby {pid} is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
    let made = std::fs::metadata(copy(&subject).join("PG_VERSION"))?.modified()?;
    let detail = refusal(&subject)?.detail.unwrap_or_default();
    ensure!(detail.contains("has ended"), "{detail}");
    let now = std::fs::metadata(copy(&subject).join("PG_VERSION"))?.modified()?;
    ensure!(made == now, "another one was made");
    undone(&subject, &before)?;
    // The next update makes another one.
    protect(&subject).map(drop)
}

fn stands_still() -> Result<()> {
    let subject = prepared()?;
    let before = subject.now()?;
    let pid = postmaster(&subject)?;
    let receiver = format!("pgrep -P {pid} -f 'walreceiver'");
    let until = Instant::now() + Duration::from_secs(30);
    let receiver = loop {
        let output = Command::new("sh").args(["-c", &receiver]).output()?;
        let found = String::from_utf8(output.stdout)?.trim().to_owned();
        if !found.is_empty() {
            break found;
        }
        ensure!(Instant::now() < until, "the standby receives nothing");
        std::thread::sleep(Duration::from_millis(20));
    };
    run(Command::new("kill").args(["-STOP", &receiver]))?;
    let refused = refusal(&subject);
    run(Command::new("kill").args(["-CONT", &receiver]))?;
    let detail = refused?.detail.unwrap_or_default();
    ensure!(detail.contains("stands still"), "{detail}");
    undone(&subject, &before)
}
