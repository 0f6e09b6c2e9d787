//! How the server starts and ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::harness::{Installation, told};

#[test]
fn a_database_of_an_older_version_is_not_served() {
    let installation = Installation::empty("1.0.0");
    let output = installation.run("1.1.0", &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told(&output).contains("run `crm migrate`"),
        "{}",
        told(&output)
    );
}

#[tokio::test]
async fn a_request_under_way_is_finished_before_the_end() {
    let installation = Installation::empty("1.0.0");
    let mut server = installation.serve("1.0.0");
    let body = json!({ "subject": "x", "reference": "under-way" }).to_string();
    let host = server.address.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&host).expect("a connection");
    let head = format!(
        "POST /api/activities HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let (begin, rest) = body.split_at(5);
    stream
        .write_all(format!("{head}{begin}").as_bytes())
        .expect("written");
    std::thread::sleep(Duration::from_millis(200));
    terminate(server.child.id());
    std::thread::sleep(Duration::from_millis(300));
    stream.write_all(rest.as_bytes()).expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let status = server.child.wait().expect("it ends");
    assert!(status.success());
    assert!(installation.dump().contains("under-way"));
}

#[tokio::test]
async fn acknowledged_writes_survive_a_kill() {
    let installation = Installation::empty("1.0.0");
    let server = installation.serve("1.0.0");
    for number in 0..20 {
        let activity = json!({ "subject": "x", "reference": format!("kill-{number}") });
        server.post("/api/activities", &activity).await;
    }
    drop(server); // SIGKILL
    let server = installation.serve("1.0.0");
    let stored = server.json("/api/activities/references?prefix=kill-").await;
    assert_eq!(stored["count"], 20);
}

fn terminate(process: u32) {
    let status = Command::new("kill").arg(process.to_string()).status();
    assert!(status.expect("kill starts").success());
}
