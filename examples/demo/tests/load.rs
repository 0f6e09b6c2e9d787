//! Users go on working while the server is updated, and while an update fails: an open loop of 200 requests a second, half of them
//! writes, of which none may fail and none that was acknowledged may be lost or done twice.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use obnova_demo::programs::run;
use obnova_demo::work::while_people_work;
use obnova_demo::world::World;
use obnova_engine::api::{Answer, Outcome, Request};
use obnova_testkit::load::Outcome as Seen;

const RATE: u32 = 200;
const CONTACTS: usize = 20_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_notices_an_update_nor_one_that_is_undone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut world = World::make(folder.path(), CONTACTS)?;
    world.start().await?;
    world.vendor.publish("1.1.0")?;
    let by_hand = by_hand(&world, folder.path(), "1.0.0", "1.1.0").await?;
    let (installed, seen) = under_load(&world, "1.1.0", "installed").await?;
    ensure!(installed == Outcome::Completed, "1.1.0 was not installed");
    println!("update to 1.1.0: {seen}");
    let (gap, by_hand) = (seen.longest_gap_ms, by_hand.as_secs_f64() * 1000.0);
    println!(
        "blackout seen {gap:.0} ms; stop + migrate + start by hand {by_hand:.0} ms, nothing protected; ratio {:.2}",
        gap / by_hand
    );
    world.vendor.publish("1.2.0")?;
    let (undone, seen) = under_load(&world, "1.2.0", "undone").await?;
    ensure!(undone == Outcome::RolledBack, "1.2.0 was installed");
    println!("undone update to 1.2.0: {seen}");
    ensure!(
        world.served_version().await? == "1.1.0",
        "1.1.0 does not serve"
    );
    world.stop()
}

/// What the CRM itself needs, with nothing protected and nobody held: stop, migrate, start, healthy; on a copy of its data.
async fn by_hand(world: &World, folder: &Path, from: &str, to: &str) -> Result<Duration> {
    let copy = folder.join("by-hand");
    run(Command::new("cp")
        .arg("-a")
        .arg(world.state_dir.join("data"))
        .arg(&copy))?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    drop(listener);
    let crm = |version: &str, verb: &str| {
        let mut command = Command::new(&world.programs.crm);
        command
            .arg(verb)
            .arg("--tree")
            .arg(folder.join("vendor/work").join(version).join("tree"));
        command.arg("--files").arg(copy.join("files"));
        command
            .arg("--database")
            .arg(format!("sqlite://{}", copy.join("crm.db").display()));
        command.stdout(Stdio::null());
        command
    };
    let serve = |version| {
        crm(version, "serve")
            .arg("--listen")
            .arg(address.to_string())
            .spawn()
    };
    let mut old = serve(from)?;
    healthy(address).await?;
    let began = Instant::now();
    let pid = rustix::process::Pid::from_raw(old.id().cast_signed()).context("a process number")?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    old.wait()?;
    run(&mut crm(to, "migrate"))?;
    let mut new = serve(to)?;
    healthy(address).await?;
    let took = began.elapsed();
    new.kill()?;
    new.wait()?;
    Ok(took)
}

async fn healthy(address: SocketAddr) -> Result<()> {
    for _ in 0..2000 {
        let answer = reqwest::get(format!("http://{address}/health/deep")).await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    anyhow::bail!("{address} did not become healthy")
}

/// Updates while users work, and looks that nothing of their work is lost.
async fn under_load(world: &World, version: &str, prefix: &'static str) -> Result<(Outcome, Seen)> {
    world.state(Request::Check).await?;
    let update = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let began = Instant::now();
        let version = Some(version.parse().context("a version")?);
        let request = Request::Install {
            version,
            actor: "test".to_owned(),
            insist: false,
        };
        let answer = world.engine().call(&request).await;
        let Ok(Answer::Started { update }) = answer else {
            anyhow::bail!("it was not started: {answer:?}")
        };
        let ended = world.ended_update(update).await?;
        println!(
            "{} -> {}: {:?}, engine's blackout {:?} ms, {} ms in all",
            ended.from,
            ended.to,
            ended.outcome,
            ended.blackout_ms,
            began.elapsed().as_millis()
        );
        for step in &ended.steps {
            println!("    {} {:?} {:?} ms", step.step, step.status, step.took_ms);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(ended.outcome)
    };
    let (outcome, seen) = while_people_work(world, RATE, prefix, update).await?;
    ensure!(
        seen.failed == 0,
        "{} of {} requests failed: {:?}",
        seen.failed,
        seen.sent,
        seen.reasons
    );
    ensure!(
        seen.acknowledged.len() > 400,
        "only {} writes were acknowledged",
        seen.acknowledged.len()
    );
    Ok((outcome, seen))
}
