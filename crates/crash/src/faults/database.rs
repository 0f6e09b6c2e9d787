//! The database cannot be used for a while: its server is gone, hangs, lets nobody in, or somebody else writes to the file.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use rand::Rng as _;
use rand::rngs::StdRng;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AnyConnection, Connection as _};

use crate::app::App;
use crate::fault::{Fault, Needs};
use crate::world::{Who, World};

/// In one way.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// The server dies and nobody starts it.
    Gone,
    /// Its processes stand still.
    Hangs,
    /// It lets nobody in who is not in yet.
    Refuses,
    /// All its connections are taken.
    Busy,
    /// Somebody else writes to the file, for long.
    Locked,
}

/// The rule that lets nobody in.
const REJECT: &[u8] = b"host all all all reject\n";
/// How many faults of this life refuse at this moment; whoever changes the rules holds it.
static REFUSALS: Mutex<usize> = Mutex::new(0);

/// See the module.
struct BadDatabase {
    name: &'static str,
    way: Way,
    held: Mutex<Held>,
}

/// What must be given back.
#[derive(Default)]
struct Held {
    stopped: Vec<Pid>,
    rules: Option<(PathBuf, Vec<u8>)>,
    connections: Vec<AnyConnection>,
}

/// One for each way.
pub fn all() -> impl Iterator<Item = Box<dyn Fault>> {
    const ALL: [(&str, Way); 5] = [
        ("database-gone", Way::Gone),
        ("database-hangs", Way::Hangs),
        ("database-refuses", Way::Refuses),
        ("database-busy", Way::Busy),
        ("database-locked", Way::Locked),
    ];
    ALL.into_iter().map(|(name, way)| {
        Box::new(BadDatabase {
            name,
            way,
            held: Mutex::default(),
        }) as Box<dyn Fault>
    })
}

impl Fault for BadDatabase {
    fn name(&self) -> &'static str {
        self.name
    }

    fn suits(&self, app: &App) -> bool {
        let is_file = !app.has_server();
        is_file == (self.way == Way::Locked)
    }

    fn needs(&self) -> Needs {
        Needs {
            holds_files: self.way == Way::Locked,
            ..Needs::default()
        }
    }

    fn strike(&self, world: &mut World, _random: &mut StdRng) -> Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match self.way {
            Way::Gone => {
                world.supervisor.stop(Who::Database);
                world.kill(&[Who::Database])?;
            }
            Way::Hangs => held.stopped = hang(world),
            Way::Refuses => held.rules = refuse(world)?,
            Way::Busy => held.connections = occupy(world),
            Way::Locked => held.connections = lock(world)?,
        }
        Ok(())
    }

    fn lasts(&self, random: &mut StdRng) -> Duration {
        Duration::from_millis(random.random_range(300..6000))
    }

    fn heal(&self, world: &mut World) -> Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if self.way == Way::Gone {
            world.supervisor.start(Who::Database);
        }
        for pid in held.stopped.drain(..) {
            // It may have been killed meanwhile.
            let _ = kill_process(pid, Signal::CONT);
        }
        if let Some((file, rules)) = held.rules.take() {
            give_back(world, file, rules);
        }
        for connection in held.connections.drain(..) {
            // The server may have ended it.
            let _ = world.block_on(connection.close());
        }
        Ok(())
    }

    fn excuses_silence(&self) -> bool {
        true
    }
}

/// Stops the server and all its processes.
fn hang(world: &World) -> Vec<Pid> {
    let Some(server) = world.pid(Who::Database) else {
        return Vec::new();
    };
    // The first one first: it must not start others meanwhile.
    let mut all = vec![server];
    all.extend(children(server));
    let stopped = all.into_iter().filter_map(Pid::from_raw);
    stopped
        .filter(|pid| kill_process(*pid, Signal::STOP).is_ok())
        .collect()
}

fn children(of: i32) -> Vec<i32> {
    let path = format!("/proc/{of}/task/{of}/children");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// Puts a rule before all others that lets the application's role in nowhere. Returns the others.
fn refuse(world: &World) -> Result<Option<(PathBuf, Vec<u8>)>> {
    let Some(file) = world.app.access_rules(&world.folder) else {
        return Ok(None);
    };
    let mut refusals = REFUSALS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut rules = std::fs::read(&file)?;
    while let Some(others) = rules.strip_prefix(REJECT) {
        rules = others.to_vec();
    }
    match write(&file, &rules, *refusals + 1) {
        // Another fault of this life has made the disk full or read-only: nobody could do this then.
        Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => return Ok(None),
        Err(error) if error.kind() == ErrorKind::StorageFull => {}
        written => written?,
    }
    *refusals += 1;
    reload(world.pid(Who::Database));
    Ok(Some((file, rules)))
}

/// Lets the role in again: now, or as soon as another fault of this life lets anybody write; or one refusal less, if another fault
/// of the same kind lasts on.
fn give_back(world: &World, file: PathBuf, rules: Vec<u8>) {
    let (app, folder) = (world.app.clone(), world.folder.clone());
    *REFUSALS.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    std::thread::spawn(move || {
        let give_back = || {
            let refusals = REFUSALS.lock().unwrap_or_else(PoisonError::into_inner);
            write(&file, &rules, *refusals)
        };
        // The data may have been replaced by a copy, which has the rules that were copied.
        while file.is_file() && give_back().is_err() {
            std::thread::sleep(Duration::from_millis(50));
        }
        reload(app.server_pid(&folder));
    });
}

/// Synced: the power may go next, and this is no file of the product's.
fn write(file: &Path, rules: &[u8], refusals: usize) -> std::io::Result<()> {
    let mut open = std::fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(file)?;
    open.write_all(&REJECT.repeat(refusals))?;
    open.write_all(rules)?;
    open.sync_all()
}

fn reload(server: Option<i32>) {
    if let Some(pid) = server.and_then(Pid::from_raw) {
        // It may be ending.
        let _ = kill_process(pid, Signal::HUP);
    }
}

/// Takes all connections that an application can have.
fn occupy(world: &World) -> Vec<AnyConnection> {
    sqlx::any::install_default_drivers();
    let url = world.app.of().import_url(&world.folder, &world.ports);
    let mut taken = Vec::new();
    world.block_on(async {
        while let Ok(Ok(connection)) =
            tokio::time::timeout(Duration::from_secs(2), AnyConnection::connect(&url)).await
        {
            taken.push(connection);
        }
    });
    taken
}

/// Begins a transaction that writes.
fn lock(world: &World) -> Result<Vec<AnyConnection>> {
    sqlx::any::install_default_drivers();
    let url = world.app.of().import_url(&world.folder, &world.ports);
    if !Path::new(url.trim_start_matches("sqlite://")).is_file() {
        // It is being returned at this very moment.
        return Ok(Vec::new());
    }
    world.block_on(async {
        let mut connection = AnyConnection::connect(&url).await.context("the database")?;
        // Somebody else may have it; then it is locked as well.
        let _ = sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut connection)
            .await;
        Ok(vec![connection])
    })
}
