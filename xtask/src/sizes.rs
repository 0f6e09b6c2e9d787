//! `cargo xtask sizes`: how big the product is. Memory is that of roles running now, so start the demo first.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::run;

pub(crate) fn run() -> Result<()> {
    run::run(&mut run::cargo(["build", "--release", "-p", "obnova"]))?;
    let program = run::target_directory()?.join("release/obnova");
    let bytes = fs::metadata(&program)?.len();
    println!(
        "{:>9.1} MiB  stripped release build",
        bytes as f64 / 1048576.0
    );
    for process in fs::read_dir("/proc")? {
        let directory = process?.path();
        if let Some((command, kibibytes)) = role(&directory) {
            let mebibytes = kibibytes as f64 / 1024.0;
            println!("{mebibytes:>9.1} MiB  {command}");
        }
    }
    Ok(())
}

/// The command line of a process that is a role of Obnova, and its share of memory in KiB.
fn role(process: &Path) -> Option<(String, u64)> {
    let program = fs::read_link(process.join("exe")).ok()?;
    if program.file_name()? != "obnova" {
        return None;
    }
    let command = fs::read_to_string(process.join("cmdline")).ok()?;
    let memory = fs::read_to_string(process.join("smaps_rollup")).ok()?;
    let share = memory.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes = share.trim().trim_end_matches(" kB").parse().ok()?;
    Some((command.replace('\0', " ").trim().to_owned(), kibibytes))
}
