//! `cargo xtask windows`: builds the Desktop's library, programs and windows for Windows on Debian, with the CRM's own program, and
//! with `--test` runs the tests under Wine. What that shows, and what not, is in docs/windows.md.

mod toolchain;
mod wine;

use anyhow::Result;
use clap::Args;

use crate::run::{self, Stages};
use crate::tools;

/// What is built: for 64-bit Windows, linked by MinGW, so that nothing of Microsoft's is needed here.
const TARGET: &str = "x86_64-pc-windows-gnu";

/// What is for users' computers.
const PACKAGES: [&str; 3] = ["obnova-desktop", "obnova-desktop-gui", "obnova-crm-desktop"];

#[derive(Args)]
pub(crate) struct Options {
    /// Run the tests, under Wine.
    #[arg(long)]
    test: bool,
    /// Build as it is shipped: optimised.
    #[arg(long)]
    release: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// With --test: only tests whose names contain one of these.
    filter: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut stages = Stages::default();
    let result = all(options, &mut stages);
    stages.report(options.json);
    result
}

fn all(options: &Options, stages: &mut Stages) -> Result<()> {
    stages.stage("windows tools", || tools::ensure_windows(options.test))?;
    let mut cargo = None;
    stages.stage("windows standard library", || {
        cargo = Some(toolchain::Cargo::ensure()?);
        Ok(())
    })?;
    let Some(cargo) = cargo else { return Ok(()) };
    stages.stage("windows build", || {
        let mut build = cargo.command(["build", "--lib", "--bins"]);
        build.args(PACKAGES.map(|package| ["-p", package]).as_flattened());
        if options.release {
            build.arg("--release");
        }
        run::run(&mut build)
    })?;
    if options.test {
        let mut wine = None;
        stages.stage("wine", || {
            wine = Some(wine::Wine::ensure(cargo.home())?);
            Ok(())
        })?;
        let Some(wine) = wine else { return Ok(()) };
        let result = stages.stage("windows test", || test(&cargo, &wine, &options.filter));
        wine.stop();
        result?;
    }
    Ok(())
}

/// Documentation's examples are left out: they run on Linux, and are compiled for nothing else.
fn test(cargo: &toolchain::Cargo, wine: &wine::Wine, filter: &[String]) -> Result<()> {
    let selections: [&[&str]; 2] = [
        &["-p", "obnova-release", "--lib"],
        &["-p", "obnova-desktop", "--lib", "--tests"],
    ];
    // The program that the tests publish.
    run::run(&mut cargo.command(["build", "-p", "obnova-desktop", "--examples"]))?;
    for selection in selections {
        let mut test = cargo.command(["test", "--no-fail-fast"]);
        test.args(selection).arg("--").args(filter);
        wine.run_with(&mut test);
        run::run(&mut test)?;
    }
    Ok(())
}
