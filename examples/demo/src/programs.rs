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

/// What a Desktop is made of: itself, the windows about updates, and what stays when versions come and go.
const DESKTOP: [&str; 4] = [
    "crm-desktop",
    "obnova-desktop-gui",
    "obnova-desktop",
    "obnova-launcher",
];

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

    /// Puts the programs of the CRM's Desktop into this new folder, as a vendor ships them: without what only helps to find
    /// faults in them, which is most of a debug build.
    ///
    /// # Errors
    /// They have not been built, or could not be copied.
    pub fn desktop(&self, to: &Path) -> Result<()> {
        let from = self.obnova.parent().context("a folder of programs")?;
        std::fs::create_dir_all(to)?;
        for name in DESKTOP {
            let (program, copy) = (from.join(name), to.join(name));
            if !program.is_file() {
                bail!("the program {name} is not built; run: cargo build --workspace --bins");
            }
            let mut strip = Command::new("strip");
            // Without the tool it works as well, and takes longer.
            if run(strip.arg("-o").arg(&copy).arg(&program)).is_err() {
                std::fs::copy(&program, &copy).context(name)?;
            }
        }
        Ok(())
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
