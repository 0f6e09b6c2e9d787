//! The roles of a real installation are killed while it is updated and used: no acknowledged write is lost, nobody is told
//! twice or never, nothing is left over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use obnova_demo::admin::Admin;
use obnova_demo::tour::set_up;
use obnova_demo::work::while_people_work;
use obnova_demo::world::World;
use obnova_engine::api::{Answer, Outcome, Phase, Request, UpdateSummary};
use rustix::process::{Pid, Signal, kill_process};

const CONTACTS: usize = 2_000;
const RATE: u32 = 100;
/// Times that the engine is killed.
const ROUNDS: u32 = 8;
const PATIENCE: Duration = Duration::from_secs(60);

/// Processes of this installation, with their command lines.
fn processes(state_dir: &Path) -> Result<Vec<(Pid, String)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let number = entry.file_name().to_string_lossy().parse::<i32>();
        if let (Ok(number), true) = (number, line.contains(&*state_dir.to_string_lossy()))
            && let Some(pid) = Pid::from_raw(number)
        {
            found.push((pid, line));
        }
    }
    Ok(found)
}

/// Kills a role, or `up` itself; waits for one that is just being started again.
fn kill(state_dir: &Path, role: &str) -> Result<()> {
    let word = format!(" {role} ");
    let until = Instant::now() + PATIENCE;
    loop {
        let all = processes(state_dir)?;
        let mut named = all
            .iter()
            .filter(|(_, line)| format!("{line} ").contains(&word));
        if let Some((pid, _)) = named.next() {
            return Ok(kill_process(*pid, Signal::KILL)?);
        }
        ensure!(Instant::now() < until, "no {role} among {all:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn install(world: &World, version: &str) -> Result<u64> {
    world.state(Request::Check).await?;
    let request = Request::Install {
        version: Some(version.parse()?),
        actor: "test".to_owned(),
        insist: true,
    };
    match world.engine().call(&request).await {
        Ok(Answer::Started { update }) => Ok(update),
        other => anyhow::bail!("it was not started: {other:?}"),
    }
}

/// Waits until this step runs or is over.
async fn until_step(world: &World, name: &str) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let state = world.state(Request::State).await?;
        let (Phase::Updating(running) | Phase::RollingBack(running)) = state.phase else {
            return Ok(());
        };
        let step = running.steps.iter().find(|step| step.step == name);
        if step.is_some_and(|step| step.status != obnova_engine::api::StepStatus::Waiting) {
            return Ok(());
        }
        ensure!(Instant::now() < until, "{name} does not begin");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_killed_during_an_update_and_started_again_leaves_one_whole_installation() -> Result<()>
{
    let folder = tempfile::tempdir()?;
    let mut world = World::make(folder.path(), CONTACTS)?;
    world.start().await?;
    let before = world.fingerprints().await?;
    world.vendor.publish("1.1.0")?;
    for step in ["download", "stop", "migrate", "start", "verify"] {
        let update = install(&world, "1.1.0").await?;
        until_step(&world, step).await?;
        kill(&world.state_dir, "up")?;
        world.start().await?;
        let ended = world.ended_update(update).await?;
        let served = served(&world).await?;
        println!(
            "up killed in {step}: {:?}, it serves {served}",
            ended.outcome
        );
        if ended.outcome == Outcome::Completed {
            ensure!(served == "1.1.0", "it serves {served}");
            break;
        }
        ensure!(served == "1.0.0", "it serves {served}");
        for (was, is) in before.iter().zip(world.fingerprints().await?) {
            was.expect_same(&is)?;
        }
    }
    let roles = processes(&world.state_dir)?;
    ensure!(roles.len() == 5, "up, three roles and the CRM: {roles:?}");
    world.stop()?;
    let left = processes(&world.state_dir)?;
    ensure!(left.is_empty(), "still running: {left:?}");
    Ok(())
}

/// How the update ended, though the engine is away at times.
async fn ended(world: &World, update: u64) -> Result<UpdateSummary> {
    let until = Instant::now() + PATIENCE;
    loop {
        match world.ended_update(update).await {
            Err(_) if Instant::now() < until => tokio::time::sleep(Duration::from_millis(50)).await,
            ended => return ended,
        }
    }
}

async fn served(world: &World) -> Result<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        match world.served_version().await {
            Err(_) if Instant::now() < until => tokio::time::sleep(Duration::from_millis(50)).await,
            served => return served,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_front_killed_while_it_holds_loses_no_acknowledged_write() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut world = World::make(folder.path(), CONTACTS)?;
    world.start().await?;
    for (version, prefix, step) in [
        ("1.1.0", "hold", "hold"),
        ("1.2.0", "migrate", "migrate"),
        ("1.3.0", "verify", "verify"),
    ] {
        let update = async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            world.vendor.publish(version)?;
            let update = install(&world, version).await?;
            until_step(&world, step).await?;
            kill(&world.state_dir, "front")?;
            let ended = world.ended_update(update).await?;
            served(&world).await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            anyhow::Ok(ended.outcome)
        };
        let (outcome, seen) = while_people_work(&world, RATE, prefix, update).await?;
        // Those that it held, and those before it was back: the kill did hit it.
        ensure!(seen.failed > 0, "nothing failed: {seen}");
        println!(
            "front killed in {step} of {version}: {outcome:?}; {} sent, {} failed, {} writes acknowledged",
            seen.sent,
            seen.failed,
            seen.acknowledged.len()
        );
    }
    world.stop()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_killed_at_any_instant_under_load_loses_no_acknowledged_write() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut world = World::make(folder.path(), CONTACTS)?;
    world.start().await?;
    world.vendor.publish("1.1.0")?;
    world.vendor.publish("1.2.0")?;
    let (mut takes, mut failed) = (Duration::from_secs(3), 0);
    for round in 0..ROUNDS {
        // The one is installed unless the kill prevents it, the other never.
        let installed = world.state(Request::State).await?.installed.to_string();
        let version = match installed.as_str() {
            "1.0.0" if round % 2 == 1 => "1.1.0",
            _ => "1.2.0",
        };
        let prefix: &'static str = format!("engine{round}").leak();
        let after = takes.mul_f64(f64::from(round % 7 + 1) / 7.0);
        let update = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let began = Instant::now();
            let update = install(&world, version).await?;
            tokio::time::sleep(after).await;
            kill(&world.state_dir, "engine")?;
            let ended = ended(&world, update).await?;
            takes = began.elapsed().min(Duration::from_secs(6));
            served(&world).await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
            anyhow::Ok(ended.outcome)
        };
        let (outcome, seen) = while_people_work(&world, RATE, prefix, update).await?;
        failed += seen.failed;
        println!(
            "engine killed after {after:?} of {version}: {outcome:?}; {} sent, {} failed {:?}, {} writes acknowledged",
            seen.sent,
            seen.failed,
            seen.reasons.first(),
            seen.acknowledged.len()
        );
    }
    println!("{failed} requests failed");
    world.stop()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_centre_killed_again_and_again_tells_everybody_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut world = World::make(folder.path(), CONTACTS)?;
    world.start().await?;
    let admin = Admin::new(world.center, "cs")?;
    let people = set_up(&world, &admin, "velmi tajne heslo 7").await?;
    world.vendor.publish("1.1.0")?;
    let update = install(&world, "1.1.0").await?;
    for step in ["announce", "hold", "migrate", "release_traffic", "clean"] {
        until_step(&world, step).await?;
        kill(&world.state_dir, "center")?;
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    let ended = world.ended_update(update).await?;
    ensure!(ended.outcome == Outcome::Completed, "{ended:?}");
    // While they are being sent, too.
    for _ in 0..4 {
        let sent = world.sink.messages().len();
        let until = Instant::now() + Duration::from_secs(5);
        while world.sink.messages().len() < sent + 3 && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        kill(&world.state_dir, "center")?;
    }
    let mut quiet = (0, Instant::now());
    while quiet.1.elapsed() < Duration::from_secs(20) {
        let sent = world.sink.messages().len();
        if sent != quiet.0 {
            quiet = (sent, Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let messages = world.sink.messages();
    let mut told: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for message in &messages {
        for to in &message.to {
            let key = (message.subject.clone(), to.clone());
            told.entry(key)
                .or_default()
                .insert(message.message_id.clone());
        }
    }
    let mut subjects: BTreeMap<&str, usize> = BTreeMap::new();
    for ((subject, to), ids) in &told {
        ensure!(ids.len() == 1, "{to} got “{subject}” as {ids:?}");
        *subjects.entry(subject).or_default() += 1;
    }
    let ids: BTreeSet<&String> = messages.iter().map(|message| &message.message_id).collect();
    println!(
        "{people} people; {} mails sent, {} different ones; {subjects:?}",
        messages.len(),
        ids.len()
    );
    // Everybody at the beginning and at the end, in one of two languages; the group besides.
    let log = std::fs::read_to_string(world.state_dir.join("up.log")).unwrap_or_default();
    ensure!(
        told.len() >= 2 * people,
        "{} of {people} twice\n{log}",
        told.len()
    );
    world.stop()
}
