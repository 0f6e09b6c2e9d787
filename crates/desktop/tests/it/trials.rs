//! A version that is started for the first time has to confirm, or the one before comes back.

use std::fs;

use obnova_desktop::{Code, News, Reason};

use crate::world::{CONFIRMS, HANGS, World, program};

/// 1.0.0 runs; 1.1.0 does what it is told, and the server wants it.
fn after(does: &str) -> World {
    let world = World::new();
    world.publish("1.0.0", "range = \">=1.0.0\"", CONFIRMS);
    world.publish("1.1.0", "range = \">=1.0.0\"", does);
    world.server.is("1.0.0");
    world.update().unwrap();
    assert_eq!(world.launch(), "1.0.0");
    world.server.is("1.1.0");
    world.update().unwrap();
    world
}

fn reason(world: &World) -> Reason {
    match world.desktop().take_news().unwrap() {
        Some(News::Returned { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_version_that_crashes_is_left_at_once_told_and_not_tried_again() {
    let world = after("exit 7");
    assert_eq!(world.launch(), "1.0.0");
    assert!(matches!(reason(&world), Reason::Crashed { status } if status.contains('7')));
    assert_eq!(world.update().unwrap_err().code, Code::Quarantined);
    assert!(
        world
            .server
            .facts()
            .reports
            .iter()
            .any(|told| told.contains("returned"))
    );
    assert_eq!(world.versions(), ["1.0.0"]);
    // A newer version is another matter.
    world.publish("1.2.0", "range = \">=1.0.0\"", CONFIRMS);
    world.server.is("1.2.0");
    world.update().unwrap();
    assert_eq!(world.launch(), "1.2.0");
}

#[test]
fn a_version_that_hangs_is_ended_and_left() {
    let world = after(HANGS);
    assert_eq!(world.launch(), "1.0.0");
    assert_eq!(reason(&world), Reason::Silent { seconds: 2 });
}

#[test]
fn a_version_whose_own_check_fails_is_left() {
    let world =
        after("\"$OBNOVA_TEST_CLI\" confirm --failed 'no licence' >/dev/null; exec sleep 600");
    assert_eq!(world.launch(), "1.0.0");
    assert!(matches!(reason(&world), Reason::OwnCheck { detail } if detail == "no licence"));
}

#[test]
fn a_version_that_is_closed_early_is_tried_again_but_not_for_ever() {
    let world = after("exit 0");
    for _ in 0..3 {
        assert_eq!(world.launch(), "1.1.0");
    }
    assert_eq!(world.launch(), "1.0.0");
    assert_eq!(reason(&world), Reason::NeverConfirmed { starts: 3 });
}

#[test]
fn a_program_that_is_gone_is_left() {
    let world = after(CONFIRMS);
    fs::remove_file(world.root.join("versions/1.1.0").join(program::FILE)).unwrap();
    assert_eq!(world.launch(), "1.0.0");
    assert!(matches!(reason(&world), Reason::NotStarted { .. }));
}

#[test]
fn an_unreachable_server_is_no_reason_to_go_back() {
    let world = after(CONFIRMS);
    world.server.facts().hello = None;
    assert_eq!(world.launch(), "1.1.0");
    let status = world.desktop().status().unwrap();
    assert_eq!(status.current.unwrap().to_string(), "1.1.0");
    assert_eq!(status.trial_starts, None);
}

#[test]
fn a_server_that_went_back_meanwhile_is_one_and_no_fault_of_the_version() {
    let world = World::with_three();
    world.server.is("1.1.0");
    world.update().unwrap();
    world.server.is("1.0.0");
    assert_eq!(world.launch(), "1.0.0");
    assert!(matches!(reason(&world), Reason::Refused { server } if server == "1.0.0"));
    assert!(world.desktop().status().unwrap().quarantine.is_empty());
    world.server.is("1.1.0");
    world.update().unwrap();
    assert_eq!(world.launch(), "1.1.0");
}

#[test]
fn a_version_that_says_that_it_cannot_run_here_is_not_switched_to() {
    let world = World::with_three();
    world.server.is("1.1.0");
    fs::write(world.path("unfit"), "").unwrap();
    let output = world.cli(&["update", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("unfit-here"),
        "{output:?}"
    );
    assert_eq!(world.launch(), "1.0.0");
    fs::remove_file(world.path("unfit")).unwrap();
    assert!(world.cli(&["update"]).status.success());
    assert_eq!(world.launch(), "1.1.0");
}

#[test]
fn two_updates_without_a_start_between_go_back_to_the_last_that_worked() {
    let world = World::new();
    world.publish("1.0.0", "", CONFIRMS);
    world.publish("1.1.0", "", "exit 1");
    world.publish("1.2.0", "", "exit 1");
    world.server.is("1.0.0");
    world.update().unwrap();
    world.launch();
    for server in ["1.1.0", "1.2.0"] {
        world.server.is(server);
        world.update().unwrap();
    }
    assert_eq!(world.launch(), "1.0.0");
}

#[test]
fn a_server_that_only_drips_is_no_reason_to_go_back() {
    let world = after(CONFIRMS);
    world.server.facts().silent = true;
    assert_eq!(world.launch(), "1.1.0");
    let status = world.desktop().status().unwrap();
    assert_eq!(
        (
            status.current.unwrap().to_string().as_str(),
            status.trial_starts
        ),
        ("1.1.0", None)
    );
}
