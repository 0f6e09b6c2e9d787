//! What is different on Windows: a program that runs cannot be replaced or removed, files that somebody has open are in the way,
//! and administrators set policies in the registry.

use std::fs::{self, OpenOptions};
use std::os::windows::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use obnova_desktop::{Configuration, Desktop, Mode};
use obnova_release::Bundle;
use windows_registry::{CURRENT_USER, Key, LOCAL_MACHINE};

use crate::world::{CLI, CONFIRMS, LAUNCHER, World, program, said};

mod setup;

const WITHOUT_WINDOW: &str = env!("CARGO_BIN_EXE_obnova-desktopw");

/// Confirms, says so, and stays until it is told to end.
const STAYS: &str =
    "\"$OBNOVA_TEST_CLI\" confirm >/dev/null; : > \"$OBNOVA_TEST_UP\"; cat >/dev/null";

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_program_that_runs_keeps_its_files_although_its_launcher_was_ended() {
    let world = World::new();
    world.publish_with("1.0.0", "", STAYS, &[("data", b"of 1.0.0")]);
    for version in ["1.1.0", "1.2.0", "1.3.0"] {
        world.publish(version, "", CONFIRMS);
    }
    world.server.is("1.0.0");
    world.update().unwrap();
    let up = world.path("up");
    let mut launcher = world.launcher();
    launcher.env("OBNOVA_TEST_UP", &up).stdin(Stdio::piped());
    let mut launcher = launcher.stdout(Stdio::null()).spawn().unwrap();
    wait_until("the window does not open", || up.exists());
    // Its lock is gone with it; the program goes on.
    let input = launcher.stdin.take();
    launcher.kill().unwrap();
    launcher.wait().unwrap();
    let tree = world.root.join("versions/1.0.0");
    let running = tree.join(program::FILE);
    assert!(
        OpenOptions::new().write(true).open(&running).is_err(),
        "it runs"
    );
    for server in ["1.1.0", "1.2.0"] {
        world.server.is(server);
        world.update().unwrap();
        assert_eq!(world.launch(), server);
    }
    assert_eq!(fs::read(tree.join("data")).unwrap(), b"of 1.0.0");
    assert!(running.exists() && tree.join(program::PART).exists());
    drop(input);
    wait_until("the program does not end", || {
        OpenOptions::new().write(true).open(&running).is_ok()
    });
    world.server.is("1.3.0");
    world.update().unwrap();
    assert_eq!(world.launch(), "1.3.0");
    assert_eq!(world.versions(), ["1.2.0", "1.3.0"]);
}

#[test]
fn a_scanner_that_has_the_pointer_open_for_a_moment_delays_an_update_and_no_more() {
    let world = World::with_three();
    world.server.is("1.1.0");
    let pointer = world.root.join("state/pointer.json");
    let alone = OpenOptions::new().read(true).share_mode(0).open(pointer);
    let scanner = alone.unwrap();
    let ended = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(800));
        drop(scanner);
    });
    assert_eq!(world.update().unwrap().as_deref(), Some("1.1.0"));
    assert!(ended.is_finished(), "it was not in the way");
    assert_eq!(world.launch(), "1.1.0");
}

/// A product of its own in the registry, gone at the end.
struct Product(String);

impl Product {
    fn key(&self, hive: &Key) -> Key {
        hive.create(format!("Software\\Policies\\Obnova\\Desktop\\{}", self.0))
            .unwrap()
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        for hive in [LOCAL_MACHINE, CURRENT_USER] {
            let _ = hive.remove_tree(format!("Software\\Policies\\Obnova\\Desktop\\{}", self.0));
        }
    }
}

