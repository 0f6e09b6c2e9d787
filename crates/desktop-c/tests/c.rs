//! The example in C, compiled with the system's compiler and run against a server.

#[allow(dead_code, reason = "the tests of the library use more of it")]
#[path = "../../desktop/tests/it/server.rs"]
mod server;
#[allow(dead_code, reason = "the tests of the library use more of it")]
#[path = "../../desktop/tests/it/world.rs"]
mod world;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use world::{CONFIRMS, World};

/// The built library: beside this test's program, or one above.
fn library() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let name = format!(
        "{}obnova_desktop_c{}",
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    let found = here
        .ancestors()
        .skip(1)
        .take(2)
        .find(|directory| directory.join(&name).is_file());
    let missing = || panic!("{name} is not built; run: cargo build -p obnova-desktop-c");
    found.unwrap_or_else(missing).to_owned()
}

fn compile(example: &str, to: &Path) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic"])
        .arg(here.join("examples").join(example))
        .arg("-I")
        .arg(here.join("include"))
        .arg("-L")
        .arg(library())
        .args(["-lobnova_desktop_c", "-o"])
        .arg(to)
        .output()
        .expect("a C compiler (cc) is needed");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn follow(program: &Path, world: &World) -> String {
    let mut command = Command::new(program);
    world.environment(&mut command);
    command.arg(&world.root).env("LD_LIBRARY_PATH", library());
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("255"), "{text}");
    text
}

#[test]
fn a_program_in_c_follows_its_server() {
    let world = World::new();
    let program = world.path("follow");
    compile("follow.c", &program);
    for version in ["1.0.0", "1.1.0"] {
        world.publish(version, "", CONFIRMS);
    }
    let unreachable = follow(&program, &world);
    assert!(
        unreachable.contains("check: 1") && unreachable.contains("\"code\":\"server-unreachable\""),
        "{unreachable}"
    );
    assert!(unreachable.contains("is not responding"), "{unreachable}");
    for version in ["1.0.0", "1.1.0", "1.0.0"] {
        world.server.is(version);
        let followed = follow(&program, &world);
        assert!(
            followed.contains("download: 0") && followed.contains("apply: 0"),
            "{followed}"
        );
        assert_eq!(world.current().as_deref(), Some(version));
        let again = follow(&program, &world);
        assert!(
            again.contains("\"wanted\":null") && !again.contains("download"),
            "{again}"
        );
        assert_eq!(
            world.desktop().status().unwrap().trial_starts,
            None,
            "{again}"
        );
    }
}

#[test]
fn a_directory_without_an_installation_is_an_error_with_words() {
    let world = World::new();
    let program = world.path("follow");
    compile("follow.c", &program);
    let output = Command::new(&program)
        .arg(world.path("nowhere"))
        .env("LD_LIBRARY_PATH", library())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("not-installed") && text.contains("No program is installed in"),
        "{text}"
    );
}

#[test]
fn an_update_waits_for_a_program_in_c_that_says_that_its_work_is_not_saved() {
    let world = World::new();
    let program = world.path("attend");
    compile("attend.c", &program);
    let mut child = Command::new(&program)
        .arg(&world.root)
        .env("LD_LIBRARY_PATH", library())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "editing");
    let desktop = world.desktop();
    let holds = || -> Vec<Option<String>> {
        let open = desktop.open_programs().unwrap();
        open.into_iter().map(|program| program.hold).collect()
    };
    let hold = "The offer for Novák has not been saved.".to_owned();
    assert_eq!(holds(), [Some(hold)]);
    desktop.ask_to_close().unwrap();
    // It has heard, and does not go.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    assert!(child.try_wait().unwrap().is_none());
    writeln!(child.stdin.as_ref().unwrap(), "save").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "saved as asked");
    assert_eq!(lines.next().unwrap().unwrap(), "closed");
    assert!(child.wait().unwrap().success());
    assert!(holds().is_empty());
}

#[test]
fn a_program_in_c_that_is_killed_holds_nothing_any_more() {
    let world = World::new();
    let program = world.path("attend");
    compile("attend.c", &program);
    let mut child = Command::new(&program)
        .arg(&world.root)
        .env("LD_LIBRARY_PATH", library())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "editing");
    assert_eq!(world.desktop().open_programs().unwrap().len(), 1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(world.desktop().open_programs().unwrap().is_empty());
}
