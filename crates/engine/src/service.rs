//! What a service driver does: start, stop and find the application.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use obnova_release::Stop;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::api::Problem;
use crate::installation::{Installation, ServiceDriver};

mod output;
mod port;
mod process;
mod systemd;

/// What drivers keep about a running application; see `outside.rs`.
#[cfg(any(test, fuzzing))]
pub(crate) fn notes() -> Vec<crate::outside::Reader> {
    vec![
        crate::outside::again::<Running>,
        crate::outside::again::<systemd::Note>,
    ]
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The version, for problems and the record.
    pub version: Version,
    /// Makes the command for a port that the driver chooses.
    pub command: Vec<String>,
    /// The port that the command names.
    pub port: u16,
    /// How it is asked to end.
    pub stop: Stop,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// Where it starts.
    pub directory: PathBuf,
}

/// A running application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The version it was started as.
    pub version: Version,
    /// Where it listens, on loopback.
    pub port: u16,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
}

/// Starts, stops and finds the application, also one that an earlier engine started.
pub trait Service: Send + Sync {
    /// The application, if it runs.
    ///
    /// # Errors
    /// `system`: whether it does cannot be told now. Whoever asks must not take that for either.
    fn look(&self) -> Result<Option<Running>, Problem>;

    /// The application, if it is known to run: for those who do nothing about it if it does not.
    fn running(&self) -> Option<Running> {
        self.look().ok().flatten()
    }

    /// Starts it; returns when it runs, not when it is healthy.
    ///
    /// # Errors
    /// `start-failed`.
    fn start(&self, launch: &Launch) -> Result<Running, Problem>;

    /// Stops it with all that it started, by the release's signal and then, when `stop.seconds` or `patience` is over, by force.
    /// Nothing to do when it does not run.
    ///
    /// # Errors
    /// `stop-failed`: something of it still runs.
    fn stop(&self, stop: &Stop, patience: Duration) -> Result<(), Problem>;

    /// Called now and then while it runs, for what must not wait until the next start: keeping logs small.
    fn tend(&self);

    /// Runs [`crate::launch::run`]: program and first arguments.
    fn launcher(&self) -> &[String];

    /// A port of loopback that nobody uses.
    ///
    /// # Errors
    /// `system`.
    fn free_port(&self) -> Result<u16, Problem>;
}

/// The driver that the installation names. To add one: a file in `service/`, a line here, and the contract tests.
pub fn open(installation: &Installation, launcher: Vec<String>) -> Box<dyn Service> {
    match installation.service.driver {
        ServiceDriver::Process => Box::new(process::Process::new(installation, launcher)),
        ServiceDriver::Systemd => Box::new(systemd::Systemd::new(installation, launcher)),
    }
}
