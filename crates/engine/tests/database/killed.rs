//! The engine's process is killed at any instant of protecting and of returning; the next one calls the same again.

use std::process::{Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_testkit::postgres::Postgres;
use obnova_testkit::volume::Kind;

use crate::contract::{Subject, protect, restore, same};
use crate::postgres::owned::{self, On, THIS};
use crate::{Case, mariadb, postgres};

/// How often, for each rung; those that stop a server take longer.
const KILLS: u32 = 8;
const KILLS_OF_CLUSTERS: u32 = 4;
const KILLS_OF_MARIADB: u32 = 5;

type Do = Box<dyn Fn(&Postgres) -> Result<()>>;

pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |rung: &str, case: Do| {
        let name = format!("{rung}: killed at any instant, all is as before");
        cases.push((name, case));
    };
    for rung in ["copy", "dump", "dump in place"] {
        add(
            &format!("postgres {rung}"),
            Box::new(move |server| killed(&postgres::Server::new(server, "crm", rung)?, KILLS)),
        );
    }
    for (name, on, rung) in [
        ("file_system on XFS", On::Xfs, "file_system"),
        ("file_system on btrfs", On::Btrfs, "file_system"),
        ("standby", On::Here, "standby"),
    ] {
        add(
            &format!("postgres {name}"),
            Box::new(move |_| killed(&owned::subject(on, rung)?, KILLS_OF_CLUSTERS)),
        );
    }
    add(
        "mariadb dump",
        Box::new(|_| killed(&mariadb::Server::dumped("crm")?, KILLS_OF_MARIADB)),
    );
    add(
        "mariadb file_system",
        Box::new(|_| killed(&mariadb::Server::cloned(Kind::Xfs)?, KILLS_OF_MARIADB)),
    );
    cases
}

fn killed(subject: &dyn Subject, kills: u32) -> Result<()> {
    let before = subject.now()?;
    let began = Instant::now();
    protect(subject)?;
    let protecting = began.elapsed();
    subject.migrate()?;
    let began = Instant::now();
    restore(subject)?;
    let returning = began.elapsed();
    for kill in 0..kills {
        let instant = f64::from(kill) / f64::from(kills);
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

fn kill_after(subject: &dyn Subject, verb: &str, time: Duration) -> Result<()> {
    let mut child = Command::new(THIS)
        .args(["drive", verb])
        .arg(subject.state_dir())
        .arg(subject.protected())
        .stdin(Stdio::null())
        .spawn()?;
    sleep(time);
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// Is the process that is killed.
pub fn drive(arguments: &[String]) -> ExitCode {
    match driven(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn driven(arguments: &[String]) -> Result<()> {
    let [verb, state_dir, place] = arguments else {
        bail!("drive VERB STATE_DIR PLACE");
    };
    let installation =
        obnova_engine::Installation::load(state_dir.as_ref()).map_err(crate::failed)?;
    let driver = obnova_engine::database::open(&installation);
    let place = place.as_ref();
    match verb.as_str() {
        "stage" | "stay" => {
            let clone = driver.stage(place, &|| true).map_err(crate::failed)?;
            println!("{}", clone.url());
            println!("{}", clone.fingerprint().map_err(crate::failed)?);
            match verb.as_str() {
                // Until it is killed.
                "stay" => loop {
                    sleep(Duration::from_secs(1));
                },
                _ => Ok(()),
            }
        }
        "prepare" => driver.prepare(place, &mut |_, _| (), &|| true).map(drop),
        "forget" => driver.forget(place),
        "protect" => driver.protect(place, &|| true).map(drop),
        _ => driver.restore(place),
    }
    .map_err(crate::failed)
}
