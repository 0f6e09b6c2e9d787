//! `obnova setup`: the first installation.

use std::path::Path;
use std::process::ExitCode;

use obnova_engine::{Installation, setup};
use semver::Version;

use crate::output::{Failed, Output};

/// Installs, with a bar where somebody watches.
pub fn run(state: &Path, version: Option<Version>, output: &Output) -> anyhow::Result<ExitCode> {
    let installation = Installation::load(state).map_err(Failed)?;
    let bar = indicatif::ProgressBar::new(0);
    let style =
        indicatif::ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec}")?;
    bar.set_style(style);
    let mut progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let version = setup::install(&installation, version, &mut progress).map_err(Failed)?;
    bar.finish_and_clear();
    let result = serde_json::json!({ "installed": version });
    output.print(&result, |text| {
        text.with("cli-setup-done", &[("version", &version.to_string())])
    })?;
    Ok(ExitCode::SUCCESS)
}
