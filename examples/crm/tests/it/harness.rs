//! An installation of the CRM in a scratch directory, and its server as a process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{LazyLock, Mutex};

use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use crate::database;

/// Contacts in tests: enough for duplicates of each sort.
pub const CONTACTS: usize = 2_000;

static RELEASES: LazyLock<Mutex<PathBuf>> = LazyLock::new(|| Mutex::new(releases()));

/// A directory of this run's own; those of runs that have ended are deleted, since a static is never dropped.
fn releases() -> PathBuf {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crm-releases");
    std::fs::create_dir_all(&parent).expect("a directory");
    for entry in std::fs::read_dir(&parent).expect("a directory") {
        let entry = entry.expect("an entry");
        if !Path::new("/proc").join(entry.file_name()).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    parent.join(std::process::id().to_string())
}

/// The tree of a version, put together once.
pub fn tree(version: &str) -> PathBuf {
    let releases = RELEASES.lock().expect("no other test failed in here");
    let directory = releases.join(version);
    if !directory.exists() {
        let output = Command::new(env!("CARGO_BIN_EXE_crm"))
            .args(["assemble", "--version", version, "--out"])
            .arg(&directory)
            .output()
            .expect("crm starts");
        assert!(output.status.success(), "{}", told(&output));
    }
    directory.join("tree")
}

/// What a program said.
pub fn told(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    format!("{out}\n{err}")
}

/// A database and data files.
pub struct Installation {
    directory: TempDir,
    database: String,
}

impl Installation {
    /// An empty one of this version.
    pub fn empty(version: &str) -> Self {
        let directory = TempDir::new().expect("a scratch directory");
        let database = database::make(directory.path());
        let installation = Self {
            directory,
            database,
        };
        installation.must(version, &["migrate"]);
        installation
    }

    /// Version 1.0.0 with generated data.
    pub fn filled() -> Self {
        let installation = Self::empty("1.0.0");
        let contacts = CONTACTS.to_string();
        let today = ["--today", "2026-11-24"];
        let arguments = [&["seed", "--contacts", &contacts][..], &today].concat();
        installation.must("1.0.0", &arguments);
        installation
    }

    /// Runs a command of a version's own program.
    pub fn run(&self, version: &str, arguments: &[&str]) -> Output {
        self.command(version, arguments)
            .output()
            .expect("crm starts")
    }

    /// Runs a command that has to succeed; returns what it said.
    pub fn must(&self, version: &str, arguments: &[&str]) -> String {
        let output = self.run(version, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", told(&output));
        told(&output)
    }

    /// Everything in the database as text, without the times of migrations.
    pub fn dump(&self) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_crm"))
            .args(["dump", "--database", &self.database])
            .envs(database::environment())
            .output()
            .expect("crm starts");
        assert!(output.status.success(), "{}", told(&output));
        let text = String::from_utf8(output.stdout).expect("text");
        let kept = text
            .lines()
            .filter(|line| !line.starts_with("schema_migration "));
        kept.collect::<Vec<_>>().join("\n")
    }

    /// Paths and contents of all data files, in order.
    pub fn files(&self) -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        collect(&self.directory.path().join("files"), &mut found);
        found.sort();
        found
    }

    /// Starts the server of a version and waits until it serves.
    pub fn serve(&self, version: &str) -> Server {
        let mut child = self
            .command(version, &["serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("crm starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("it says where it serves");
        let address = line
            .trim()
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .to_owned();
        assert!(address.starts_with("http://"), "{line:?}");
        Server {
            child,
            address,
            client: client(),
        }
    }

    fn command(&self, version: &str, arguments: &[&str]) -> Command {
        let tree = tree(version);
        let mut command = Command::new(tree.join("bin/crm"));
        command
            .args(arguments)
            .args(["--database", &self.database])
            .arg("--files")
            .arg(self.directory.path().join("files"))
            .arg("--tree")
            .arg(tree)
            .envs(database::environment())
            .env("RUST_LOG", "error");
        command
    }
}

fn collect(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            let text = std::fs::read_to_string(&path).expect("text");
            found.push((path, text));
        }
    }
}

fn client() -> Client {
    let nowhere = reqwest::redirect::Policy::none();
    Client::builder()
        .redirect(nowhere)
        .build()
        .expect("a client")
}

/// A serving process; it ends with the test.
pub struct Server {
    /// The process.
    pub child: Child,
    /// Its address.
    pub address: String,
    /// A client that follows no redirects.
    pub client: Client,
}

impl Server {
    /// The address of a path.
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// Gets a path.
    pub async fn get(&self, path: &str) -> Response {
        self.client
            .get(self.at(path))
            .send()
            .await
            .expect("an answer")
    }

    /// Gets JSON that has to be there.
    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.json().await.expect("JSON")
    }

    /// Gets a page that has to be there, in a language.
    pub async fn page(&self, path: &str, language: &str) -> String {
        let request = self
            .client
            .get(self.at(path))
            .header("accept-language", language);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.text().await.expect("text")
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.client.post(self.at(path)).json(body);
        let response = request.send().await.expect("an answer");
        (response.status(), response.json().await.expect("JSON"))
    }

    /// Posts a form.
    pub async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let request = self.client.post(self.at(path)).form(fields);
        request.send().await.expect("an answer")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
