//! A CRM with some data, the address of it, and a user's computer.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use obnova_desktop::Configuration;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::screen::Screen;

pub const CONTACTS: u64 = 60;
/// Longer than anything takes on a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(90);

pub struct Office {
    folder: TempDir,
    server: Option<Child>,
    application: String,
}

/// A program that ends with the test.
pub struct Running(Child);

impl Running {
    pub fn close(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.close();
    }
}

impl Office {
    /// With a CRM of this version that serves.
    pub fn open(version: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut office = Self {
            application: format!("127.0.0.1:{port}"),
            folder,
            server: None,
        };
        office.assemble(version);
        let tree = office.path(version).join("tree");
        std::fs::create_dir_all(office.path("data/files")).unwrap();
        for arguments in [
            &["migrate"][..],
            &["seed", "--contacts", &CONTACTS.to_string()],
        ] {
            let output = office.crm(&tree, arguments).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }
        let serve = ["serve", "--listen", &office.application];
        let server = office.crm(&tree, &serve).stderr(Stdio::null()).spawn();
        office.server = Some(server.unwrap());
        let until = Instant::now() + PATIENCE;
        while get(&office.application, "/api/version").is_none() {
            assert!(Instant::now() < until, "the CRM does not serve");
            std::thread::sleep(Duration::from_millis(50));
        }
        office.install();
        office
    }

    pub fn close_server(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// What the Desktop of this version says without a window.
    pub fn once(&self, version: &str) -> Value {
        let output = self.desktop(version).arg("--once").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn open_window(&self, version: &str, screen: &Screen, language: &str) -> Running {
        let mut command = self.desktop(version);
        command
            .env("DISPLAY", &screen.display)
            .env("LC_ALL", language);
        Running(command.stderr(Stdio::null()).spawn().unwrap())
    }

    pub fn wait_until_loaded(&self) {
        let copy = self.path("home/.cache/vzor-crm/records.json");
        let until = Instant::now() + PATIENCE;
        while !copy.exists() {
            assert!(Instant::now() < until, "nothing is loaded");
            std::thread::sleep(Duration::from_millis(100));
        }
        std::thread::sleep(Duration::from_millis(700));
    }

    /// The journal's entry with these words.
    pub fn wait_for_note(&self, words: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let found = get(&self.application, "/api/activities?per_page=20");
            let found = found.unwrap_or_default()["items"].take();
            let mut items = found.as_array().cloned().unwrap_or_default().into_iter();
            if let Some(note) = items.find(|item| item["subject"] == words) {
                return note;
            }
            assert!(
                Instant::now() < until,
                "{words:?} is not in the journal: {found}"
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn assemble(&self, version: &str) {
        let out = self.path(version);
        if out.exists() {
            return;
        }
        let output = Command::new(program("crm"))
            .args(["assemble", "--version", version, "--out"])
            .arg(&out)
            .arg("--desktop")
            .arg(program("crm").parent().unwrap())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn crm(&self, tree: &Path, arguments: &[&str]) -> Command {
        let database = format!("sqlite://{}", self.path("data/crm.db").display());
        let mut command = Command::new(program("crm"));
        command.arg(arguments[0]).arg("--tree").arg(tree);
        command
            .args(["--database", &database])
            .arg("--files")
            .arg(self.path("data/files"));
        command.args(&arguments[1..]).stdout(Stdio::null());
        command
    }

    /// The installation; its centre says where the application is, and has no releases.
    fn install(&self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let centre = listener.local_addr().unwrap();
        let hello = json!({
            "product": "vzor-crm", "server": "1.1.0", "desktop": null,
            "application": format!("http://{}/", self.application),
        });
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(stream, &hello.to_string());
            }
        });
        let configuration = Configuration {
            product: "vzor-crm".into(),
            server: format!("http://{centre}/").parse().unwrap(),
            authorities: None,
        };
        configuration.install(&self.path("desktop"), b"{}").unwrap();
    }

    fn desktop(&self, version: &str) -> Command {
        self.assemble(version);
        let mut command = Command::new(self.path(version).join("desktop/bin/crm-desktop"));
        command
            .arg("--root")
            .arg(self.path("desktop"))
            .env("HOME", self.path("home"))
            .env("LC_ALL", "en")
            .env_remove("XDG_CACHE_HOME")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY");
        command
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        self.close_server();
    }
}

/// A program that is built with the others.
fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_crm-desktop")).with_file_name(name);
    assert!(
        path.is_file(),
        "{name} is not built; run: cargo build --workspace --bins"
    );
    path
}

fn answer(mut stream: TcpStream, hello: &str) -> std::io::Result<()> {
    let mut asked = [0; 4096];
    let count = stream.read(&mut asked)?;
    let is_hello = asked[..count].starts_with(b"GET /desktop/v1/hello ");
    let (status, body) = if is_hello {
        ("200 OK", hello)
    } else {
        ("404 Not Found", "")
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn get(address: &str, path: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()
}
