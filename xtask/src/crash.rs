//! `cargo xtask crash`: builds what the crash harness starts, and becomes the harness.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

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
    if options.arguments.iter().any(|word| word == "tryton") {
        tools::ensure_python()?;
    }
    let packages = ["-p", "obnova", "-p", "obnova-crm", "-p", "obnova-crash"];
    run::run(run::cargo(["build", "--bins"]).args(packages))?;
    // Not a child: its exit code is this command's.
    let error = command(&options.arguments)?.exec();
    Err(error).context("cannot start the harness")
}

/// What every change has to live through: some of the moments, another choice each time, some random rounds, and the planted
/// defects, each of which must be found. All is built already.
pub(crate) fn slice() -> Result<()> {
    let slices: [&[&str]; 2] = [
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
    ];
    let planted = [
        "--planted",
        "all",
        "--rounds",
        "36",
        "--scenario",
        "good",
        "--scenario",
        "migration-fails",
        "--json",
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
    let mut harness = command(planted)?;
    let found = run::output(harness.arg("--dir").arg(&directory))?;
    is_found(&found, &directory)?;
    Ok(std::fs::remove_dir_all(directory)?)
}

/// Looks that what the harness printed is JSON and nothing else, that it found every defect, and that a folder of such a round says
/// what happened.
fn is_found(printed: &str, directory: &Path) -> Result<()> {
    let printed: Value = serde_json::from_str(printed)
        .with_context(|| format!("this is not JSON alone: {printed}"))?;
    let defects = printed["planted"].as_array().context("no defects")?;
    ensure!(
        defects.len() == 3,
        "not every defect was planted: {printed}"
    );
    for defect in defects {
        eprintln!("  {defect}");
        ensure!(defect["caught"].as_u64() > Some(0), "not found: {defect}");
    }
    let rounds = printed["rounds"].as_array().context("no rounds")?;
    for folder in rounds.iter().filter_map(|round| round["folder"].as_str()) {
        ensure!(Path::new(folder).starts_with(directory), "{folder}");
        for name in ["round.json", "result.json", "changes.log", "harness.log"] {
            let file = Path::new(folder).join("out").join(name);
            ensure!(file.is_file(), "{} is missing", file.display());
        }
    }
    Ok(())
}

fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<Command> {
    let target = run::target_directory()?;
    let mut harness = Command::new(target.join("debug/obnova-crash"));
    harness
        .arg("--tryton-example")
        .arg(run::root().join("docs/guide/examples/tryton"))
        .arg("--wheels")
        .arg(target.join("tryton/wheels"))
        .args(arguments);
    Ok(harness)
}
