//! The application as a unit of systemd, that outlives the engine and is found again by its name.
//!
//! Nothing is lost between starting and recording: the unit's name is known beforehand, and what is to run in it is on disk before
//! it is started. A process cannot leave its control group, so nothing is left when the group is empty. Migrations are no
//! service: they run under the engine, as with the process driver.

use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use obnova_release::Stop;

use crate::api::Problem;
use crate::durable;
use crate::installation::Installation;
use crate::launch::Record;
use crate::log;
use crate::problem;
use crate::service::{Launch, Running, Service, output, port};
use crate::step::chain;

mod bus;
mod files;
mod unit;

use bus::{Bus, BusError, Property};
pub(super) use files::Note;

/// How long a start may take until it counts as running.
const START_PATIENCE: Duration = Duration::from_secs(10);
/// How long systemd and the kernel may take to end what was killed.
const KILL_PATIENCE: Duration = Duration::from_secs(20);
/// The longest wait for a stop: far beyond what anybody sets.
const LONGEST_STOP: Duration = Duration::from_secs(24 * 3600);
const POLL: Duration = Duration::from_millis(15);
/// Lines of the application's output that a problem quotes.
const QUOTED_LINES: usize = 20;

/// A unit.
pub(super) struct Systemd {
    bus: Bus,
    unit: String,
    installation: Installation,
    note: PathBuf,
    environment: PathBuf,
    launcher: Vec<String>,
}

/// What systemd says of a unit.
#[derive(Debug, Default, PartialEq, Eq)]
struct State {
    /// `active`, `activating`, `deactivating`, `failed`, `inactive`, and more.
    active: String,
    /// The main process; 0 for none.
    main: u32,
    /// What the unit has run besides, such as `ExecStopPost=`; 0 for none.
    control: u32,
    /// An order that is not carried out yet; 0 for none.
    job: u32,
}

impl State {
    fn serves(&self) -> bool {
        self.main != 0 && ["active", "activating", "reloading"].contains(&self.active.as_str())
    }

    /// Whoever is left was left behind.
    fn is_headless(&self) -> bool {
        self.main == 0 && self.control == 0
    }

    fn is_over(&self) -> bool {
        self.job == 0 && ["inactive", "failed"].contains(&self.active.as_str())
    }
}

impl Systemd {
    pub(super) fn new(installation: &Installation, launcher: Vec<String>) -> Systemd {
        let given = installation.service.unit.clone();
        Systemd {
            bus: Bus::new(),
            unit: given.unwrap_or_else(|| unit::name(installation)),
            note: Note::path(installation),
            environment: files::environment_path(installation),
            installation: installation.clone(),
            launcher,
        }
    }

    fn is_given(&self) -> bool {
        self.installation.service.unit.is_some()
    }

    fn state(&self, unit: &str) -> Result<State, BusError> {
        let state = || -> Result<State, BusError> {
            let path: zbus::OwnedObjectPath = self.bus.ask("GetUnit", &unit)?;
            let path = path.as_str();
            let (job, _): (u32, zbus::OwnedObjectPath) = self.bus.property(path, "Unit", "Job")?;
            Ok(State {
                active: self.bus.property(path, "Unit", "ActiveState")?,
                main: self.bus.property(path, "Service", "MainPID")?,
                control: self.bus.property(path, "Service", "ControlPID")?,
                job,
            })
        };
        match state() {
            Err(BusError::NoSuchUnit) => Ok(State {
                active: "inactive".to_owned(),
                ..State::default()
            }),
            other => other,
        }
    }

    /// Processes in its control group, each with its command.
    fn processes(&self, unit: &str) -> Result<Vec<(String, u32, String)>, BusError> {
        match self.bus.ask("GetUnitProcesses", &unit) {
            Err(BusError::NoSuchUnit) => Ok(Vec::new()),
            other => other,
        }
    }

