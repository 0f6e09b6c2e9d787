//! An installation for one case, and the application in it: a shell script that every case writes itself.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_engine::Installation;
use obnova_engine::service::{Launch, Service, open};
use obnova_release::Stop;

use crate::UNITS;

/// How long anything may take before it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(30);
pub const NOBODY: u32 = 65534;
pub const KINDS: [Kind; 3] = [Kind::Process, Kind::Transient, Kind::Given];

/// Driver and, with systemd, whose unit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Process,
    Transient,
    Given,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Process => "process",
            Kind::Transient => "systemd_transient",
            Kind::Given => "systemd_given",
        }
    }
}

pub struct World {
    dir: tempfile::TempDir,
    pub kind: Kind,
    user: Option<&'static str>,
    number: u32,
}

impl World {
    pub fn new(kind: Kind, user: Option<&'static str>) -> Result<World> {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let dir = tempfile::Builder::new().prefix("service-").tempdir()?;
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755))?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let world = World {
            dir,
            kind,
            user,
            number,
        };
        for name in ["versions/1.0.0", "log", "data"] {
            std::fs::create_dir_all(world.state().join(name))?;
        }
        std::os::unix::fs::symlink("versions/1.0.0", world.state().join("current"))?;
        if user.is_some() {
            chown(world.data(), Some(NOBODY), Some(NOBODY))?;
        }
        if kind == Kind::Given {
            world.write_unit("")?;
        }
        world.write_installation(kind)?;
        world.app("exec sleep MARK")?;
        Ok(world)
    }

    pub fn state(&self) -> &Path {
        self.dir.path()
    }

    /// Where the application may write.
    pub fn data(&self) -> PathBuf {
        self.state().join("data")
    }

    /// Stands in the arguments of processes that belong to this world; also seconds to sleep.
    pub fn mark(&self) -> String {
        format!("{}.{:05}", 100_000 + std::process::id(), self.number)
    }

    /// Writes the application. `MARK` and `DATA` are filled in.
    pub fn app(&self, script: &str) -> Result<()> {
        let script = script
            .replace("MARK", &self.mark())
            .replace("DATA", &self.data().display().to_string());
        Ok(std::fs::write(
            self.state().join("versions/1.0.0/app"),
            script,
        )?)
    }

    pub fn unit(&self) -> String {
        format!("crm-{}-{}.service", std::process::id(), self.number)
    }

    /// Writes the unit that is given, with more lines for its `[Service]`.
    pub fn write_unit(&self, more: &str) -> Result<()> {
        let state = self.state().display();
        let user = self
            .user
            .map_or_else(String::new, |user| format!("User={user}\n"));
        let units = std::env::var_os(UNITS).context("no systemd")?;
        std::fs::write(
            Path::new(&units).join(self.unit()),
            format!(
                "[Service]\nType=exec\nEnvironmentFile={state}/service.env\nWorkingDirectory={state}/current\n\
                 ExecStart=/bin/sh {state}/current/app\nStandardOutput=append:{state}/log/application.log\n\
                 StandardError=inherit\n{user}{more}"
            ),
        )?;
        call(&["Reload"])
    }

    pub fn write_installation(&self, kind: Kind) -> Result<()> {
        let user = self
            .user
            .map_or_else(String::new, |user| format!("user = \"{user}\"\n"));
        let driver = match kind {
            Kind::Process => "driver = \"process\"\n".to_owned(),
            Kind::Transient => "driver = \"systemd\"\n".to_owned(),
            Kind::Given => format!("driver = \"systemd\"\nunit = \"{}\"\n", self.unit()),
        };
        Ok(std::fs::write(
            self.state().join("installation.toml"),
            format!(
                "product = \"crm\"\n[releases]\nsource = \"repository\"\n[database]\ndriver = \"sqlite\"\n\
                 path = \"data/app.db\"\n[data]\ndirectories = [\"data\"]\n[service]\n{driver}{user}\
                 [front]\nlisten = \"127.0.0.1:0\"\n[center]\nlisten = \"127.0.0.1:0\"\n"
            ),
        )?)
    }

    pub fn installation(&self) -> Result<Installation> {
        Installation::load(self.state()).map_err(failed)
    }

    /// A driver as an engine that has just been started has it.
    pub fn driver(&self) -> Result<Box<dyn Service>> {
        let exe = std::env::current_exe()?.display().to_string();
        Ok(open(&self.installation()?, vec![exe, "launch".to_owned()]))
    }

    pub fn launch(&self) -> Result<Launch> {
        let directory = self.state().join("versions/1.0.0");
        let path = std::env::var("PATH")?;
        Ok(Launch {
            version: "1.0.0".parse()?,
            command: vec![
                "/bin/sh".to_owned(),
                directory.join("app").display().to_string(),
            ],
            port: 10_001,
            stop: stop(5),
            env: vec![("PATH".to_owned(), path)],
            directory,
        })
    }

    /// Starts the application as it is written.
    pub fn start(&self) -> Result<Box<dyn Service>> {
        let driver = self.driver()?;
        driver.start(&self.launch()?).map_err(failed)?;
        Ok(driver)
    }

    /// Processes of this world, as the machine numbers them.
    pub fn processes(&self) -> Vec<i32> {
        let mark = self.mark();
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let named = |pid: &i32| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|all| String::from_utf8_lossy(&all).contains(&mark))
        };
        entries
            .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
            .filter(named)
            .collect()
    }

    /// Waits until this many processes of this world are there.
    pub fn await_processes(&self, count: usize) -> Result<Vec<i32>> {
        let mut found = Vec::new();
        wait_until(&format!("{count} processes"), || {
            found = self.processes();
            found.len() == count
        })
        .with_context(|| {
            format!(
                "{} are there; the log: {}",
                self.processes().len(),
                self.log()
            )
        })?;
        Ok(found)
    }

    pub fn expect_nobody(&self) -> Result<()> {
        let left = self.processes();
        ensure!(left.is_empty(), "processes {left:?} live on");
        Ok(())
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.state().join("log/application.log")).unwrap_or_default()
    }

    /// Ends what the case left running, and sees that this works whatever it was.
    pub fn end(&self) -> Result<()> {
        self.driver()?
            .stop(&stop(0), Duration::ZERO)
            .map_err(failed)?;
        self.expect_nobody()
    }
}

pub fn stop(seconds: u64) -> Stop {
    Stop {
        seconds,
        ..Stop::default()
    }
}

/// Waits until something is so.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() >= until {
            bail!("waited too long for {what}");
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Calls a method of systemd, by a program that is not under test.
pub fn call(words: &[&str]) -> Result<()> {
    let (method, arguments) = words.split_first().context("no method")?;
    let output = Command::new("busctl")
        .arg(format!(
            "--address={}",
            std::env::var("DBUS_SYSTEM_BUS_ADDRESS")?
        ))
        .args([
            "call",
            "org.freedesktop.systemd1",
            "/org/freedesktop/systemd1",
        ])
        .args(["org.freedesktop.systemd1.Manager", method])
        .args(arguments)
        .output()?;
    ensure!(
        output.status.success(),
        "{method}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

pub fn failed(problem: obnova_engine::api::Problem) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", problem.code, problem.detail.unwrap_or_default())
}

/// Becomes the application, as `obnova launch` does.
pub fn launch() -> ExitCode {
    if let Some(plan) = obnova_engine::launch::parse(std::env::args_os().skip(2)) {
        eprintln!("{}", obnova_engine::launch::run(&plan));
    }
    ExitCode::FAILURE
}
