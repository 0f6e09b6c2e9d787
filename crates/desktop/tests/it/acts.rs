//! One part of the product in a process of its own, in which something happens at a chosen change to the disk: it is killed, the
//! power fails, or the disk refuses.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use obnova_desktop::{Desktop, Health, Installing, launcher};
use obnova_release::durable::{self, Act, Kind, Observer, Verdict};
use obnova_testkit::volume;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::world::{World, update};

const ROLE: &str = "OBNOVA_TEST_ROLE";
const AT: &str = "OBNOVA_TEST_AT";
/// A file that says that the moment has come.
const HERE: &str = "OBNOVA_TEST_HERE";
/// A file with all changes of a run in which nothing happened.
const SEEN: &str = "OBNOVA_TEST_SEEN";
/// A file system whose power fails.
const POWER: &str = "OBNOVA_TEST_POWER";
/// The number of the disk's error.
const REFUSES: &str = "OBNOVA_TEST_REFUSES";
/// Nothing is synced.
const LAZY: &str = "OBNOVA_TEST_LAZY";
/// The package of an installer, and for whom.
const PACKAGE: &str = "OBNOVA_TEST_PACKAGE";
const SERVER: &str = "OBNOVA_TEST_SERVER";
const ALL_USERS: &str = "OBNOVA_TEST_ALL_USERS";

const PATIENCE: Duration = Duration::from_secs(120);

/// What happens.
#[derive(Debug, Clone)]
pub enum Blow<'a> {
    /// The process is killed.
    Kill,
    /// The file system mounted here loses its power.
    Power(&'a Path),
    /// The disk answers with this error, once.
    Refuse(i32),
    /// All through it, nothing is synced.
    Lazy,
}

/// What is run.
#[derive(Debug, Clone)]
pub enum Role {
    /// A program follows its server.
    Update,
    /// A version says that it works.
    Confirm,
    /// The launcher.
    Launch,
    /// What an installer does: its package, and whether for all users.
    Install(PathBuf, bool),
}

#[test]
#[ignore = "is started by the other tests"]
fn role() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let root = PathBuf::from(std::env::var_os("OBNOVA_LAUNCHER_ROOT").unwrap());
    assert!(durable::observe(Box::new(Watcher::of_environment(&root))));
    let desktop = || Desktop::open(&root).unwrap();
    match role.as_str() {
        "update" => drop(update(&desktop())),
        "confirm" => drop(desktop().confirm(|| Health::Good)),
        "launch" => drop(launcher::run(&root, &[])),
        "install" => {
            let package = PathBuf::from(std::env::var_os(PACKAGE).unwrap());
            let installing = Installing {
                package,
                root: root.clone(),
                server: Some(std::env::var(SERVER).unwrap().parse().unwrap()),
                authorities: None,
                all_users: std::env::var_os(ALL_USERS).is_some(),
            };
            drop(installing.install());
        }
        other => panic!("{other}"),
    }
}

struct Watcher {
    root: PathBuf,
    at: usize,
    reached: AtomicUsize,
    seen: Option<Mutex<PathBuf>>,
    power: Option<PathBuf>,
    refuses: Option<i32>,
    is_lazy: bool,
}

impl Watcher {
    fn of_environment(root: &Path) -> Self {
        let path = |name| std::env::var_os(name).map(PathBuf::from);
        let number = |name| std::env::var(name).ok()?.parse().ok();
        Self {
            root: root.to_owned(),
            at: std::env::var(AT).unwrap().parse().unwrap(),
            reached: AtomicUsize::new(0),
            seen: path(SEEN).map(Mutex::new),
            power: path(POWER),
            refuses: number(REFUSES),
            is_lazy: std::env::var_os(LAZY).is_some(),
        }
    }
}

impl Observer for Watcher {
    fn before(&self, act: Act<'_>) -> Verdict {
        if !act.path.starts_with(&self.root) {
            return Verdict::Do;
        }
        if let Some(seen) = &self.seen {
            let path = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let place = act.path.strip_prefix(&self.root).unwrap().display();
            let mut before = std::fs::read(&*path).unwrap_or_default();
            before.extend(format!("{:?} {place}\n", act.kind).bytes());
            std::fs::write(&*path, before).unwrap();
        }
        if self.is_lazy && act.kind == Kind::Sync {
            return Verdict::Skip;
        }
        if self.reached.fetch_add(1, Ordering::SeqCst) != self.at {
            return Verdict::Do;
        }
        if let Some(error) = self.refuses {
            return Verdict::Fail(error);
        }
        if let Some(power) = &self.power {
            volume::cut_power(power).unwrap();
        }
        std::fs::write(std::env::var_os(HERE).unwrap(), "").unwrap();
        // Whoever has started this kills it now.
        std::thread::sleep(Duration::from_secs(600));
        Verdict::Do
    }

    fn after(&self, _act: Act<'_>) {}
}

/// Runs it until it has ended, or the blow has come at that change; says which.
pub fn strike(world: &World, role: &Role, blow: &Blow<'_>, at: usize) -> bool {
    let here = world.path("here");
    let mut command = command(world, role, at);
    command.env(HERE, &here);
    match blow {
        Blow::Kill => {}
        Blow::Power(path) => drop(command.env(POWER, path)),
        Blow::Refuse(error) => drop(command.env(REFUSES, error.to_string())),
        Blow::Lazy => drop(command.env(LAZY, "1")),
    }
    let mut child = command.spawn().unwrap();
    let until = Instant::now() + PATIENCE;
    loop {
        if here.exists() {
            end(&mut child);
            std::fs::remove_file(here).unwrap();
            return true;
        }
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{role:?} at {at}: {status}");
            return false;
        }
        assert!(Instant::now() < until, "{role:?} at {at} does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The changes that it makes when nothing happens: what and where.
pub fn changes(world: &World, role: &Role) -> Vec<String> {
    let seen = world.path("seen");
    let status = command(world, role, usize::MAX)
        .env(SEEN, &seen)
        .status()
        .unwrap();
    assert!(status.success());
    let text = std::fs::read_to_string(&seen).unwrap();
    std::fs::remove_file(seen).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// All changes to what decides which version runs, and some of the others.
pub fn sample(changes: &[String], others: usize) -> Vec<usize> {
    let decides = |change: &String| change.contains(" state/") && !change.contains("running");
    let rest: Vec<usize> = (0..changes.len())
        .filter(|at| !decides(&changes[*at]))
        .collect();
    let every = rest.len().div_ceil(others).max(1);
    let some = rest.into_iter().step_by(every);
    let mut chosen: Vec<usize> = (0..changes.len())
        .filter(|at| decides(&changes[*at]))
        .collect();
    chosen.extend(some);
    chosen.sort_unstable();
    chosen
}

fn command(world: &World, role: &Role, at: usize) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    world.environment(&mut command);
    command
        .args(["--exact", "acts::role", "--ignored", "--nocapture"])
        .env("OBNOVA_LAUNCHER_ROOT", &world.root)
        .env(AT, at.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .process_group(0);
    let name = match role {
        Role::Update => "update",
        Role::Confirm => "confirm",
        Role::Launch => "launch",
        Role::Install(package, all_users) => {
            command.env(PACKAGE, package).env(SERVER, world.address());
            if *all_users {
                command.env(ALL_USERS, "1");
            }
            "install"
        }
    };
    command.env(ROLE, name);
    command
}

/// With all that it has started.
fn end(child: &mut Child) {
    let group = Pid::from_raw(child.id().cast_signed()).unwrap();
    kill_process_group(group, Signal::KILL).unwrap();
    child.wait().unwrap();
}
