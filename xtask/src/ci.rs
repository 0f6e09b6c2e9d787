//! `cargo xtask ci`: everything that must pass before a change is taken, the quick checks first.

use std::process::Command;

use anyhow::Result;

use crate::run::{self, Stages};
use crate::{arrows, tools};

pub(crate) fn run() -> Result<()> {
    let mut stages = Stages::default();
    let result = all(&mut stages);
    stages.report(false);
    result
}

fn all(stages: &mut Stages) -> Result<()> {
    stages.stage("format", || {
        run::run(&mut run::cargo(["fmt", "--all", "--check"]))
    })?;
    stages.stage("arrows", arrows::run)?;
    stages.stage("deny", deny)?;
    stages.stage("clippy", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--locked"];
        run::run(run::cargo(arguments).args(["--", "-D", "warnings"]))
    })?;
    stages.stage("test", || {
        run::run(&mut run::cargo(["run", "--quiet", "-p", "xtask", "test"]))
    })
}

/// Advisories are left out: their database is on the network, and a check that depends on the day is no check of a
/// change. `cargo deny check advisories` is for releases.
pub(crate) fn deny() -> Result<()> {
    let mut deny = Command::new(tools::ensure_deny()?);
    deny.args(["--locked", "--workspace", "check"])
        .args(["licenses", "bans", "sources"])
        .current_dir(run::root());
    run::run(&mut deny)
}