    fn is_gone(&self, unit: &str) -> Result<bool, BusError> {
        Ok(self.state(unit)?.is_over() && self.processes(unit)?.is_empty())
    }

    /// Ends a unit with all that is in its control group: as it wants to be ended, and by force after `patience`.
    fn end(&self, unit: &str, patience: Duration) -> Result<(), BusError> {
        if self.is_gone(unit)? {
            return Ok(());
        }
        unless_gone(self.bus.order("StopUnit", &(unit, "replace")))?;
        let began = Instant::now();
        let mut killed: Option<Instant> = None;
        while !self.is_gone(unit)? {
            if began.elapsed() >= patience && killed.is_none() {
                tracing::warn!(unit, "it did not stop when asked and is killed");
                killed = Some(Instant::now());
            }
            // What the main process leaves behind is not waited for.
            if killed.is_some() || self.state(unit)?.is_headless() {
                // There may be nobody to kill any more; who is, is seen above.
                let _ = self.bus.order("KillUnit", &(unit, "all", libc::SIGKILL));
            }
            if killed.is_some_and(|since| since.elapsed() >= KILL_PATIENCE) {
                let left = self.processes(unit)?;
                return Err(BusError::Refused(format!(
                    "{unit}: processes {left:?} do not end although they were killed"
                )));
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// Ends whatever else was started for this installation: in another unit or by the process driver, before the installation
    /// file was changed.
    fn end_others(&self) -> Result<(), Problem> {
        if let Some(note) = Note::read(&self.note).filter(|note| note.unit != self.unit) {
            self.end(&note.unit, Duration::ZERO).map_err(unreachable)?;
        }
        let record = self.installation.state_dir.join("service.json");
        Record::finish_off(&record).map_err(|error| unreachable(error.to_string()))
    }

    /// Starts it; `Err` says what was wrong, in technical English.
    fn begin(&self, launch: &Launch) -> Result<Running, String> {
        let text = |error: BusError| error.to_string();
        let environment = self.environment.display().to_string();
        if self.is_given() {
            let wrong = unit::wrong(&self.bus, &self.installation, &self.unit, &environment);
            if let Some(wrong) = wrong.map_err(text)? {
                return Err(wrong);
            }
        }
        // Whatever an interrupted start left behind must not run beside the new one.
        self.end(&self.unit, Duration::ZERO).map_err(text)?;
        self.end_others()
            .map_err(|problem| problem.detail.unwrap_or_default())?;
        let io = |error: std::io::Error| chain(&error);
        output::rotate(&self.installation.application_log()).map_err(io)?;
        let env = match self.is_given() {
            true => unit::told(launch),
            false => launch.env.clone(),
        };
        files::write_environment(&self.environment, &env).map_err(io)?;
        let note = Note {
            unit: self.unit.clone(),
            running: Running {
                version: launch.version.clone(),
                port: launch.port,
            },
        };
        note.write(&self.note).map_err(io)?;
        self.order_start(launch, &environment).map_err(text)?;
        self.wait_started()?;
        Ok(note.running)
    }

    fn order_start(&self, launch: &Launch, environment: &str) -> Result<(), BusError> {
        // A unit that failed stays known until it is said that this was seen.
        unless_gone(self.bus.order("ResetFailedUnit", &self.unit))?;
        if self.is_given() {
            return self.bus.order("StartUnit", &(&self.unit, "replace"));
        }
        let unset = unit::foreign(&self.bus, launch)?;
        let properties = unit::transient(&self.installation, launch, environment, unset);
        let others: Vec<(&str, Vec<Property>)> = Vec::new();
        let order = (self.unit.as_str(), "fail", properties, others);
        let began = Instant::now();
        loop {
            match self.bus.order("StartTransientUnit", &order) {
                // The one before has ended and is about to be forgotten.
                Err(BusError::Refused(why))
                    if why.contains("UnitExists") && began.elapsed() < START_PATIENCE =>
                {
                    sleep(POLL);
                    unless_gone(self.bus.order("ResetFailedUnit", &self.unit))?;
                }
                other => return other,
            }
        }
    }

    fn wait_started(&self) -> Result<(), String> {
        let began = Instant::now();
        loop {
            let state = self.state(&self.unit).map_err(|error| error.to_string())?;
            // Some say themselves when they are ready, which may take longer than this; it is asked for its health anyhow.
            let is_late = began.elapsed() >= START_PATIENCE;
            if state.serves() && (state.active == "active" || is_late) {
                return Ok(());
            }
            if state.is_over() || is_late {
                return Err(self.why_not());
            }
            sleep(POLL);
        }
    }

    /// Why it did not start: what systemd remembers of it, and the end of its output.
    fn why_not(&self) -> String {
        let remembered = || -> Result<String, BusError> {
            let path: zbus::OwnedObjectPath = self.bus.ask("GetUnit", &self.unit)?;
            let result: String = self.bus.property(path.as_str(), "Service", "Result")?;
            let status: i32 = self
                .bus
                .property(path.as_str(), "Service", "ExecMainStatus")?;
            Ok(format!("{}: {result}, status {status}", self.unit))
        };
        let mut lines = Vec::from_iter(remembered().ok());
        lines.extend(log::tail(
            &self.installation.application_log(),
            QUOTED_LINES,
        ));
        lines.join("\n")
    }
}

impl Service for Systemd {
    fn look(&self) -> Result<Option<Running>, Problem> {
        let Some(note) = Note::read(&self.note).filter(|note| note.unit == self.unit) else {
            return Ok(None);
        };
        match self.state(&self.unit) {
            Ok(state) => Ok(state.serves().then_some(note.running)),
            Err(error) => {
                tracing::error!(unit = self.unit, %error, "whether the application runs is not known");
                Err(Problem::new(problem::SYSTEM)
                    .arg("path", &self.unit)
                    .detail(error))
            }
        }
    }

    fn start(&self, launch: &Launch) -> Result<Running, Problem> {
        self.begin(launch).map_err(|detail| {
            Problem::new(problem::START_FAILED)
                .arg("version", &launch.version)
                .detail(detail)
        })
    }

    fn stop(&self, stop: &Stop, patience: Duration) -> Result<(), Problem> {
        let note = Note::read(&self.note);
        let patience = patience
            .min(Duration::from_secs(stop.seconds))
            .min(LONGEST_STOP);
        self.end(&self.unit, patience)
            .map_err(unreachable)
            .and_then(|()| self.end_others())
            .and_then(|()| durable::remove_file(&self.note).map_err(unreachable))
            .map_err(|problem| {
                let version = note.map(|note| note.running.version.to_string());
                problem.arg("version", version.unwrap_or_default())
            })
    }

    fn tend(&self) {
        output::tend(&self.installation.application_log());
    }

    fn launcher(&self) -> &[String] {
        &self.launcher
    }

    fn free_port(&self) -> Result<u16, Problem> {
        port::free()
    }
}

/// For the process driver: ends what runs in a unit since before the installation file was changed.
///
/// # Errors
/// `stop-failed`.
pub(super) fn end_former(installation: &Installation) -> Result<(), Problem> {
    let path = Note::path(installation);
    let Some(note) = Note::read(&path) else {
        return Ok(());
    };
    let systemd = Systemd::new(installation, Vec::new());
    systemd
        .end(&note.unit, Duration::ZERO)
        .map_err(unreachable)?;
    durable::remove_file(&path).map_err(unreachable)
}

fn unreachable(error: impl ToString) -> Problem {
    Problem::new(problem::STOP_FAILED)
        .arg("version", "")
        .detail(error)
}

/// An order to a unit that is not there any more is as good as carried out.
fn unless_gone(answer: Result<(), BusError>) -> Result<(), BusError> {
    match answer {
        Err(BusError::NoSuchUnit) => Ok(()),
        other => other,
    }
}
