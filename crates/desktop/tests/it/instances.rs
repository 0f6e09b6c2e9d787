//! Several programs at once: windows that are open, updates begun twice, launchers started twice.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use obnova_desktop::Code;

use crate::world::{CONFIRMS, World, program, said};

/// Confirms, says so, and stays until its input ends.
const STAYS: &str =
    "\"$OBNOVA_TEST_CLI\" confirm >/dev/null; : > \"$OBNOVA_TEST_UP\"; cat >/dev/null";

fn open_window(world: &World, name: &str) -> Child {
    let up = world.path(name);
    let mut command = world.launcher();
    let child = command
        .env("OBNOVA_TEST_UP", &up)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while !up.exists() {
        assert!(Instant::now() < until, "the window does not open");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn close(mut child: Child) {
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_version_that_is_open_keeps_its_files_through_two_updates_and_goes_when_it_is_closed() {
    let world = World::new();
    world.publish("1.0.0", "", STAYS);
    for version in ["1.1.0", "1.2.0", "1.3.0"] {
        world.publish(version, "", CONFIRMS);
    }
    world.server.is("1.0.0");
    world.update().unwrap();
    let window = open_window(&world, "up");
    for server in ["1.1.0", "1.2.0"] {
        world.server.is(server);
        world.update().unwrap();
        assert_eq!(world.launch(), server);
    }
    assert_eq!(
        world.versions(),
        ["1.0.0", "1.1.0", "1.2.0"],
        "1.0.0 is open"
    );
    close(window);
    world.server.is("1.3.0");
    world.update().unwrap();
    assert_eq!(world.launch(), "1.3.0");
    assert_eq!(world.versions(), ["1.2.0", "1.3.0"]);
}

#[test]
fn a_program_of_the_version_before_does_not_confirm_the_new_one() {
    let world = World::new();
    world.publish(
        "1.0.0",
        "",
        "cat >/dev/null; exec \"$OBNOVA_TEST_CLI\" confirm --json",
    );
    world.publish("1.1.0", "", CONFIRMS);
    world.server.is("1.0.0");
    world.update().unwrap();
    let mut old = world
        .launcher()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(old.stdout.take().unwrap()).lines();
    assert_eq!(output.next().unwrap().unwrap(), "1.0.0", "it is up");
    world.server.is("1.1.0");
    world.update().unwrap();
    drop(old.stdin.take());
    let rest: String = output.map(Result::unwrap).collect();
    assert!(rest.contains("nothing_to_do"), "{rest}");
    assert!(old.wait().unwrap().success());
    assert_eq!(world.desktop().status().unwrap().trial_starts, Some(0));
    assert_eq!(world.launch(), "1.1.0");
}

#[test]
fn two_updates_at_once_end_with_the_right_version() {
    let world = World::with_three();
    for server in ["1.1.0", "1.2.0", "1.0.0"] {
        world.server.is(server);
        let outputs: Vec<_> = std::thread::scope(|scope| {
            let both = [(); 2].map(|()| scope.spawn(|| world.cli(&["update", "--json"])));
            both.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(
            outputs.iter().any(|output| output.status.success()),
            "{outputs:?}"
        );
        for output in outputs.iter().filter(|output| !output.status.success()) {
            assert!(
                String::from_utf8_lossy(&output.stderr).contains("\"busy\""),
                "{output:?}"
            );
        }
        assert_eq!(world.current().as_deref(), Some(server));
        assert_eq!(world.launch(), server);
    }
}

#[test]
fn two_launchers_at_once_start_the_version_on_trial_and_it_is_confirmed_once() {
    let world = World::with_three();
    world.server.is("1.1.0");
    world.update().unwrap();
    let started: Vec<String> = std::thread::scope(|scope| {
        let both = [(); 2].map(|()| scope.spawn(|| said(&world.launcher().output().unwrap())));
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(started, ["1.1.0", "1.1.0"]);
    let status = world.desktop().status().unwrap();
    assert_eq!((status.trial_starts, status.quarantine.len()), (None, 0));
}

#[test]
fn a_version_that_is_open_is_not_downloaded_over() {
    let world = World::new();
    world.publish("1.0.0", "", STAYS);
    world.publish("1.1.0", "", CONFIRMS);
    world.server.is("1.0.0");
    world.update().unwrap();
    let window = open_window(&world, "up");
    world.server.is("1.1.0");
    world.update().unwrap();
    assert_eq!(world.launch(), "1.1.0");
    // Back again, while the first window of that version is still open: its files are whole, and stay as they are.
    world.server.is("1.0.0");
    let found = world.desktop().check().unwrap().wanted.unwrap();
    assert_eq!(
        world
            .desktop()
            .download(&found, &mut |_, _| ())
            .map_err(|error| error.code),
        Ok(())
    );
    let open = world.root.join("versions/1.0.0");
    std::fs::remove_file(open.join(program::PART)).unwrap();
    let broken = world
        .desktop()
        .download(&found, &mut |_, _| ())
        .unwrap_err();
    assert_eq!(broken.code, Code::Busy);
    close(window);
    world.update().unwrap();
    assert_eq!(world.current().as_deref(), Some("1.0.0"));
}
