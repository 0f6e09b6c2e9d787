//! The throw-away systemd comes up, runs something, and is gone without a trace.

use anyhow::{Result, ensure};
use obnova_testkit::systemd::Systemd;

#[test]
fn a_throw_away_systemd_runs_a_unit_and_leaves_nothing() -> Result<()> {
    let systemd = Systemd::start()?;
    let run = systemd.run(&[
        "systemd-run",
        "--wait",
        "--pipe",
        "--quiet",
        "echo",
        "from a unit",
    ])?;
    ensure!(run == "from a unit\n", "it said {run:?}");
    systemd.run(&[
        "systemd-run",
        "--quiet",
        "--unit=left.service",
        "sleep",
        "4711",
    ])?;
    drop(systemd);
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        ensure!(
            command != b"/usr/bin/sleep\x004711\0",
            "the unit's process lives on"
        );
    }
    Ok(())
}
