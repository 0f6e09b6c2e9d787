//! Users who want more from the service than it gives, and a server that does.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use obnova_release::publish;

use super::computer::{Computer, NOBODY, ROOT};
use crate::world::{CONFIRMS, World, copy, output};

const SOCKET: &str = "OBNOVA_TEST_SOCKET";
const SAY: &str = "OBNOVA_TEST_SAY";
const TIMES: &str = "OBNOVA_TEST_TIMES";

/// What `nobody` says to the service: this test program, started again.
#[test]
#[ignore = "is started by the other tests"]
fn caller() {
    let Some(socket) = std::env::var_os(SOCKET) else {
        return;
    };
    let said = std::fs::read(std::env::var_os(SAY).unwrap()).unwrap();
    let times: usize = std::env::var(TIMES).unwrap().parse().unwrap();
    for _ in 0..times {
        println!("{}", ask(Path::new(&socket), &said));
    }
}

fn ask(socket: &Path, said: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    // The service may have heard enough before all is said.
    let _ = stream.write_all(said);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

struct Nobody<'a> {
    computer: &'a Computer,
    program: PathBuf,
}

impl Nobody<'_> {
    fn of(computer: &Computer) -> Nobody<'_> {
        let program = computer.world.path("caller");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        Nobody { computer, program }
    }

    fn says(&self, said: &[u8], times: usize) -> String {
        let file = self.computer.world.path("said");
        std::fs::write(&file, said).unwrap();
        let mut command = self.computer.user(NOBODY).command(&self.program);
        let command = command
            .args([
                "--exact",
                "shared::hostile::caller",
                "--ignored",
                "--nocapture",
            ])
            .env(SOCKET, self.computer.socket())
            .env(SAY, file)
            .env(TIMES, times.to_string());
        let output = output(command);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Nothing came of it but this.
    fn is_refused(&self, said: &[u8], code: &str) {
        let before = everything(&self.computer.world.root);
        let answer = self.says(said, 1);
        let shown = String::from_utf8_lossy(&said[..said.len().min(100)]);
        assert!(
            answer.contains(&format!("\"code\":\"{code}\"")),
            "{shown}: {answer}"
        );
        assert!(!answer.contains("applied"), "{shown}: {answer}");
        assert_eq!(everything(&self.computer.world.root), before, "{shown}");
        assert_eq!(self.computer.current(), "1.0.0");
    }
}

fn apply(version: &str) -> Vec<u8> {
    format!("{{\"ask\":\"apply\",\"version\":\"{version}\"}}\n").into_bytes()
}

/// What users run, and what decides which.
fn everything(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut left = vec![root.join("versions"), root.join("bin")];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            match entry.file_type().unwrap().is_dir() {
                true => left.push(path),
                false => {
                    let bytes = match path.ends_with(".lock") {
                        true => vec![],
                        false => std::fs::read(&path).unwrap(),
                    };
                    found.push((path, bytes));
                }
            }
        }
    }
    for file in ["state/machine.json", "desktop.toml", "root.json"] {
        found.push((file.into(), std::fs::read(root.join(file)).unwrap()));
    }
    found.retain(|(path, _)| !path.ends_with(".lock"));
    found.sort();
    found
}

#[test]
fn who_asks_for_anything_but_the_version_of_the_server_is_refused() {
    let computer = Computer::with(&[("1.0.0", CONFIRMS), ("1.1.0", CONFIRMS)]);
    computer.world.publish("0.9.0", "", CONFIRMS);
    computer.world.publish(
        "1.2.0",
        "minimum = \"1.0.0\"\nrange = \">=1.0.0\"",
        CONFIRMS,
    );
    computer.world.server.is("1.1.0");
    let _service = computer.service();
    let nobody = Nobody::of(&computer);
    for malformed in [
        &b"\n"[..],
        b"apply 1.1.0\n",
        b"{\"ask\":\"apply\",\"version\":\"1.1.0\",\"path\":\"/tmp/x\"}\n",
        b"{\"ask\":\"apply\",\"version\":\"../../../../tmp/x\"}\n",
        b"{\"ask\":\"apply\",\"version\":\"1.1.0\"}",
        b"\xff\xfe\0\n",
    ] {
        nobody.is_refused(malformed, "no-service");
    }
    let endless = [
        b"{\"ask\":\"status\",\"x\":\"".to_vec(),
        vec![b'x'; 1 << 20],
    ]
    .concat();
    let answer = nobody.says(&endless, 1);
    assert!(!answer.contains("status"), "{answer}");
    // Older than the vendor allows; signed, but of another server's; never made.
    nobody.is_refused(&apply("0.9.0"), "below-minimum");
    nobody.is_refused(&apply("1.2.0"), "not-with-server");
    nobody.is_refused(&apply("7.7.7"), "not-with-server");
    let other = World::with_three();
    computer.world.server.facts().repository = other.path("repository");
    nobody.is_refused(&apply("1.1.0"), "untrusted");
    computer.world.server.facts().repository = computer.world.path("repository");
    let wrong = vec![7; 300];
    computer
        .world
        .server
        .facts()
        .instead
        .insert(".zst".into(), wrong);
    nobody.is_refused(&apply("1.1.0"), "damaged");
    computer.world.server.facts().instead.clear();
    // After all that the right one is given.
    let answer = nobody.says(&apply("1.1.0"), 1);
    assert!(
        answer.contains("{\"applied\":{\"version\":\"1.1.0\"}}"),
        "{answer}"
    );
    assert_eq!(computer.user(ROOT).launch(), "1.1.0");
}

