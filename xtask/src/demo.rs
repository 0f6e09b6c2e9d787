//! `cargo demo`: builds what the demo starts, and becomes the demo.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use crate::run;

#[derive(Args)]
pub(crate) struct Options {
    /// Passed on to the demo.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let packages = [
        "obnova",
        "obnova-crm",
        "obnova-crm-desktop",
        "obnova-desktop",
        "obnova-desktop-gui",
        "obnova-demo",
    ];
    let packages = packages.iter().flat_map(|package| ["-p", package]);
    run::run(run::cargo(["build", "--bins"]).args(packages))?;
    // Not a child: Ctrl-C is for the demo alone, and its exit code is this command's.
    let error = command(&options.arguments)?.exec();
    Err(error).context("cannot start the demo")
}

/// The demo, built already.
pub(crate) fn command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<Command> {
    let mut demo = Command::new(run::target_directory()?.join("debug/obnova-demo"));
    demo.args(arguments);
    Ok(demo)
}
