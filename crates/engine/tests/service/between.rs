//! Engines that are killed between two of their calls to systemd: the test stands on the line to the bus, and counts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::kills::{engine_with, found_or_started};
use crate::world::{Kind, World, failed, stop};

type Case = (&'static str, fn() -> Result<()>);

pub const CASES: &[Case] = &[
    (
        "an_engine_killed_between_two_calls_to_systemd_leaves_nobody_unknown",
        transient,
    ),
    (
        "an_engine_killed_between_two_calls_about_a_given_unit_leaves_nobody_unknown",
        given,
    ),
];

/// More than a start says.
const MANY: usize = 200;

fn transient() -> Result<()> {
    every_call(Kind::Transient)
}

fn given() -> Result<()> {
    every_call(Kind::Given)
}

fn every_call(kind: Kind) -> Result<()> {
    let world = World::new(kind, None)?;
    let (mut adopted, mut nothing) = (0, 0);
    for call in 1..MANY {
        // Heard by systemd or not: half of them this way, half that.
        let killed = killed_at(&world, call, call % 2 == 0)?;
        let starts = found_or_started(&world).with_context(|| format!("killed at call {call}"))?;
        match starts {
            0 => adopted += 1,
            _ => nothing += 1,
        }
        let next = world.driver()?;
        next.stop(&stop(5), Duration::MAX).map_err(failed)?;
        world.expect_nobody()?;
        if !killed {
            ensure!(call > 5, "it said nothing: {call}");
            println!("    {call} calls: {adopted} adopted, {nothing} started again");
            return Ok(());
        }
    }
    anyhow::bail!("a start that has no end")
}

/// Starts an engine that starts the application, and kills it when it says something for this many times: before that goes on to
/// the bus, or after. `false` when it says less.
fn killed_at(world: &World, call: usize, is_heard: bool) -> Result<bool> {
    let socket = world.state().join("line");
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket)?;
    let address = format!("unix:path={}", socket.display());
    let mut engine = engine_with(world, &[("DBUS_SYSTEM_BUS_ADDRESS", &address)])?;
    let line = Line {
        engine: pid(&engine)?,
        said: Arc::default(),
        call,
        is_heard,
    };
    thread::spawn(move || line.stand_on(&listener));
    let mut said = String::new();
    let output = engine.stdout.take().context("no output")?;
    BufReader::new(output).read_line(&mut said)?;
    let is_started = said.starts_with("started");
    ensure!(is_started || said.is_empty(), "{said}");
    engine.kill()?;
    engine.wait()?;
    Ok(!is_started)
}

fn pid(engine: &Child) -> Result<Pid> {
    Pid::from_raw(engine.id().try_into()?).context("no process")
}

#[derive(Clone)]
struct Line {
    engine: Pid,
    said: Arc<AtomicUsize>,
    call: usize,
    is_heard: bool,
}

impl Line {
    fn stand_on(&self, listener: &UnixListener) {
        for client in listener.incoming().flatten() {
            let line = self.clone();
            thread::spawn(move || line.pass_on(client));
        }
    }

    /// Ends when either side does.
    fn pass_on(&self, client: UnixStream) -> Option<()> {
        let bus = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").ok()?;
        let bus = UnixStream::connect(Path::new(bus.strip_prefix("unix:path=")?)).ok()?;
        let (mut from_bus, mut to_client) = (bus.try_clone().ok()?, client.try_clone().ok()?);
        thread::spawn(move || {
            let _ = std::io::copy(&mut from_bus, &mut to_client);
            let _ = to_client.shutdown(Shutdown::Both);
        });
        let (mut client, mut bus) = (client, bus);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = client.read(&mut buffer).ok().filter(|length| *length > 0)?;
            let is_it = self.said.fetch_add(1, Ordering::SeqCst) + 1 == self.call;
            if is_it && !self.is_heard {
                let _ = kill_process(self.engine, Signal::KILL);
                let _ = bus.shutdown(Shutdown::Both);
                return None;
            }
            bus.write_all(&buffer[..length]).ok()?;
            if is_it {
                let _ = kill_process(self.engine, Signal::KILL);
            }
        }
    }
}