#[test]
fn a_vendor_who_withdraws_a_version_is_believed_and_an_older_state_of_the_releases_is_not() {
    let computer = Computer::with(&[("1.0.0", CONFIRMS), ("1.1.0", CONFIRMS)]);
    let _service = computer.service();
    let nobody = Nobody::of(&computer);
    let world = &computer.world;
    copy(&world.path("repository"), &world.path("old"));
    publish::revoke(&world.vendor(), &"1.1.0".parse().unwrap()).unwrap();
    world.server.is("1.1.0");
    nobody.is_refused(&apply("1.1.0"), "no-desktop");
    world.server.facts().repository = world.path("old");
    nobody.is_refused(&apply("1.1.0"), "untrusted");
}

#[test]
fn nothing_is_given_where_others_could_change_it() {
    let computer = Computer::with(&[("1.0.0", CONFIRMS), ("1.1.0", CONFIRMS)]);
    computer.world.server.is("1.1.0");
    let _service = computer.service();
    let nobody = Nobody::of(&computer);
    let root = &computer.world.root;
    let mode = |path: &str, mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(root.join(path), mode).unwrap();
    };
    for path in ["versions", "state", "", "../../opt"] {
        mode(path, 0o777);
        nobody.is_refused(&apply("1.1.0"), "unprotected");
        mode(path, 0o755);
    }
    // Where downloads are put together, and who has made it.
    let trap = computer.user(NOBODY).home().join("content");
    std::fs::create_dir(&trap).unwrap();
    std::os::unix::fs::chown(&trap, Some(NOBODY), Some(NOBODY)).unwrap();
    let _ = std::fs::remove_dir_all(root.join("content"));
    symlink(&trap, root.join("content")).unwrap();
    nobody.is_refused(&apply("1.1.0"), "unprotected");
    assert_eq!(std::fs::read_dir(&trap).unwrap().count(), 0);
    std::fs::remove_file(root.join("content")).unwrap();
    std::fs::rename(&trap, root.join("content")).unwrap();
    nobody.is_refused(&apply("1.1.0"), "unprotected");
    std::fs::remove_dir(root.join("content")).unwrap();
    // `nobody` himself gets nowhere.
    let mut shell = computer.user(NOBODY).command("sh".as_ref());
    let tries = "for it in versions state bin . content; do touch \"$0/$it/x\" && exit 9; mkdir \"$0/$it/y\" && exit 9; done; exit 0";
    let output = output(shell.args(["-c", tries]).arg(root));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(nobody.says(&apply("1.1.0"), 1).contains("applied"));
}

#[test]
fn a_release_that_everybody_could_write_to_is_not_given_to_all() {
    let computer = Computer::with(&[("1.0.0", CONFIRMS)]);
    let world = &computer.world;
    let work = world.path("work-1.1.0/desktop/bin");
    std::fs::create_dir_all(&work).unwrap();
    let open = work.join("open");
    std::fs::write(&open, "x").unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o666)).unwrap();
    world.publish("1.1.0", "", CONFIRMS);
    world.server.is("1.1.0");
    let _service = computer.service();
    let nobody = Nobody::of(&computer);
    let answer = nobody.says(&apply("1.1.0"), 1);
    assert!(
        answer.contains("unfit-here") && answer.contains("bin/open"),
        "{answer}"
    );
    assert_eq!(computer.current(), "1.0.0");
    assert_eq!(computer.user(NOBODY).launch(), "1.0.0");
}

#[test]
fn a_user_who_asks_without_end_or_says_nothing_keeps_nobody_from_updating() {
    let computer = Computer::with(&[("1.0.0", CONFIRMS), ("1.1.0", CONFIRMS)]);
    computer.world.server.is("1.1.0");
    let _service = computer.service();
    let nobody = Nobody::of(&computer);
    let answers = nobody.says(b"{\"ask\":\"status\"}\n", 40);
    assert!(answers.contains("\"current\":\"1.0.0\""), "{answers}");
    assert!(answers.contains("too-often"), "{answers}");
    // Half a request, many times; each is heard for some seconds.
    let silent: Vec<UnixStream> = (0..30)
        .map(|_| {
            let mut stream = UnixStream::connect(computer.socket()).unwrap();
            let _ = stream.write_all(b"{\"ask\":");
            stream
        })
        .collect();
    let until = Instant::now() + Duration::from_secs(60);
    let root = computer.user(ROOT);
    // They are of the same user here, who has to wait for them, but no longer.
    while !root.cli(&["update"]).status.success() {
        assert!(Instant::now() < until, "nobody is heard any more");
        std::thread::sleep(Duration::from_millis(200));
    }
    drop(silent);
    assert_eq!(root.launch(), "1.1.0");
}
