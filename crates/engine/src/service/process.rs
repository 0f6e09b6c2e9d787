//! The application as a process group of its own, that outlives the engine and is found again by its record.

use std::path::PathBuf;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use obnova_release::Stop;
use rustix::process::Signal;

use crate::api::Problem;
use crate::installation::Installation;
use crate::launch::{Record, Start};
use crate::log;
use crate::problem;
use crate::service::{Launch, Running, Service, output, port, systemd};

/// How long a process may take to be on record.
const LAUNCH_PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// Processes of the engine's own.
pub(super) struct Process {
    record: PathBuf,
    log: PathBuf,
    installation: Installation,
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
            installation: installation.clone(),
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
    fn look(&self) -> Result<Option<Running>, Problem> {
        let record = self.alive();
        Ok(record.and_then(|record| serde_json::from_value(record.note).ok()))
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
        // Whatever an interrupted start left behind must not run beside the new one, nor what another driver started.
        systemd::end_former(&self.installation)?;
        Record::finish_off(&self.record).map_err(|error| failed(error.to_string()))?;
        output::rotate(&self.log).map_err(|error| failed(error.to_string()))?;
        let start = Start {
            record: &self.record,
            note: serde_json::to_value(&running).map_err(|error| failed(error.to_string()))?,
            log: &self.log,
            die_with_parent: false,
            service: &self.installation.service,
            command: &launch.command,
            env: &launch.env,
            directory: &launch.directory,
        };
        let child = start
            .spawn(&self.launcher)
            .map_err(|error| failed(error.to_string()))?;
        *self.child() = Some(child);
        // The record is there before the process becomes the application, and gone processes leave no doubt.
        let until = Instant::now() + LAUNCH_PATIENCE;
        let has_become = |record: &Record| start.is_past(record.pid);
        while !Record::read(&self.record)
            .is_some_and(|record| has_become(&record) && record.is_alive())
        {
            self.reap();
            if self.child().is_none() || Instant::now() >= until {
                return Err(failed(log::tail(&self.log, 20).join("\n")));
            }
            sleep(POLL);
        }
        Ok(running)
    }

    fn stop(&self, stop: &Stop, patience: Duration) -> Result<(), Problem> {
        systemd::end_former(&self.installation)?;
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
        output::tend(&self.log);
    }

    fn launcher(&self) -> &[String] {
        &self.launcher
    }

    fn free_port(&self) -> Result<u16, Problem> {
        port::free()
    }
}

fn signal(stop: &Stop) -> Signal {
    match stop.signal {
        obnova_release::Signal::Term => Signal::TERM,
        obnova_release::Signal::Int => Signal::INT,
        obnova_release::Signal::Quit => Signal::QUIT,
    }
}
