//! `cargo xtask tryton`: a real ERP from its published packages, updated by Obnova while it is used, and brought back from two
//! updates that went wrong.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::{run, tools};

#[derive(Args)]
pub(crate) struct Options {
    /// Passed on: --parties N, --rate N, --no-rehearsal, --folder DIRECTORY, --json.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    tools::ensure_postgres()?;
    tools::ensure_python()?;
    let packages = ["-p", "obnova", "-p", "obnova-tryton"];
    run::run(run::cargo(["build", "--bins"]).args(packages))?;
    let target = run::target_directory()?;
    let status = Command::new(target.join("debug/obnova-tryton"))
        .arg("--wheels")
        .arg(target.join("tryton/wheels"))
        .arg("--example")
        .arg(run::root().join("docs/guide/examples/tryton"))
        .args(&options.arguments)
        .status()?;
    anyhow::ensure!(status.success(), "Tryton's story: {status}");
    Ok(())
}
