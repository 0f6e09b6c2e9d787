//! A user's place: a screen, a session's message bus, a mouse and a keyboard.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::reader::{Node, Reader};
use crate::scene::{Running, Scene};

/// All of it; gone at the end of the test.
pub struct Seat {
    // The reader's connection goes before the bus.
    pub reader: Reader,
    pub address: String,
    display: String,
    runtime: TempDir,
    _bus: Server,
    _screen: Server,
}

/// A process with everything that it starts, which ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server that says on its output where it can be reached.
fn start(command: &mut Command) -> (Server, String) {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; `cargo xtask test` installs it"));
    let mut line = String::new();
    let output = child.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    (Server(child), line.trim().to_owned())
}

impl Seat {
    pub fn new() -> Self {
        let runtime = tempfile::tempdir().unwrap();
        let mut xvfb = Command::new("Xvfb");
        xvfb.args(["-displayfd", "1", "-screen", "0", "1400x1000x24"])
            .args(["-nolisten", "tcp", "-noreset"]);
        let (screen, number) = start(&mut xvfb);
        let display = format!(":{number}");
        let mut daemon = Command::new("dbus-daemon");
        daemon
            .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
            .env("XDG_RUNTIME_DIR", runtime.path())
            .env("HOME", runtime.path())
            .env("DISPLAY", &display)
            .env_remove("DBUS_SESSION_BUS_ADDRESS");
        let (bus, address) = start(&mut daemon);
        Self {
            reader: Reader::new(&address),
            address,
            display,
            runtime,
            _bus: bus,
            _screen: screen,
        }
    }

    /// Starts the program under test.
    pub fn gui(&self, scene: &Scene, arguments: &[&str]) -> Running {
        Running(self.command(scene, arguments).spawn().unwrap())
    }

    pub fn command(&self, scene: &Scene, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_obnova-desktop-gui"));
        command
            .arg("--root")
            .arg(&scene.world.root)
            .args(arguments)
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.address)
            .env("XDG_RUNTIME_DIR", self.runtime.path())
            .env("HOME", self.runtime.path())
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env("LANG", "en_US.UTF-8")
            .env("TZ", "UTC")
            .env_remove("LC_ALL")
            .env_remove("LC_MESSAGES")
            .env_remove("GTK_THEME")
            .env_remove("WAYLAND_DISPLAY");
        scene.environment(&mut command);
        command
    }

    fn xdotool(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("xdotool");
        let output = command
            .args(arguments)
            .env("DISPLAY", &self.display)
            .output();
        let output = output.expect("xdotool is there: `cargo xtask test` installs it");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The number of the one window.
    fn window(&self) -> String {
        crate::scene::until("a window", || {
            let found = self.xdotool(&["search", "--onlyvisible", "--class", "obnova-desktop"]);
            let found = found.lines().last().map(ToOwned::to_owned);
            found.filter(|found| !found.is_empty())
        })
    }

    /// Presses keys, as xdotool names them. There is no window manager that would give the window the keyboard.
    pub fn press(&self, keys: &[&str]) {
        let window = self.window();
        self.xdotool(&["windowfocus", "--sync", &window]);
        for key in keys {
            self.xdotool(&["key", key]);
            std::thread::sleep(std::time::Duration::from_millis(150));
        }
    }

    /// Clicks with the mouse in the middle of something.
    pub fn click(&self, node: &Node) {
        let (x, y, width, height) = self.reader.extents(node);
        let window = self.window();
        let at = [x + width / 2, y + height / 2].map(|it| it.to_string());
        self.xdotool(&["windowfocus", "--sync", &window]);
        // Where a window is nobody tells it without a window manager: places are counted from its corner.
        let moved = ["mousemove", "--window", &window, &at[0], &at[1]];
        self.xdotool(&[&moved[..], &["sleep", "0.2", "click", "1"]].concat());
    }

    /// Waits until this has the keyboard, which the window gets first.
    pub fn focus(&self, name: &str) {
        self.press(&[]);
        self.reader.focus(name);
    }

    /// The window as a picture.
    pub fn picture(&self, to: &Path) {
        let window = self.window();
        self.xdotool(&["mousemove", "1399", "999"]);
        std::thread::sleep(std::time::Duration::from_millis(700));
        let mut import = Command::new("import");
        import.args(["-window", &window]).arg(to);
        let status = import.env("DISPLAY", &self.display).status().unwrap();
        assert!(status.success());
    }

    /// Whether a window is there.
    pub fn has_window(&self) -> bool {
        !self
            .xdotool(&["search", "--onlyvisible", "--class", "obnova-desktop"])
            .is_empty()
    }
}
