//! One user's computer: a home directory, and in it the CRM's Desktop, installed from what the customer's own server offers.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::programs::run;
use crate::world::World;

/// How long the server may take to have copied what Desktops need.
const PATIENCE: Duration = Duration::from_secs(60);

/// The computer.
#[derive(Debug)]
pub struct Computer {
    home: PathBuf,
}

/// What the CRM's window shows, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The Desktop's version.
    pub version: String,
    /// `online`, `offline` or `refused`.
    pub standing: String,
    /// Contacts that can be seen.
    pub contacts: u64,
}

impl Computer {
    /// One with nothing on it.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn new(home: &Path) -> Result<Computer> {
        std::fs::create_dir_all(home)?;
        Ok(Computer {
            home: home.to_owned(),
        })
    }

    /// Runs the installer of this version, as its user would after the download. Says how long the file is, bytes.
    ///
    /// # Errors
    /// The server has none, or it failed.
    pub async fn install(&self, world: &World, version: &str) -> Result<u64> {
        let offered = world
            .state_dir
            .join("desktops/targets/releases")
            .join(version)
            .join("installers/linux-x86_64");
        let until = Instant::now() + PATIENCE;
        let installer = loop {
            if let Some(file) = only_file(&offered) {
                break file;
            }
            ensure!(
                Instant::now() < until,
                "no installer of {version} in {}",
                offered.display()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let server = format!("http://{}/", world.center);
        let mut command = self.command("sh".as_ref());
        command
            .arg(&installer)
            .args(["--silent", "--server", &server]);
        run(&mut command)?;
        Ok(std::fs::metadata(installer)?.len())
    }

    /// What starts the CRM.
    pub fn program(&self) -> PathBuf {
        self.root().join("bin/vzor-crm")
    }

    /// Starts the CRM without a window, and says what one would show.
    ///
    /// # Errors
    /// It does not start, or says nothing.
    pub fn look(&self) -> Result<Shown> {
        let printed = run(self.command(&self.program()).arg("--once"))?;
        let line = printed.lines().last().context("it said nothing")?;
        let said: Value = serde_json::from_str(line).context(line.to_owned())?;
        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        Ok(Shown {
            version: text("version"),
            standing: text("standing"),
            contacts: said["records"]["contacts"].as_u64().unwrap_or(0),
        })
    }

    /// Follows the server as soon as that offers this version: what the window's *Update now* does. Says the bytes that had to
    /// be downloaded.
    ///
    /// # Errors
    /// It does not in time, or another version is offered.
    pub async fn follow(&self, version: &str) -> Result<u64> {
        let until = Instant::now() + PATIENCE;
        let wanted = loop {
            let output = self.tool(&["check"])?;
            let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            let wanted = found["wanted"].clone();
            if wanted["version"] == version {
                break wanted;
            }
            // What belongs to a version of the server comes a moment after it.
            if Instant::now() > until {
                bail!("{version} is not offered: {output:?}");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        let output = self.tool(&["update"])?;
        ensure!(output.status.success(), "update: {output:?}");
        Ok(wanted["download_bytes"].as_u64().unwrap_or(0))
    }

    /// Whether the server wants another version; nothing when the right one is here.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub fn wanted(&self) -> Result<Option<String>> {
        let output = self.tool(&["check"])?;
        let found: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        Ok(found["wanted"]["version"].as_str().map(str::to_owned))
    }

    /// Opens the CRM's window, where there is a display.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn open_window(&self) -> Result<Option<Child>> {
        if std::env::var_os("DISPLAY").is_none() {
            return Ok(None);
        }
        let log = std::fs::File::create(self.home.join("crm.log"))?;
        let child = self
            .command(&self.program())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()?;
        Ok(Some(child))
    }

    /// For people: how to start it.
    pub fn shown_command(&self) -> String {
        format!("HOME={} {}", self.home.display(), self.program().display())
    }

    fn root(&self) -> PathBuf {
        self.home.join(".local/share/vzor-crm")
    }

    fn tool(&self, arguments: &[&str]) -> Result<Output> {
        let tool = self.root().join("bin/obnova-desktop");
        let mut command = self.command(&tool);
        command.arg("--root").arg(self.root()).arg("--json");
        Ok(command.args(arguments).output()?)
    }

    /// Whose files all are in this home, whatever the one is of whoever runs this.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env("HOME", &self.home).stdin(Stdio::null());
        for variable in ["XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env_remove(variable);
        }
        command
    }
}

/// The file in a directory that holds one.
fn only_file(directory: &Path) -> Option<PathBuf> {
    let entry = std::fs::read_dir(directory).ok()?.flatten().next()?;
    Some(entry.path())
}
