//! `obnova-desktop-gui` in this version's tree: it talks to the user about updates, so that this program need not.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use obnova_desktop::Desktop;

/// The program beside this one, and what it is doing.
#[derive(Default)]
pub struct Companion {
    running: Option<Child>,
}

impl Companion {
    /// What is new, if anything is and the user has not been told.
    pub fn whats_new(&mut self, desktop: &Desktop) -> bool {
        self.start(desktop, "whats-new")
    }

    /// The dialog with *Update now*.
    pub fn update(&mut self, desktop: &Desktop) -> bool {
        self.start(desktop, "update")
    }

    /// One window at a time: false when there still is another. Without the program there is none, and the banner in this one
    /// stays.
    fn start(&mut self, desktop: &Desktop, what: &str) -> bool {
        let runs = |child: &mut Child| matches!(child.try_wait(), Ok(None));
        if self.running.as_mut().is_some_and(runs) {
            return false;
        }
        let started = program().and_then(|program| {
            Command::new(program)
                .arg(what)
                .arg("--root")
                .arg(desktop.layout().root())
                .stdin(Stdio::null())
                .spawn()
        });
        match started {
            Ok(child) => self.running = Some(child),
            Err(error) => eprintln!("obnova-desktop-gui: {error}"),
        }
        true
    }
}

fn program() -> std::io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("obnova-desktop-gui"))
}
