//! `install` and `agent`: what an installer's script calls, and what the session's start calls.

use std::path::PathBuf;

use obnova_desktop::{Desktop, Error, Installing};

use super::Command;
use super::print::Output;

/// The agent, in a version's tree.
const AGENT: &str = "bin/obnova-desktop-gui";

pub fn run(root: PathBuf, command: Command, output: &Output) -> Result<u8, Error> {
    let Command::Install {
        package,
        server,
        authorities,
        no_menu,
        autostart,
        silent,
    } = command
    else {
        return Ok(1);
    };
    let installing = Installing {
        package,
        root: root.clone(),
        server,
        authorities,
    };
    let installed = installing.install()?;
    let desktop = Desktop::open(&root)?;
    if let Some(entries) = desktop.entries() {
        if !no_menu {
            entries.add_to_menu(&installed)?;
        }
        if autostart {
            entries.start_agent(&installed)?;
        }
    }
    if !silent {
        output.installed(&installed);
    }
    Ok(0)
}

/// Becomes the agent of the version that is known to work.
pub fn agent(desktop: &Desktop, output: &Output) -> Result<u8, Error> {
    let status = desktop.status()?;
    let on_trial = status.trial_starts.is_some();
    let worked = status.previous.filter(|_| on_trial).or(status.current);
    let Some(version) = worked else {
        output.status(&desktop.status()?);
        return Ok(1);
    };
    let program = desktop
        .layout()
        .version(&version)
        .join(format!("{AGENT}{}", std::env::consts::EXE_SUFFIX));
    if !program.is_file() {
        output.no_agent(&version.to_string(), &program);
        return Ok(1);
    }
    let mut command = std::process::Command::new(&program);
    command
        .arg("agent")
        .arg("--root")
        .arg(desktop.layout().root());
    let code = obnova_desktop::launcher::become_program(&mut command)?;
    Ok(u8::try_from(code).unwrap_or(1))
}
