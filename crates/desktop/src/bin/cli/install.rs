//! `install` and `agent`: what an installer's script calls, and what the session's start calls.

use std::path::PathBuf;

#[cfg(unix)]
use obnova_desktop::service::Units;
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
        all_users,
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
        all_users,
    };
    #[cfg(unix)]
    if all_users {
        may_be_shared(&installing)?;
    }
    let installed = installing.install()?;
    let desktop = Desktop::open(&root)?;
    if let Some(entries) = desktop.entries() {
        #[cfg(windows)]
        entries.list(&installed)?;
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
    #[cfg(unix)]
    if installed.all_users {
        let units = Units::of(&desktop.status()?.product, &root);
        if !units.install(&installed.name)? && !silent {
            output.no_systemd(&root, &units.socket());
        }
    }
    Ok(0)
}

/// Before anything is written: what is made is for all to read, and nobody else has a service of that name.
#[cfg(unix)]
fn may_be_shared(installing: &Installing) -> Result<(), Error> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let product = installing.product()?;
    Units::of(&product, &installing.root).are_free()
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
    // A program cannot become another one there, and one that waits would only be in the way when all is removed.
    if cfg!(windows) {
        command.spawn()?;
        return Ok(0);
    }
    let code = obnova_desktop::launcher::become_program(&mut command)?;
    Ok(u8::try_from(code).unwrap_or(1))
}
