//! `obnova rehearse`, as an administrator runs it: on a real engine, in words and as JSON, to a good end, to a bad one, and cancelled.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(90);

/// A vendor's repository, and an installation with a running engine.
struct Desk {
    dir: tempfile::TempDir,
    engine: Option<Child>,
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(engine) = &mut self.engine {
            let _ = engine.kill();
            let _ = engine.wait();
        }
        // The application outlives its engine.
        let directory = self.dir.path().display().to_string();
        for (pid, _) in running_below(&directory) {
            let _ = Command::new("kill").args(["-KILL", &pid]).status();
        }
    }
}

impl Desk {
    fn new() -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let mut desk = Desk { dir, engine: None };
        desk.succeed("release init --repository @repo --keys @keys");
        std::fs::create_dir_all(desk.path("state/data")).unwrap();
        std::fs::copy(
            desk.path("repo/metadata/1.root.json"),
            desk.path("state/root.json"),
        )
        .unwrap();
        std::fs::write(
            desk.path("state/installation.toml"),
            "product = \"test-app\"\n[releases]\nsource = \"../repo\"\nroot = \"root.json\"\n\
             [database]\ndriver = \"sqlite\"\npath = \"app.db\"\n[data]\ndirectories = [\"data\"]\n\
             [front]\nlisten = \"127.0.0.1:80\"\n[center]\nlisten = \"127.0.0.1:81\"\n",
        )
        .unwrap();
        desk.publish("1.0.0", 1, "", "");
        desk.succeed("setup --state @state");
        let log = std::fs::File::create(desk.path("engine.log")).unwrap();
        let engine = Command::new(env!("CARGO_BIN_EXE_obnova"))
            .args(["engine", "--state"])
            .arg(desk.path("state"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        desk.engine = Some(engine.unwrap());
        desk.wait("it serves", |state| state["serving"].is_string());
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Publishes a version of the test application; `before` are a shell's words before its migration.
    fn publish(&self, version: &str, schema: u32, more: &str, before: &str) {
        let work = self.path(&format!("work-{version}"));
        std::fs::create_dir_all(work.join("tree/bin")).unwrap();
        std::fs::copy(test_app(), work.join("tree/bin/test-app")).unwrap();
        let place = "\"--database\", \"${database}\", \"--data\", \"${data}\"";
        let app = "\"${tree}/bin/test-app\"";
        let shell = match before {
            "" => String::new(),
            words => format!("\"/bin/sh\", \"-c\", {words:?}, \"sh\", "),
        };
        let text = format!(
            "product = \"test-app\"\nname = \"Test\"\nversion = \"{version}\"\ndate = \"2026-01-01\"\n{more}\n\
             [server]\nstart = [{app}, \"serve\", \"--port\", \"${{port}}\", \"--version\", \"{version}\", {place}]\n\
             migrate = [{shell}{app}, \"migrate\", \"--to\", \"{schema}\", {place}]\nhealth_seconds = 20\n\
             [[server.health]]\npath = \"/health\"\ncontains = \"{version}\"\n[database]\nchange = \"migrate\"\n"
        );
        std::fs::write(work.join("release.toml"), text).unwrap();
        self.succeed(&format!(
            "release build --description @work-{version}/release.toml --tree @work-{version}/tree --out @built-{version}"
        ));
        self.succeed(&format!(
            "release publish @built-{version} --repository @repo --keys @keys"
        ));
    }

    fn command(&self, line: &str) -> Command {
        let words = line.split(' ').map(|word| match word.strip_prefix('@') {
            Some(name) => self.path(name).display().to_string(),
            None => word.to_owned(),
        });
        let mut command = Command::new(env!("CARGO_BIN_EXE_obnova"));
        command
            .args(words)
            .env("OBNOVA_STATE", self.path("state"))
            .args(["--lang", "en"]);
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// What it printed; it must end with this code.
    fn ends(&self, line: &str, code: i32) -> String {
        let output = self.run(line);
        let (said, error) = (text(&output.stdout), text(&output.stderr));
        let log = std::fs::read_to_string(self.path("engine.log")).unwrap_or_default();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{line}\n{said}\n{error}\n{log}"
        );
        said + &error
    }

    fn succeed(&self, line: &str) -> String {
        self.ends(line, 0)
    }

    fn wait(&self, what: &str, mut is_so: impl FnMut(&Value) -> bool) {
        let began = Instant::now();
        loop {
            let output = self.run("status --json");
            let state = serde_json::from_slice(&output.stdout).unwrap_or_default();
            if is_so(&state) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "not so: {what}: {state}");
            sleep(Duration::from_millis(50));
        }
    }

    fn expect_nothing_left(&self) {
        assert!(!self.path("state/rehearsal").exists(), "the clone is there");
        let clone = self.path("state/rehearsal").display().to_string();
        assert!(running_below(&clone).is_empty());
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn test_app() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let path = here.ancestors().nth(2).unwrap().join("test-app");
    assert!(
        path.is_file(),
        "{} is not built; run: cargo build -p obnova-testkit --bins",
        path.display()
    );
    path
}

/// Processes that name this path in their command line.
fn running_below(directory: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        let line = std::fs::read(Path::new("/proc").join(&pid).join("cmdline"));
        let line = text(&line.unwrap_or_default()).replace('\0', " ");
        if pid.parse::<u32>().is_ok() && line.contains(directory) {
            found.push((pid, line));
        }
    }
    found
}

fn lines(json: &str) -> Vec<Value> {
    json.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn expect(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[test]
fn an_administrator_learns_how_an_update_will_go_by_words_json_and_exit_code() {
    let desk = Desk::new();
    // There is nothing to rehearse.
    desk.ends("rehearse", 1);
    // Long enough that who follows sees each of them: what is over at once is told in the end only.
    let slowly = "sleep 2; exec \"$@\"";
    desk.publish("1.5.0", 2, "required_stop = true", slowly);
    desk.publish("2.0.0", 3, "", slowly);
    let said = desk.succeed("rehearse");
    expect(
        &said,
        &[
            "Version 2.0.0 is being rehearsed on a clone",
            "version 1.5.0, 1 of 2",
            "version 2.0.0, 2 of 2",
            "The rehearsal of version 2.0.0 passed",
            "Forecast: requests wait",
            "Version 1.5.0: Forecast",
        ],
    );
    desk.expect_nothing_left();
    let status = desk.succeed("status");
    expect(
        &status,
        &["The rehearsal of version 2.0.0 passed", "Forecast"],
    );
    let said = desk.succeed("rehearse --log");
    expect(&said, &["the update to 1.5.0", "the way back from 2.0.0"]);

    let said = lines(&desk.succeed("rehearse --json"));
    assert!(said.iter().any(|line| line["step"]["step"] == "migrate"));
    assert!(said.iter().any(|line| line["at"] == "2.0.0"));
    let last = &said.last().unwrap()["rehearsal"];
    assert_eq!(last["outcome"], "passed");
    assert_eq!(last["walk"][0]["version"], "1.5.0");
    assert!(last["walk"][1]["forecast"]["blackout_ms"].as_u64() > Some(0));

    desk.publish("3.0.0", 4, "", "echo no way; exit 7; exec \"$@\"");
    let said = desk.ends("rehearse", 5);
    expect(
        &said,
        &[
            "The rehearsal of version 3.0.0 failed",
            "It failed at version 3.0.0.",
            "no way",
            "obnova rehearse 3.0.0 --log",
        ],
    );
    let said = desk.ends("rehearse --json", 5);
    assert_eq!(lines(&said).last().unwrap()["rehearsal"]["failed"], "3.0.0");
    expect(&desk.succeed("rehearse 3.0.0 --log"), &["no way"]);
    // One that is not the newest is told of as well.
    expect(
        &desk.succeed("rehearse 2.0.0"),
        &["The rehearsal of version 2.0.0 passed"],
    );
    desk.ends("rehearse 9.0.0", 1);
    desk.expect_nothing_left();
}

#[test]
fn a_rehearsal_that_is_cancelled_ends_the_command_that_follows_it() {
    let mut desk = Desk::new();
    desk.publish("2.0.0", 2, "", "sleep 600; exec \"$@\"");
    let follower = desk
        .command("rehearse")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    desk.wait("it migrates", |state| {
        let steps = state["rehearsing"]["steps"].as_array();
        let runs = |step: &Value| step["step"] == "migrate" && step["status"] == "running";
        steps.is_some_and(|steps| steps.iter().any(runs))
    });
    // Only one at a time.
    expect(&desk.ends("rehearse", 1), &["is being rehearsed"]);
    desk.succeed("rehearse --cancel");
    desk.expect_nothing_left();
    let output = follower.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout) + &text(&output.stderr);
    expect(
        &said,
        &["The rehearsal of version 2.0.0 was not made", "broken off"],
    );
    // There is nothing to cancel, which is no failure.
    desk.succeed("rehearse --cancel");
    let mut engine = desk.engine.take().unwrap();
    engine.kill().unwrap();
    engine.wait().unwrap();
    desk.ends("rehearse", 4);
}
