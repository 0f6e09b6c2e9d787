//! Chromium's WebDriver as a child process, and the end of it and of the Chromium it started.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};

const PROGRAMS: [&str; 2] = ["chromium", "chromedriver"];
const STARTED: &str = "started successfully on port ";
const LONGEST_START: Duration = Duration::from_secs(30);

/// The child process and the profile of the browser it will start.
pub(super) struct Chromedriver {
    child: Child,
    port: u16,
    profile: TempDir,
}

impl Chromedriver {
    /// Starts it on a free port, which it chooses itself.
    pub(super) async fn start(language: &str) -> Result<Self> {
        for program in PROGRAMS {
            if !is_installed(program) {
                bail!("{program} is not installed; `cargo xtask test` installs it");
            }
        }
        let profile = tempfile::Builder::new()
            .prefix("obnova-browser-")
            .tempdir()?;
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .env("LANGUAGE", language)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start chromedriver")?;
        let output = child.stdout.take().context("chromedriver has no output")?;
        let mut chromedriver = Self {
            child,
            port: 0,
            profile,
        };
        let output = tokio::process::ChildStdout::from_std(output)?;
        let mut lines = BufReader::new(output).lines();
        let port = async {
            while let Some(line) = lines.next_line().await? {
                if let Some((_, port)) = line.split_once(STARTED) {
                    return Ok(port.trim_end_matches('.').parse()?);
                }
            }
            bail!("chromedriver ended")
        };
        chromedriver.port = tokio::time::timeout(LONGEST_START, port)
            .await
            .context("chromedriver does not start")??;
        // Read on, or it would be stopped by a full or a broken pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(chromedriver)
    }

    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(super) fn profile(&self) -> &Path {
        self.profile.path()
    }

    /// Ends chromedriver, and whatever of Chromium uses the profile, so that nothing outlives a test that failed.
    pub(super) fn kill(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = process.file_name().to_str().and_then(|n| n.parse().ok());
            let command = std::fs::read_to_string(process.path().join("cmdline"));
            let is_ours = command.is_ok_and(|c| c.split('\0').any(|word| word == profile));
            if let (Some(pid), true) = (pid.and_then(Pid::from_raw), is_ours) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}
