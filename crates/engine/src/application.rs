//! The application as a whole: starting one version of it, and which version is the installed one.

use std::time::Duration;

use obnova_release::Stop;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::api::Problem;
use crate::database::Database;
use crate::durable;
use crate::installation::Installation;
use crate::log;
use crate::probe;
use crate::problem;
use crate::service::{Launch, Running, Service};
use crate::step::{command, environment, installed as facts};

/// `installed.json`: written by the first installation and by the commit of every update.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Installed {
    version: Version,
}

/// The installed version; `None` before the first installation.
///
/// # Errors
/// `system`: the file is there and cannot be read.
pub fn installed(installation: &Installation) -> Result<Option<Version>, Problem> {
    let path = installation.state_dir.join("installed.json");
    let system = |error: std::io::Error| {
        Problem::new(problem::SYSTEM)
            .arg("path", path.display())
            .detail(error)
    };
    match std::fs::read(&path) {
        Ok(bytes) => {
            let installed: Installed =
                serde_json::from_slice(&bytes).map_err(|error| system(error.into()))?;
            Ok(Some(installed.version))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(system(error)),
    }
}

/// Makes this the installed version.
///
/// # Errors
/// `system`.
pub fn set_installed(installation: &Installation, version: &Version) -> Result<(), Problem> {
    let path = installation.state_dir.join("installed.json");
    let system = |error: std::io::Error| {
        Problem::new(problem::SYSTEM)
            .arg("path", path.display())
            .detail(error)
    };
    let bytes = serde_json::to_vec(&Installed {
        version: version.clone(),
    })
    .map_err(|error| system(error.into()))?;
    durable::write(&path, &bytes, 0o644).map_err(system)
}

/// Starts this version, in place of whatever runs, without waiting until it is healthy.
///
/// # Errors
/// `stop-failed`, `start-failed`, `release-damaged`; `system`: whether something runs cannot be told.
pub fn start(
    installation: &Installation,
    database: &dyn Database,
    service: &dyn Service,
    version: &Version,
) -> Result<Running, Problem> {
    let description = facts(installation, version)?.description;
    if let Some(running) = service.look()? {
        let stop = facts(installation, &running.version)
            .map_or_else(|_| Stop::default(), |it| it.description.server.stop);
        service.stop(&stop, Duration::MAX)?;
    }
    let port = service.free_port()?;
    service.start(&Launch {
        version: version.clone(),
        command: command(
            installation,
            database,
            &description.server.start,
            version,
            port,
        ),
        port,
        stop: description.server.stop.clone(),
        env: environment(installation, database, &description, port),
        directory: installation.tree(version),
    })
}

/// Makes sure that this version runs and is healthy, starting it if need be.
///
/// # Errors
/// `stop-failed`, `start-failed`, `unhealthy`; `system`: whether something runs cannot be told.
pub fn ensure_running(
    installation: &Installation,
    database: &dyn Database,
    service: &dyn Service,
    version: &Version,
) -> Result<Running, Problem> {
    let running = match service.look()? {
        Some(running) if running.version == *version => running,
        _ => start(installation, database, service, version)?,
    };
    let description = facts(installation, version)?.description;
    let patience = installation.patience(description.server.health_seconds);
    // Where that cannot be told, its health can.
    let alive = || !matches!(service.look(), Ok(None));
    probe::wait_healthy(&description, running.address(), patience, &alive).map_err(|wrong| {
        let quote = log::tail(&installation.application_log(), 20).join("\n");
        let code = if alive() {
            problem::UNHEALTHY
        } else {
            problem::START_FAILED
        };
        Problem::new(code)
            .arg("version", version)
            .detail(format!("{wrong}\n{quote}"))
    })?;
    Ok(running)
}
