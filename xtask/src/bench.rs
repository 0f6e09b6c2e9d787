//! `cargo xtask bench`: what things cost, as ratios within one run.

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
    /// Protecting and returning a PostgreSQL database by every rung, beside pg_dump and pg_restore. Needs root, for XFS and btrfs.
    Database {
        /// How large the database is, such as 5G.
        #[arg(long, default_value = "512M")]
        size: String,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let What::Database { size, json } = &options.what;
    tools::ensure_postgres()?;
    tools::ensure_file_systems()?;
    let mut bench = run::cargo(["run", "--quiet", "--package", "obnova-engine"]);
    bench.args(["--example", "database-bench", "--", "--size", size]);
    if *json {
        bench.arg("--json");
    }
    // Its result is on stdout, unlike that of `run::run`.
    let status = bench.status()?;
    anyhow::ensure!(status.success(), "the bench ended with {status}");
    Ok(())
}
