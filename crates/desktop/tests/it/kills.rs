//! Killed at every moment of an apply, a first start, a confirmation and a return: the next start finds the old or the new
//! version, and nothing that needs a person.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use obnova_desktop::{Health, launcher, moment};

use crate::world::{CONFIRMS, World, copy, remove, said, update};

const ROLE: &str = "OBNOVA_TEST_ROLE";
const AT: &str = "OBNOVA_TEST_KILL_AT";
/// A file that says that the moment has come.
const HERE: &str = "OBNOVA_TEST_KILL_HERE";

/// What a killed process would have been: this test program started again, as one part of the product.
#[test]
#[ignore = "is started by the other tests"]
fn role() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let root = std::env::var_os("OBNOVA_LAUNCHER_ROOT").unwrap();
    let root = Path::new(&root);
    moment::observe(|_| {
        static REACHED: AtomicUsize = AtomicUsize::new(0);
        let at: usize = std::env::var(AT).unwrap().parse().unwrap();
        if REACHED.fetch_add(1, Ordering::SeqCst) == at {
            std::fs::write(std::env::var_os(HERE).unwrap(), "").unwrap();
            // Whoever has started this kills it now.
            std::thread::sleep(Duration::from_secs(600));
        }
    });
    match role.as_str() {
        "update" => drop(update(&obnova_desktop::Desktop::open(root).unwrap()).unwrap()),
        "confirm" => {
            let desktop = obnova_desktop::Desktop::open(root).unwrap();
            desktop.confirm(|| Health::Good).unwrap();
        }
        "launch" => drop(launcher::run(root, &[])),
        other => panic!("{other}"),
    }
}

/// Says whether it was killed.
fn as_role(world: &World, role: &str, at: usize) -> bool {
    let here = world.path("here");
    let mut command = Command::new(std::env::current_exe().unwrap());
    world.environment(&mut command);
    let mut child = command
        .args(["--exact", "kills::role", "--ignored", "--nocapture"])
        .env("OBNOVA_LAUNCHER_ROOT", &world.root)
        .env(ROLE, role)
        .env(AT, at.to_string())
        .env(HERE, &here)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    loop {
        if here.exists() {
            child.kill().unwrap();
            child.wait().unwrap();
            std::fs::remove_file(here).unwrap();
            return true;
        }
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{role}, to be killed at {at}: {status}");
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Plays the role again and again, killed one moment later each time, until it is not killed any more. Gives the number of
/// moments.
fn at_every_moment(
    role: &str,
    prepare: impl Fn(&World),
    world: &World,
    check: impl Fn(&World, usize),
) -> usize {
    let clean = world.path("clean");
    copy(&world.root, &clean);
    for at in 0..100 {
        remove(&world.root);
        copy(&clean, &world.root);
        prepare(world);
        let killed = as_role(world, role, at);
        check(world, at);
        if !killed {
            return at;
        }
    }
    panic!("{role} never ends");
}

fn two_versions(does: &str) -> World {
    let world = World::new();
    world.publish("1.0.0", "range = \">=1.0.0\"", CONFIRMS);
    world.publish("1.1.0", "range = \">=1.0.0\"", does);
    world.server.is("1.0.0");
    world.update().unwrap();
    assert_eq!(world.launch(), "1.0.0");
    world.server.is("1.1.0");
    world
}

/// Whatever came before: starting the program and updating it ends with 1.1.0, confirmed, and nothing left over.
pub fn ends_well(world: &World, at: impl std::fmt::Display) {
    let started = world.launch();
    assert!(
        ["1.0.0", "1.1.0"].contains(&&*started),
        "killed at {at}: {started}"
    );
    world
        .update()
        .unwrap_or_else(|error| panic!("killed at {at}: {error}"));
    assert_eq!(world.launch(), "1.1.0", "killed at {at}");
    let status = world.desktop().status().unwrap();
    assert_eq!(status.trial_starts, None, "killed at {at}");
    assert!(status.quarantine.is_empty(), "killed at {at}");
    assert_eq!(world.versions(), ["1.0.0", "1.1.0"], "killed at {at}");
    let state = std::fs::read_dir(world.root.join("state")).unwrap();
    let left = state.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with('.')
    });
    assert_eq!(left.count(), 0, "killed at {at}");
}

#[test]
fn an_apply_that_is_killed_anywhere_ends_with_the_old_or_the_new_version() {
    let world = two_versions(CONFIRMS);
    let moments = at_every_moment("update", |_| (), &world, ends_well);
    assert!(moments >= 8, "{moments}");
}

#[test]
fn a_first_start_that_is_killed_anywhere_is_tried_again() {
    let world = two_versions(CONFIRMS);
    world.update().unwrap();
    let moments = at_every_moment(
        "launch",
        |_| (),
        &world,
        |world, at| {
            let started = world.launch();
            assert_eq!(started, "1.1.0", "killed at {at}");
            ends_well(world, at);
        },
    );
    assert!(moments >= 6, "{moments}");
}

#[test]
fn a_confirmation_that_is_killed_anywhere_is_made_or_made_again() {
    let world = two_versions(CONFIRMS);
    world.update().unwrap();
    let moments = at_every_moment("confirm", |_| (), &world, ends_well);
    assert!(moments >= 8, "{moments}");
}

#[test]
fn a_return_that_is_killed_anywhere_ends_with_the_version_before() {
    let world = two_versions("exit 3");
    world.update().unwrap();
    let moments = at_every_moment(
        "launch",
        |_| (),
        &world,
        |world, at| {
            assert_eq!(
                said(&world.launcher().output().unwrap()),
                "1.0.0",
                "killed at {at}"
            );
            let status = world.desktop().status().unwrap();
            assert_eq!(
                status.current.unwrap().to_string(),
                "1.0.0",
                "killed at {at}"
            );
            assert_eq!(status.quarantine.len(), 1, "killed at {at}");
            assert_eq!(world.versions(), ["1.0.0"], "killed at {at}");
        },
    );
    assert!(moments >= 10, "{moments}");
}
