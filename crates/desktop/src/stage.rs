//! Looking at a downloaded version before it is switched to: all of its files once more, and its own word that it can run here.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use obnova_release::{Description, DesktopProgram, InstalledRelease};

use crate::check::Wanted;
use crate::desktop::Desktop;
use crate::error::{Code, Error};
use crate::launcher;
use crate::platform;
use crate::pointer::{Installed, Reason};

/// How long a version's own check may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether it has ended.
const POLL: Duration = Duration::from_millis(20);

/// A version that is here, whole and fit. Only [`Desktop::stage`] makes one.
#[derive(Debug, Clone)]
pub struct Staged {
    pub(crate) installed: Installed,
}

impl Desktop {
    /// Verifies a downloaded version's directory as a tree, and runs its own check.
    ///
    /// # Errors
    /// It is not here, not whole, or not fit for this computer.
    pub fn stage(&self, wanted: &Wanted) -> Result<Staged, Error> {
        let staged = self.stage_described(wanted.release.description());
        if let Err(error) = &staged
            && error.code == Code::UnfitHere
            && self.layout.is_shared()
        {
            // The computer has it already, for all; this user's next start must not be one of it.
            let mut state = self.state()?;
            let detail = error.to_string();
            let reason = Reason::OwnCheck { detail };
            state.quarantine(&wanted.version, reason)?;
        }
        staged
    }

    /// The same of what this description is of.
    pub(crate) fn stage_described(&self, description: &Description) -> Result<Staged, Error> {
        let version = &description.version;
        let versions = self.layout.versions();
        let release = InstalledRelease::load(&versions, version)?;
        release.verify(&versions)?;
        let platform = platform::name();
        let program = description
            .desktop
            .as_ref()
            .and_then(|desktop| desktop.platforms.get(&platform))
            .ok_or_else(|| Error::new(Code::NoDesktop).arg("server", version))?;
        let installed = Installed {
            version: version.clone(),
            start: program.start.clone(),
            confirm_seconds: program.confirm_seconds,
        };
        if let Some(check) = &program.check {
            self.run_check(&installed, check)?;
        }
        Ok(Staged { installed })
    }

    fn run_check(&self, installed: &Installed, check: &[String]) -> Result<(), Error> {
        let unfit = |detail: String| {
            Error::new(Code::UnfitHere)
                .arg("version", &installed.version)
                .detail(detail)
        };
        let tree = self.layout.version(&installed.version);
        let command = DesktopProgram::filled(check, &tree.display().to_string());
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| unfit("no program".into()))?;
        let mut child = Command::new(program)
            .args(arguments)
            .env(launcher::ROOT, self.layout.root())
            .env(launcher::VERSION, installed.version.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| unfit(format!("{program}: {error}")))?;
        let until = Instant::now() + PATIENCE;
        loop {
            match child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(unfit(format!("its check ended with {status}"))),
                None if Instant::now() < until => std::thread::sleep(POLL),
                None => {
                    child.kill()?;
                    child.wait()?;
                    return Err(unfit(format!("its check did not end in {PATIENCE:?}")));
                }
            }
        }
    }
}
