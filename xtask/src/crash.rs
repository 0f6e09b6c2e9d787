//! `cargo xtask crash`: builds what the crash harness starts, and becomes the harness.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::{run, tools};

#[derive(Args)]
pub(crate) struct Options {
    /// Passed on to the harness.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    tools::ensure_postgres()?;
    tools::ensure_file_systems()?;
    tools::ensure_clock()?;
    let packages = ["-p", "obnova", "-p", "obnova-crm", "-p", "obnova-crash"];
    run::run(run::cargo(["build", "--bins"]).args(packages))?;
    // Not a child: its exit code is this command's.
    let error = command(&options.arguments)?.exec();
    Err(error).context("cannot start the harness")
}

/// What every change has to live through: some of the moments, another choice each time, some random rounds, and the planted
/// defects, each of which must be found. All is built already.
pub(crate) fn slice() -> Result<()> {
    let slices: [&[&str]; 3] = [
        &[
            "--enumerate",
            "40",
            "--fault",
            "kill-engine",
            "--scenario",
            "good",
            "--scenario",
            "migration-fails",
            "--scenario",
            "revert",
            "--minutes",
            "1.5",
        ],
        &[
            "--app",
            "crm-sqlite",
            "--app",
            "crm-postgres",
            "--rounds",
            "30",
            "--minutes",
            "2.5",
        ],
        &[
            "--planted",
            "all",
            "--rounds",
            "36",
            "--scenario",
            "good",
            "--scenario",
            "migration-fails",
        ],
    ];
    // What is prepared for one is used by the next.
    let directory = run::target_directory()?.join("crash");
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    for arguments in slices {
        let mut harness = command(arguments)?;
        run::run(harness.arg("--dir").arg(&directory))?;
    }
    Ok(std::fs::remove_dir_all(directory)?)
}

fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<Command> {
    let mut harness = Command::new(run::target_directory()?.join("debug/obnova-crash"));
    harness.args(arguments);
    Ok(harness)
}
