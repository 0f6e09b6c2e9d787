//! One file a command, and the list of them.

use std::ffi::OsString;
use std::future::Future;
use std::path::Path;
use std::process::ExitCode;

use obnova_engine::client::Client;
use obnova_engine::launch as launching;

use crate::cli::Command;
use crate::output::Output;

mod check;
mod copies;
mod doctor;
mod history;
mod install;
mod plan;
mod recover;
pub mod rehearse;
pub mod release;
mod report;
mod revert;
mod roles;
mod setup;
mod status;
mod up;

pub use roles::engine_with;

/// The first argument of a process that is to become the application.
pub const LAUNCH: &str = "launch";

/// The first argument of a process that is to rehearse an update.
pub const REHEARSE_WORKER: &str = "rehearse-worker";

/// Runs a command.
///
/// # Errors
/// It failed; [`Output::error`] prints why.
pub fn run(command: Command, state: &Path, output: &Output) -> anyhow::Result<ExitCode> {
    let client = Client::new(state);
    if let Command::Engine | Command::Center | Command::Front = command {
        up::end_with_up()?;
    }
    match command {
        Command::Up => up::run(state),
        Command::Engine => roles::engine(state),
        Command::Center => roles::center(state),
        Command::Front => roles::front(state),
        Command::Setup { version } => setup::run(state, version, output),
        Command::Status => block_on(status::run(&client, output)),
        Command::Check => block_on(check::run(&client, output)),
        Command::Plan { version } => block_on(plan::run(&client, version, output)),
        Command::Install { version, insist } => {
            block_on(install::run(&client, version, insist, output))
        }
        Command::Rehearse {
            version,
            cancel,
            log,
        } => {
            let wish = match (cancel, log) {
                (true, _) => rehearse::Wish::Cancel,
                (_, true) => rehearse::Wish::Log(version),
                _ => rehearse::Wish::Make(version),
            };
            block_on(rehearse::run(&client, wish, output))
        }
        Command::Revert { export, yes } => block_on(revert::run(&client, export, yes, output)),
        Command::Copies { delete } => block_on(copies::run(&client, delete, output)),
        Command::Doctor { measure } => block_on(doctor::run(&client, measure, output)),
        Command::History => block_on(history::run(&client, output)),
        Command::Report { update } => block_on(report::run(&client, update, output)),
        Command::Recover => block_on(recover::run(&client, output)),
        Command::Release(args) => release::run(args, output.json).map(|()| ExitCode::SUCCESS),
    }
}

/// Becomes the application or a migration.
pub fn launch(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    if let Some(plan) = launching::parse(arguments) {
        let error = launching::run(&plan);
        eprintln!("{error}");
    }
    ExitCode::FAILURE
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}
