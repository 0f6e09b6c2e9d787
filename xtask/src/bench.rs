//! `cargo xtask bench`: what things cost, as ratios within one run.

use std::process::Command;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::{run, tools};

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Protecting and returning a PostgreSQL database by every rung, beside pg_dump and pg_restore; and how long people wait for an
    /// update, beside stop, migration and start by hand. Needs root, for XFS and btrfs.
    // --help is passed on: the program itself knows its options.
    #[command(disable_help_flag = true)]
    Database {
        /// Measure the release build, as it is shipped.
        #[arg(long)]
        release: bool,
        /// Passed on: --size 5G, --repetitions N, --places xfs,btrfs,here, --no-blackout, --no-rungs, --json.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Thousands of Desktops that ask the centre and download from it, beside nginx, which serves them the same files.
    #[command(disable_help_flag = true)]
    Desktops {
        /// Measure the release build, as it is shipped.
        #[arg(long)]
        release: bool,
        /// Passed on: --desktops N, --slow N, --size 64M, --seconds N, --repetitions N, --json.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let (what, release, arguments) = match &options.what {
        What::Database { release, arguments } => {
            tools::ensure_postgres()?;
            tools::ensure_file_systems()?;
            ("database", release, arguments)
        }
        What::Desktops { release, arguments } => {
            tools::ensure_nginx()?;
            ("desktops", release, arguments)
        }
    };
    let packages = ["-p", "obnova", "-p", "obnova-crm", "-p", "obnova-bench"];
    let mut build = run::cargo(["build", "--bins"]);
    build.args(packages);
    if *release {
        build.arg("--release");
    }
    run::run(&mut build)?;
    let profile = if *release { "release" } else { "debug" };
    let program = run::target_directory()?.join(profile).join("obnova-bench");
    // Its result is on stdout, unlike that of `run::run`.
    let status = Command::new(program).arg(what).args(arguments).status()?;
    anyhow::ensure!(status.success(), "the bench ended with {status}");
    Ok(())
}
