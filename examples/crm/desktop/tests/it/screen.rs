//! A screen of its own for a test, and hands on its mouse and keyboard. Needs the Debian packages `xvfb`, `xdotool` and, for
//! pictures, `imagemagick`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Names the folder to put pictures into; without it none are taken.
const FOLDER: &str = "OBNOVA_SCREENSHOTS";
const PATIENCE: Duration = Duration::from_secs(90);
const SIZE: &str = "1040x680x24";

pub struct Screen {
    server: Child,
    pub display: String,
}

impl Screen {
    pub fn start() -> Self {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", SIZE, "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is needed: install the Debian packages xvfb and xdotool");
        let mut number = String::new();
        let said = server.stdout.take().unwrap();
        BufReader::new(said).read_line(&mut number).unwrap();
        Self {
            server,
            display: format!(":{}", number.trim()),
        }
    }

    pub fn wait_for_window(&self, title: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            // There is no window manager that would give it the keyboard.
            let search = ["search", "--onlyvisible", "--name", title, "windowfocus"];
            let found = self.tool("xdotool", &search);
            if found {
                return;
            }
            assert!(Instant::now() < until, "no window {title:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    pub fn click(&self, x: u32, y: u32) {
        let at = [x.to_string(), y.to_string()];
        assert!(self.tool("xdotool", &["mousemove", &at[0], &at[1]]));
        std::thread::sleep(Duration::from_millis(300));
        assert!(self.tool("xdotool", &["click", "1"]));
        std::thread::sleep(Duration::from_millis(500));
    }

    /// Into the field at the bottom, and then its button, by the keyboard.
    pub fn type_into_field(&self, text: &str) {
        self.click(400, 597);
        assert!(self.tool("xdotool", &["type", "--delay", "40", text]));
        std::thread::sleep(Duration::from_millis(500));
        self.click(806, 597);
    }

    pub fn picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os(FOLDER) {
            let file = PathBuf::from(folder).join(format!("{name}.png"));
            assert!(self.tool("import", &["-window", "root", file.to_str().unwrap()]));
        }
    }

    fn tool(&self, program: &str, arguments: &[&str]) -> bool {
        Command::new(program)
            .args(arguments)
            .env("DISPLAY", &self.display)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
