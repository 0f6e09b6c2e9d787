//! The application as a process group of its own, that outlives the engine and is found again by its record.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use obnova_release::Stop;
use rustix::process::Signal;

use crate::api::Problem;
use crate::durable;
use crate::installation::Installation;
use crate::launch::{Record, Start};
use crate::log;
use crate::problem;
use crate::service::{Launch, Running, Service};

/// Past this size the log is put aside when the application starts.
const LOG_LIMIT: u64 = 10 << 20;
/// Old logs kept.
const LOGS_KEPT: u32 = 3;
/// How long a process may take to be on record.
const LAUNCH_PATIENCE: Duration = Duration::from_secs(10);
/// The application listens on a port from here on.
const FIRST_PORT: u16 = 10_000;
/// Ports to try.
const PORT_TRIES: u16 = 200;
const POLL: Duration = Duration::from_millis(10);

/// Processes of the engine's own.
pub(super) struct Process {
    record: PathBuf,
    log: PathBuf,
    /// Runs [`launch::run`]: program and first arguments.
    launcher: Vec<String>,
    /// Our own child, to be reaped; an adopted one is not ours.
    child: Mutex<Option<Child>>,
}

impl Process {
    pub(super) fn new(installation: &Installation, launcher: Vec<String>) -> Process {
        Process {
            record: installation.state_dir.join("service.json"),
            log: installation.application_log(),
            launcher,
            child: Mutex::new(None),
        }
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reap(&self) {
        let mut child = self.child();
        if matches!(child.as_mut().map(Child::try_wait), Some(Ok(Some(_)))) {
            *child = None;
        }
    }

    /// The record, when the process that it names is alive.
    fn alive(&self) -> Option<Record> {
        self.reap();
        Record::read(&self.record).filter(Record::is_alive)
    }

    /// Waits until the process is gone, or `patience` is over.
    fn wait_gone(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while self.alive().is_some() {
            if Instant::now() >= until {
                return false;
            }
            sleep(POLL);
        }
        true
    }
}

impl Service for Process {
    fn running(&self) -> Option<Running> {
        serde_json::from_value(self.alive()?.note).ok()
    }

    fn start(&self, launch: &Launch) -> Result<Running, Problem> {
        let failed = |detail: String| {
            Problem::new(problem::START_FAILED)
                .arg("version", &launch.version)
                .detail(detail)
        };
        let running = Running {
            version: launch.version.clone(),
            port: launch.port,
        };
        // Whatever an interrupted start left behind must not run beside the new one.
        Record::finish_off(&self.record).map_err(|error| failed(error.to_string()))?;
        rotate(&self.log).map_err(|error| failed(error.to_string()))?;
        let start = Start {
            record: &self.record,
            note: serde_json::to_value(&running).map_err(|error| failed(error.to_string()))?,
            log: &self.log,
            die_with_parent: false,
            command: &launch.command,
            env: &launch.env,
            directory: &launch.directory,
        };
        let child = start
            .spawn(&self.launcher)
            .map_err(|error| failed(error.to_string()))?;
        *self.child() = Some(child);
        // The record is there once the process is about to become the application, and gone processes leave no doubt.
        let until = Instant::now() + LAUNCH_PATIENCE;
        while self.running().is_none() {
            self.reap();
            if self.child().is_none() || Instant::now() >= until {
                return Err(failed(log::tail(&self.log, 20).join("\n")));
            }
            sleep(POLL);
        }
        Ok(running)
    }

    fn stop(&self, stop: &Stop, patience: Duration) -> Result<(), Problem> {
        let record = self.alive();
        if let Some(record) = &record {
            record.signal(signal(stop));
            if !self.wait_gone(patience.min(Duration::from_secs(stop.seconds))) {
                tracing::warn!(
                    pid = record.pid,
                    seconds = stop.seconds,
                    "the application did not stop when asked and is killed"
                );
            }
        }
        // Children that it left behind go too: they could still write to the database.
        Record::finish_off(&self.record).map_err(|error| {
            let running = record.and_then(|it| serde_json::from_value::<Running>(it.note).ok());
            let version = running.map(|running| running.version.to_string());
            Problem::new(problem::STOP_FAILED)
                .arg("version", version.unwrap_or_default())
                .detail(error)
        })?;
        self.reap();
        Ok(())
    }

    fn tend(&self) {
        if fs::metadata(&self.log).is_ok_and(|metadata| metadata.len() > LOG_LIMIT)
            && let Err(error) = put_aside(&self.log, true)
        {
            tracing::warn!(%error, "the application's log could not be put aside");
        }
    }

    fn launcher(&self) -> &[String] {
        &self.launcher
    }

    fn free_port(&self) -> Result<u16, Problem> {
        let mut error = io::Error::other("no port is free");
        for port in ports() {
            match TcpListener::bind(("127.0.0.1", port)) {
                Ok(listener) => return Ok(listener.local_addr().map_or(port, |it| it.port())),
                Err(refused) => error = refused,
            }
        }
        Err(Problem::new(problem::SYSTEM)
            .arg("path", "127.0.0.1")
            .detail(error))
    }
}

/// Ports to try, in no order that repeats. They lie below those that the kernel gives to outgoing connections: one of these
/// might take the port between our looking and the application's listening. The last one is the kernel's own choice.
fn ports() -> impl Iterator<Item = u16> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let outgoing = range.split_whitespace().next();
    let end = outgoing.and_then(|low| low.parse().ok()).unwrap_or(32_768);
    let count = u16::saturating_sub(end, FIRST_PORT);
    let chance = RandomState::new().build_hasher().finish();
    let tries = count.min(PORT_TRIES);
    let own = (0..tries).map(move |number| {
        let place = chance.wrapping_add(u64::from(number)) % u64::from(count);
        FIRST_PORT + u16::try_from(place).unwrap_or(0)
    });
    own.chain([0])
}

fn signal(stop: &Stop) -> Signal {
    match stop.signal {
        obnova_release::Signal::Term => Signal::TERM,
        obnova_release::Signal::Int => Signal::INT,
        obnova_release::Signal::Quit => Signal::QUIT,
    }
}

/// Makes the log's folder, and puts a log that has grown too large aside.
fn rotate(log: &Path) -> io::Result<()> {
    if let Some(parent) = log.parent() {
        durable::create_dir_all(parent)?;
    }
    match fs::metadata(log).is_ok_and(|metadata| metadata.len() > LOG_LIMIT) {
        true => put_aside(log, false),
        false => Ok(()),
    }
}

/// Puts a log aside and drops the oldest one. While the application has it open, appending, it is copied and emptied; a line
/// written in between is lost.
fn put_aside(log: &Path, is_open: bool) -> io::Result<()> {
    let old = |number: u32| log.with_extension(format!("log.{number}"));
    for number in (1..LOGS_KEPT).rev() {
        if old(number).exists() {
            durable::rename(&old(number), &old(number + 1))?;
        }
    }
    if !is_open {
        return durable::rename(log, &old(1));
    }
    durable::remove_file(&old(1))?;
    durable::copy_file(log, &old(1), &|| true)?;
    fs::OpenOptions::new().write(true).open(log)?.set_len(0)
}
