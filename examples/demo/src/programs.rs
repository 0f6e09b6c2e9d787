//! The programs that the demo runs: built beside it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `obnova`.
    pub obnova: PathBuf,
    /// The CRM.
    pub crm: PathBuf,
}

impl Programs {
    /// Finds them beside this program (or, for a test, one folder up).
    ///
    /// # Errors
    /// They have not been built.
    pub fn find() -> Result<Programs> {
        let here = std::env::current_exe()?;
        let folders = here.ancestors().skip(1).take(2);
        for folder in folders {
            let programs = Programs {
                obnova: folder.join("obnova"),
                crm: folder.join("crm"),
            };
            if programs.obnova.is_file() && programs.crm.is_file() {
                return Ok(programs);
            }
        }
        bail!("the programs obnova and crm are not built; run: cargo build --workspace --bins")
    }
}

/// Runs a program to its end and returns what it printed.
///
/// # Errors
/// It could not be run, or failed; with what it said.
pub fn run(command: &mut Command) -> Result<String> {
    let name = Path::new(command.get_program()).display().to_string();
    let output = command
        .output()
        .with_context(|| format!("{name} cannot be run"))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let arguments: Vec<_> = command
            .get_args()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{name} {}: {}\n{printed}{said}",
            arguments.join(" "),
            output.status
        );
    }
    Ok(printed)
}
