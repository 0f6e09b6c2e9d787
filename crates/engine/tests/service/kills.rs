//! Engines that are killed while they start the application.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use obnova_engine::Installation;
use obnova_engine::launch::Start;
use obnova_engine::service::{Launch, open};
use rand::Rng;

use crate::world::{World, failed, stop, wait_until};

type Case = (&'static str, fn(&World) -> Result<()>);

pub const CASES: &[Case] = &[
    ("it_outlives_a_killed_engine_and_is_adopted", outlives),
    (
        "an_engine_killed_while_starting_leaves_nobody_unknown",
        any_instant,
    ),
];

fn outlives(world: &World) -> Result<()> {
    let mut engine = engine(world)?;
    let output = engine.stdout.take().context("no output")?;
    BufReader::new(output).read_line(&mut String::new())?;
    let found = world.await_processes(1)?;
    engine.kill()?;
    engine.wait()?;
    let next = world.driver()?;
    ensure!(next.running().is_some(), "it is not found");
    ensure!(world.processes() == found, "it did not live on");
    next.stop(&stop(5), Duration::MAX).map_err(failed)?;
    world.expect_nobody()
}

/// Whatever the next engine finds, it knows it: nothing runs, or what it adopts; and one application runs after it started one.
fn any_instant(world: &World) -> Result<()> {
    let mut random = rand::rng();
    let (mut adopted, mut nothing) = (0, 0);
    for round in 0..25 {
        let mut engine = engine(world)?;
        sleep(Duration::from_micros(random.random_range(2_000..60_000)));
        engine.kill()?;
        engine.wait()?;
        match found_or_started(world).with_context(|| format!("round {round}"))? {
            0 => adopted += 1,
            _ => nothing += 1,
        }
        if round % 2 == 0 {
            world
                .driver()?
                .stop(&stop(5), Duration::MAX)
                .map_err(failed)?;
            world.expect_nobody()?;
        }
    }
    println!("    {adopted} adopted, {nothing} started again");
    Ok(())
}

/// What the next engine does: how often it had to start the application until one runs, and one only.
pub fn found_or_started(world: &World) -> Result<u32> {
    let next = world.driver()?;
    // One that is killed together with its engine may come onto the record before it is gone: as the engine does, this looks
    // again and again, and starts it when it does not run.
    let (mut starts, mut problem) = (0, None);
    wait_until("one application", || {
        if next.running().is_none() {
            starts += 1;
            problem = world.launch().ok().and_then(|it| next.start(&it).err());
        }
        problem.is_some() || next.running().is_some() && world.processes().len() == 1
    })
    .with_context(|| format!("{:?}", world.processes()))?;
    match problem {
        Some(problem) => Err(failed(problem)),
        None => Ok(starts),
    }
}

fn engine(world: &World) -> Result<Child> {
    engine_with(world, &[])
}

/// An engine that starts the application, with further variables.
pub fn engine_with(world: &World, env: &[(&str, &str)]) -> Result<Child> {
    let launch = world.launch()?;
    Ok(Command::new(std::env::current_exe()?)
        .envs(env.iter().copied())
        .arg("drive")
        .arg(world.state())
        .args([&launch.port.to_string(), "--"])
        .args(&launch.command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?)
}

/// An engine that does nothing but start the application, and is there until it is killed.
pub fn drive(arguments: &[String]) -> ExitCode {
    match start(arguments) {
        Ok(()) => loop {
            sleep(Duration::from_secs(60));
        },
        Err(error) => {
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &[String]) -> Result<()> {
    let [state, port, kind, command @ ..] = arguments else {
        anyhow::bail!("not enough arguments");
    };
    let installation = Installation::load(Path::new(state)).map_err(failed)?;
    let exe = std::env::current_exe()?.display().to_string();
    if kind == "--migration" {
        return migrate(&installation, command, exe);
    }
    let launch = Launch {
        version: "1.0.0".parse()?,
        command: command.to_vec(),
        port: port.parse()?,
        stop: stop(5),
        env: vec![("PATH".to_owned(), std::env::var("PATH")?)],
        directory: installation.state_dir.join("versions/1.0.0"),
    };
    open(&installation, vec![exe, "launch".to_owned()])
        .start(&launch)
        .map_err(failed)?;
    println!("started");
    Ok(std::io::stdout().flush()?)
}

fn migrate(installation: &Installation, command: &[String], exe: String) -> Result<()> {
    let start = Start {
        record: &installation.state_dir.join("migration.json"),
        note: serde_json::Value::Null,
        log: &installation.state_dir.join("log/application.log"),
        die_with_parent: true,
        service: &installation.service,
        command,
        env: &[],
        directory: &installation.state_dir,
    };
    start.spawn(&[exe, "launch".to_owned()])?;
    Ok(())
}
