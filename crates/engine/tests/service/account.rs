//! The application as a user of its own.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use obnova_engine::launch::Start;

use crate::world::{Kind, NOBODY, World, failed, stop, wait_until};

type Case = (&'static str, fn(&World) -> Result<()>);

pub const CASES: &[Case] = &[
    ("it_runs_as_its_user_and_nothing_more", user),
    ("it_is_adopted_and_stopped_as_another_user", adopted),
];
/// One that makes its worlds itself.
type Alone = (&'static str, fn() -> Result<()>);

pub const ALONE: &[Alone] = &[
    (
        "a_migration_runs_as_the_user_and_ends_with_its_engine",
        migration,
    ),
    ("a_user_that_does_not_exist_is_told", unknown),
];

fn user(world: &World) -> Result<()> {
    world.app(
        "id -u > DATA/id; id -g >> DATA/id; id -G >> DATA/id\n\
         cat DATA/../service.env DATA/../service.json > DATA/stolen\n\
         touch DATA/../mine; echo said; exec sleep MARK",
    )?;
    world.start()?;
    let process = world.await_processes(1)?[0];
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let ids = format!("{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}");
    ensure!(status.contains(&format!("Uid:\t{ids}")), "{status}");
    ensure!(status.contains(&format!("Gid:\t{ids}")), "{status}");
    ensure!(status.contains("CapEff:\t0000000000000000"), "{status}");
    let id = std::fs::read_to_string(world.data().join("id"))?;
    ensure!(id == format!("{NOBODY}\n{NOBODY}\n{NOBODY}\n"), "{id}");
    let stolen = std::fs::read_to_string(world.data().join("stolen"))?;
    ensure!(stolen.is_empty(), "it reads what is the engine's: {stolen}");
    ensure!(
        !world.state().join("mine").exists(),
        "it writes into the state directory"
    );
    ensure!(world.log().contains("said"), "its words are lost");
    Ok(())
}

fn adopted(world: &World) -> Result<()> {
    world.app("setsid sh -c 'trap \"\" TERM; sleep MARK' &\n sleep 0.5; exec sleep MARK")?;
    world.start()?;
    world.await_processes(3)?;
    let next = world.driver()?;
    ensure!(next.running().is_some(), "it is not found");
    next.stop(&stop(1), Duration::MAX).map_err(failed)?;
    world.expect_nobody()
}

/// The kernel forgets to end a process with its parent when that process changes its user.
fn migration() -> Result<()> {
    let world = World::new(Kind::Process, Some("nobody"))?;
    let command = [
        "/bin/sh".to_owned(),
        "-c".to_owned(),
        format!("id -u; exec sleep {}", world.mark()),
    ];
    let exe = std::env::current_exe()?.display().to_string();
    let installation = world.installation()?;
    let start = Start {
        record: &world.state().join("migration.json"),
        note: serde_json::Value::Null,
        log: &world.state().join("log/application.log"),
        die_with_parent: true,
        service: &installation.service,
        command: &command,
        env: &[],
        directory: world.state(),
    };
    // Its parent is this very process, which is to live on; so another one is put in between, and killed.
    let mut child = start.spawn(&[exe, "launch".to_owned()])?;
    let process = world.await_processes(1)?[0];
    wait_until("its words", || !world.log().is_empty())?;
    ensure!(
        world.log().trim() == NOBODY.to_string(),
        "it runs as {}",
        world.log()
    );
    ensure!(u32::try_from(process)? == child.id(), "another process");
    child.kill()?;
    child.wait()?;
    world.expect_nobody()?;
    ends_with_its_parent(&world)
}

fn ends_with_its_parent(world: &World) -> Result<()> {
    let launch = world.launch()?;
    let mut engine = Command::new(std::env::current_exe()?)
        .arg("drive")
        .arg(world.state())
        .args([&launch.port.to_string(), "--migration"])
        .args(["/bin/sh", "-c", &format!("exec sleep {}", world.mark())])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let all = |count: usize| {
        // The engine has the mark in its arguments too.
        wait_until("the migration", || world.processes().len() == count)
    };
    all(2).context("the migration does not start")?;
    engine.kill()?;
    engine.wait()?;
    all(0).context("the migration outlives its engine")
}

fn unknown() -> Result<()> {
    // Several times: a process that is on record and about to fail must never pass for one that runs.
    let kinds = [Kind::Process; 30].into_iter().chain([Kind::Transient]);
    for kind in kinds {
        let world = World::new(kind, Some("nobody-of-that-name"))?;
        let driver = world.driver()?;
        let problem = driver.start(&world.launch()?).err().context("it started")?;
        ensure!(problem.code == "start-failed", "{problem:?}");
        let detail = problem.detail.unwrap_or_default();
        ensure!(
            detail.contains("nobody-of-that-name") || detail.contains("217"),
            "{}: {detail}",
            kind.name()
        );
    }
    Ok(())
}