#[test]
fn a_policy_in_the_registry_counts_that_of_the_computer_before_that_of_the_user() {
    let world = World::new();
    let product = Product(format!("policies-{}", std::process::id()));
    let configuration = Configuration {
        product: product.0.clone(),
        server: format!("http://{}/", world.server.address).parse().unwrap(),
        authorities: None,
    };
    configuration.install(&world.root, b"{}").unwrap();
    fs::write(world.root.join("policy.toml"), "silent = true\n").unwrap();
    let policy = || Desktop::open(&world.root).map(|desktop| desktop.policy().clone());
    assert!(policy().unwrap().silent, "its own file");
    let user = product.key(CURRENT_USER);
    user.set_string("mode", "automatic").unwrap();
    user.set_u32("deadline_hours", 48).unwrap();
    user.set_u64("bytes_per_second", 1 << 20).unwrap();
    let of_user = policy().unwrap();
    assert_eq!((of_user.mode, of_user.silent), (Mode::Automatic, false));
    assert_eq!(of_user.deadline_hours, Some(48));
    assert_eq!(of_user.bytes_per_second, Some(1 << 20));
    let machine = product.key(LOCAL_MACHINE);
    machine.set_string("mode", "off").unwrap();
    machine.set_u32("silent", 1).unwrap();
    let of_machine = policy().unwrap();
    assert_eq!((of_machine.mode, of_machine.silent), (Mode::Off, true));
    assert_eq!(of_machine.deadline_hours, None);
    // Better no program than one that does what nobody has allowed.
    machine.set_string("mode", "whenever").unwrap();
    let error = policy().unwrap_err().to_string();
    assert!(error.contains("HKEY_LOCAL_MACHINE"), "{error}");
}

/// What an installer brings along, of a version that was published.
fn package(world: &World, version: &str, launcher: &[u8]) -> PathBuf {
    let package = world.path(&format!("package-{version}"));
    let built = world.path(&format!("work-{version}")).join("built");
    for (name, file) in Bundle::of_built(&built, &obnova_desktop::platform()).unwrap() {
        let place = package.join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(file, place).unwrap();
    }
    let trust = world.path("repository/metadata/1.root.json");
    fs::copy(trust, package.join("root.json")).unwrap();
    fs::create_dir_all(package.join("bin")).unwrap();
    for name in ["obnova-launcher.exe", "obnova-launcherw.exe"] {
        fs::write(package.join("bin").join(name), launcher).unwrap();
    }
    fs::copy(CLI, package.join("bin/obnova-desktop.exe")).unwrap();
    fs::copy(WITHOUT_WINDOW, package.join("bin/obnova-desktopw.exe")).unwrap();
    package
}

/// What is listed as installed is so by the product's name, which is the same in all tests.
static LISTED: Mutex<()> = Mutex::new(());

#[test]
fn an_installer_installs_and_replaces_a_launcher_that_runs_and_removes_all_again() {
    let _listed = LISTED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut world = World::new();
    world.publish("1.0.0", "range = \">=1.0.0\"", STAYS);
    world.publish("1.1.0", "range = \">=1.0.0\"", CONFIRMS);
    world.root = world.path("installed");
    let install = |version: &str, launcher: &[u8]| {
        let package = package(&world, version, launcher);
        let address = format!("http://{}/", world.server.address);
        let output = world.cli(&[
            "install",
            "--package",
            package.to_str().unwrap(),
            "--server",
            &address,
        ]);
        assert!(output.status.success(), "{output:?}");
    };
    let start = || {
        let mut command = Command::new(world.root.join("bin/crm.exe"));
        world.environment(&mut command);
        command
    };
    let launcher = fs::read(LAUNCHER).unwrap();
    install("1.0.0", &launcher);
    let up = world.path("up");
    let mut window = start();
    window.env("OBNOVA_TEST_UP", &up).stdin(Stdio::piped());
    let mut window = window.stdout(Stdio::null()).spawn().unwrap();
    wait_until("the window does not open", || up.exists());
    // Another launcher that does the same: what follows a program's end is not part of it.
    let newer = [&launcher[..], b"newer"].concat();
    install("1.1.0", &newer);
    for name in ["crm.exe", "crm.com"] {
        assert_eq!(fs::read(world.root.join("bin").join(name)).unwrap(), newer);
    }
    drop(window.stdin.take());
    assert!(window.wait().unwrap().success());
    assert_eq!(said(&start().output().unwrap()), "1.1.0");
    world.desktop().uninstall().unwrap();
    assert!(!world.root.exists());
}
