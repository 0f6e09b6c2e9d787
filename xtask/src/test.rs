//! `cargo xtask test`: all tests, on a machine that has nothing but a Rust toolchain.

use anyhow::Result;
use clap::Args;

use crate::run::{self, Stages};
use crate::{programs, tools};

#[derive(Args)]
pub(crate) struct Options {
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Test programs at a time; twice the number of processors when nothing is said.
    #[arg(long)]
    jobs: Option<usize>,
    /// Leave out the demo's tour.
    #[arg(long)]
    no_tour: bool,
    /// Run only tests whose names contain one of these, no crashes and no tour.
    filter: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut stages = Stages::default();
    let result = all(options, &mut stages);
    stages.report(options.json);
    result
}

fn all(options: &Options, stages: &mut Stages) -> Result<()> {
    stages.stage("browser", tools::ensure_browser)?;
    stages.stage("postgresql", tools::ensure_postgres)?;
    stages.stage("postgresql versions", tools::ensure_postgres_versions)?;
    stages.stage("file systems", tools::ensure_file_systems)?;
    stages.stage("clock", tools::ensure_clock)?;
    stages.stage("mariadb", tools::ensure_mariadb)?;
    stages.stage("systemd", tools::ensure_systemd)?;
    stages.stage("screen", tools::ensure_screen)?;
    let mut axe = None;
    stages.stage("axe-core", || {
        axe = Some(tools::ensure_axe()?);
        Ok(())
    })?;
    stages.stage("build", || {
        run::run(&mut run::cargo(["build", "--workspace", "--bins"]))
    })?;
    stages.stage("test", || {
        let environment: Vec<_> = axe.iter().map(|it| ("OBNOVA_AXE", it.clone())).collect();
        let jobs = options.jobs.unwrap_or_else(programs::at_a_time);
        programs::run(&options.filter, jobs, &environment)
    })?;
    if options.filter.is_empty() {
        stages.stage("crash", crate::crash::slice)?;
    }
    if options.filter.is_empty() && !options.no_tour {
        stages.stage("tour", || run::run(&mut crate::demo::command(["--tour"])?))?;
    }
    Ok(())
}
