//! An installation that all users of a computer share, as root and as `nobody`, who may write to nothing of it. Needs root.

mod computer;
mod hostile;

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use obnova_desktop::Reason;

use crate::world::CONFIRMS;
use computer::{Computer, NOBODY, ROOT, User};

/// Confirms, says so, and stays until its input ends.
const STAYS: &str = "\"$OBNOVA_TEST_CLI\" confirm >/dev/null; : > \"$HOME/up\"; cat >/dev/null";
/// Works for everybody but one.
const NOT_FOR_NOBODY: &str =
    "[ \"$(id -u)\" = 65534 ] && exit 7; exec \"$OBNOVA_TEST_CLI\" confirm >/dev/null";

fn open_window(user: &User<'_>) -> Child {
    let up = user.home().join("up");
    let _ = std::fs::remove_file(&up);
    let mut launcher = user.launcher();
    let piped = launcher.stdin(Stdio::piped()).stdout(Stdio::null());
    let window = piped.spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while !up.exists() {
        assert!(Instant::now() < until, "the window does not open");
        std::thread::sleep(Duration::from_millis(20));
    }
    window
}

fn close(mut window: Child) {
    drop(window.stdin.take());
    assert!(window.wait().unwrap().success());
}

#[test]
fn a_user_without_rights_brings_the_version_of_the_server_to_all_users_up_and_down() {
    let computer = Computer::with(&[("1.0.0", CONFIRMS), ("1.1.0", CONFIRMS)]);
    let _service = computer.service();
    let (root, nobody) = (computer.user(ROOT), computer.user(NOBODY));
    assert_eq!(
        (root.launch(), nobody.launch()),
        ("1.0.0".into(), "1.0.0".into())
    );
    for (asks, follows, version) in [(&nobody, &root, "1.1.0"), (&root, &nobody, "1.0.0")] {
        computer.world.server.is(version);
        let output = asks.cli(&["update"]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(computer.current(), version);
        assert_eq!(asks.launch(), version);
        // The other one has done nothing.
        let status = follows.status();
        assert_eq!(status["machine"], version);
        assert_eq!(follows.launch(), version);
        for user in [asks, follows] {
            let status = user.status();
            assert_eq!(status["current"], version);
            assert_eq!(status["trial_starts"], serde_json::Value::Null, "{status}");
        }
    }
    // Both can go back for themselves, and stay there.
    computer.world.server.is("1.1.0");
    assert!(nobody.cli(&["update"]).status.success());
    assert_eq!(
        (nobody.launch(), root.launch()),
        ("1.1.0".into(), "1.1.0".into())
    );
    computer
        .world
        .publish("1.2.0", "range = \">=1.0.0\"", CONFIRMS);
    computer.world.server.is("1.2.0");
    assert!(root.cli(&["update"]).status.success());
    assert_eq!(nobody.launch(), "1.2.0");
    assert!(nobody.cli(&["rollback"]).status.success());
    assert_eq!(
        (nobody.launch(), nobody.launch()),
        ("1.1.0".into(), "1.1.0".into())
    );
    assert_eq!(root.launch(), "1.2.0");
}

#[test]
fn windows_of_several_users_stay_open_while_versions_come_and_keep_their_files() {
    let computer = Computer::with(&[("1.0.0", STAYS), ("1.1.0", CONFIRMS)]);
    for version in ["1.2.0", "1.3.0", "1.4.0"] {
        computer.world.publish(version, "", CONFIRMS);
    }
    let _service = computer.service();
    let (root, nobody) = (computer.user(ROOT), computer.user(NOBODY));
    let windows = [open_window(&root), open_window(&nobody)];
    for version in ["1.1.0", "1.2.0", "1.3.0"] {
        computer.world.server.is(version);
        assert!(nobody.cli(&["update"]).status.success());
        assert_eq!(nobody.launch(), version);
    }
    let all = ["1.0.0", "1.1.0", "1.2.0", "1.3.0"];
    assert_eq!(computer.world.versions(), all, "1.0.0 is open");
    // Who was away all the time gets the newest, and has one to go back to.
    assert_eq!(root.launch(), "1.3.0");
    assert_eq!(root.status()["previous"], "1.0.0");
    windows.into_iter().for_each(close);
    computer.world.server.is("1.4.0");
    assert!(root.cli(&["update"]).status.success());
    assert_eq!(computer.world.versions(), ["1.2.0", "1.3.0", "1.4.0"]);
    // Its files are gone; another one is there.
    assert_eq!(root.launch(), "1.4.0");
    assert_eq!(root.status()["previous"], "1.3.0");
}

#[test]
fn what_fails_for_one_user_is_left_by_that_user_alone_until_there_is_something_else() {
    let computer = Computer::with(&[("1.0.0", CONFIRMS), ("1.1.0", NOT_FOR_NOBODY)]);
    let _service = computer.service();
    let (root, nobody) = (computer.user(ROOT), computer.user(NOBODY));
    assert_eq!(nobody.launch(), "1.0.0");
    computer.world.server.is("1.1.0");
    assert!(root.cli(&["update"]).status.success());
    assert_eq!(root.launch(), "1.1.0");
    for _ in 0..2 {
        assert_eq!(nobody.launch(), "1.0.0");
    }
    let reason: Reason =
        serde_json::from_value(nobody.status()["quarantine"]["1.1.0"]["reason"].clone()).unwrap();
    assert!(matches!(reason, Reason::Crashed { .. }), "{reason:?}");
    assert_eq!(root.launch(), "1.1.0");
    computer
        .world
        .publish("1.2.0", "range = \">=1.0.0\"", CONFIRMS);
    computer.world.server.is("1.2.0");
    assert!(nobody.cli(&["update"]).status.success());
    assert_eq!(
        (nobody.launch(), root.launch()),
        ("1.2.0".into(), "1.2.0".into())
    );
}

#[test]
fn a_user_who_starts_the_program_for_the_first_time_can_go_back_too() {
    let computer = Computer::with(&[("1.0.0", CONFIRMS), ("1.1.0", NOT_FOR_NOBODY)]);
    let _service = computer.service();
    let (root, nobody) = (computer.user(ROOT), computer.user(NOBODY));
    computer.world.server.is("1.1.0");
    assert!(root.cli(&["update"]).status.success());
    assert_eq!(nobody.status()["current"], "1.1.0");
    assert_eq!(nobody.launch(), "1.0.0");
    assert_eq!(root.launch(), "1.1.0");
    assert_eq!(
        root.status()["news"],
        serde_json::Value::Null,
        "nothing is new to who is new"
    );
}

#[test]
fn without_the_service_or_a_home_what_is_there_runs() {
    let computer = Computer::with(&[("1.0.0", CONFIRMS), ("1.1.0", CONFIRMS)]);
    let nobody = computer.user(NOBODY);
    assert_eq!(nobody.launch(), "1.0.0");
    computer.world.server.is("1.1.0");
    let output = nobody.cli(&["update", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("no-service"),
        "{output:?}"
    );
    let mut launcher = nobody.launcher();
    let output = launcher.env("HOME", "/nonexistent").output().unwrap();
    assert_eq!(crate::world::said(&output), "1.0.0", "{output:?}");
    // Killed while it downloads, as a computer that is switched off: the next one goes on.
    drop(computer.service());
    let _service = computer.service();
    assert!(nobody.cli(&["update"]).status.success());
    assert_eq!(nobody.launch(), "1.1.0");
}

#[test]
fn systemd_may_hand_the_socket_over_and_the_policy_of_the_computer_counts() {
    let computer = Computer::with(&[("1.0.0", CONFIRMS), ("1.1.0", CONFIRMS)]);
    let _service = computer.service_on_its_input();
    let nobody = computer.user(NOBODY);
    assert_eq!(nobody.launch(), "1.0.0");
    computer.world.server.is("1.1.0");
    let policy = computer.world.root.join("policy.toml");
    std::fs::write(&policy, "mode = \"off\"\n").unwrap();
    // The service does not rely on who asks.
    for insist in [&["update", "--json"][..], &["update", "--json", "--insist"]] {
        let output = nobody.cli(insist);
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("\"policy\""),
            "{output:?}"
        );
    }
    assert_eq!(computer.current(), "1.0.0");
    std::fs::remove_file(policy).unwrap();
    assert!(nobody.cli(&["update"]).status.success());
    assert_eq!(nobody.launch(), "1.1.0");
}
