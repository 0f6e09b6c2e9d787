//! What this program is when it is started again by itself: the product's engine and launcher, with somebody looking on.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use obnova_engine::api::Problem;
use obnova_engine::{Engine, Installation, Options, launch};

use crate::control;

/// First argument of the engine: `engine STATE SOCKET`.
pub const ENGINE: &str = "engine";
/// First argument of a process that is to become the application: `launch SOCKET ...`.
pub const LAUNCH: &str = "launch";
/// First argument of a process that rehearses.
pub const REHEARSE: &str = "rehearse-worker";

/// Becomes the application or a migration.
pub fn launch(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    if let Some(socket) = arguments.next() {
        control::observe(Path::new(&socket));
    }
    if let Some(plan) = launch::parse(arguments) {
        eprintln!("{}", launch::run(&plan));
    }
    ExitCode::FAILURE
}

/// Is the engine.
///
/// # Errors
/// The installation is not usable.
pub fn engine(state: &Path, socket: &Path) -> Result<()> {
    control::observe(socket);
    let installation = Installation::load(state).map_err(failed)?;
    let program = std::env::current_exe()?.display().to_string();
    let options = Options {
        launcher: vec![
            program.clone(),
            LAUNCH.to_owned(),
            socket.display().to_string(),
        ],
        worker: vec![program, REHEARSE.to_owned()],
        observer: None,
    };
    let engine = Engine::open(installation, options).map_err(failed)?;
    obnova_engine::server::run(&engine).map_err(failed)
}

/// A problem as an error for people who test.
pub fn failed(problem: Problem) -> anyhow::Error {
    anyhow!(
        "{}: {:?} {}",
        problem.code,
        problem.args,
        problem.detail.unwrap_or_default()
    )
}
