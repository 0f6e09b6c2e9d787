//! The test application does what the engine's tests believe of it.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use obnova_testkit::fingerprint::Fingerprint;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

fn command(place: &Path, verb: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_test-app"));
    command
        .arg(verb)
        .arg("--database")
        .arg(place.join("app.db"))
        .arg("--data")
        .arg(place.join("data"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

struct App {
    child: Child,
    base: String,
}

impl App {
    async fn start(place: &Path, options: &[&str]) -> App {
        let port = free_port();
        let child = command(place, "serve")
            .args(["--port", &port.to_string(), "--version", "1.0.0"])
            .args(options)
            .spawn()
            .unwrap();
        let base = format!("http://127.0.0.1:{port}");
        for _ in 0..200 {
            if reqwest::get(format!("{base}/health")).await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        App { child, base }
    }

    async fn write(&self, id: &str) -> u16 {
        let request = reqwest::Client::new().post(format!("{}/write", self.base));
        let answer = request.json(&json!({ "id": id })).send().await.unwrap();
        answer.status().as_u16()
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let answer = reqwest::get(format!("{}{path}", self.base)).await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    fn stop(mut self, signal: Signal) -> bool {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
        self.child.wait().unwrap().success()
    }
}

#[tokio::test]
async fn what_it_has_acknowledged_survives_being_killed() {
    let place = tempfile::tempdir().unwrap();
    let app = App::start(place.path(), &[]).await;
    assert_eq!(app.write("a").await, 201);
    assert_eq!(app.write("b").await, 201);
    assert!(!app.stop(Signal::KILL));

    let app = App::start(place.path(), &[]).await;
    assert_eq!(app.get("/ids").await, (200, json!(["a", "b"])));
    assert!(app.stop(Signal::TERM));
}

#[tokio::test]
async fn it_can_be_unhealthy_and_still_serve() {
    let place = tempfile::tempdir().unwrap();
    let app = App::start(place.path(), &["--unhealthy"]).await;
    let (status, health) = app.get("/health").await;
    assert_eq!((status, &health["version"]), (503, &json!("1.0.0")));
    assert_eq!(app.write("a").await, 201);
    assert!(app.stop(Signal::TERM));
}

#[tokio::test]
async fn a_migration_that_fails_leaves_half_a_change_behind() {
    let place = tempfile::tempdir().unwrap();
    let database = place.path().join("app.db");
    let migrate = |options: &[&str]| {
        let status = command(place.path(), "migrate").args(options).status();
        status.unwrap().success()
    };
    assert!(migrate(&["--to", "1"]));
    let before = Fingerprint::of_sqlite(&database).await.unwrap();
    assert!(!migrate(&["--to", "3", "--fail-at", "2"]));
    let after = Fingerprint::of_sqlite(&database).await.unwrap();
    let difference = before.diff(&after).to_string();
    assert!(difference.contains("+ table step_2:"), "{difference}");
    assert!(!difference.contains("user_version"), "{difference}");
}
