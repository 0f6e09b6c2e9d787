//! Making the next start one of another version. What runs now is not touched.

use semver::Version;
use serde::Serialize;

use crate::desktop::Desktop;
use crate::error::{Code, Error};
use crate::machine::Machine;
use crate::policy::Mode;
use crate::stage::Staged;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// The version that the launcher starts from now on.
    pub version: Version,
    /// The one before, which it goes back to if that does not confirm.
    pub previous: Option<Version>,
    /// Whether it still has to confirm.
    pub on_trial: bool,
}

impl Desktop {
    /// Switches to a staged version.
    ///
    /// # Errors
    /// `quarantined`: it failed here before, or was left by hand; see [`Desktop::insist`]. `policy`: the administrator installs
    /// versions in another way. Or the disk refuses; then the version from before is started as before.
    pub fn apply(&self, staged: Staged) -> Result<Applied, Error> {
        self.switch_to(staged, false)
    }

    /// As [`Desktop::apply`], also to a version that failed here before: for a person who knows why.
    ///
    /// # Errors
    /// As [`Desktop::apply`], but for `quarantined`.
    pub fn insist(&self, staged: Staged) -> Result<Applied, Error> {
        self.switch_to(staged, true)
    }

    fn switch_to(&self, staged: Staged, insist: bool) -> Result<Applied, Error> {
        if self.policy.mode == Mode::Off && !insist {
            return Err(Error::new(Code::Policy));
        }
        let mut state = self.state()?;
        let version = staged.installed.version.clone();
        if !insist && state.pointer.quarantine.contains_key(&version) {
            return Err(Error::new(Code::Quarantined).arg("version", version));
        }
        // Who has never started a program that all users share is given a version at the first start.
        let is_first = self.layout.is_shared() && state.pointer.seen.is_none();
        if state.pointer.version() != Some(&version) && !is_first {
            let machine = match self.layout.is_shared() {
                true => Machine::read(&self.layout)?,
                false => None,
            };
            state.pointer.seen = machine.map(|machine| machine.serial).or(state.pointer.seen);
            state.switch(staged.installed)?;
        }
        Ok(Applied {
            version,
            previous: state
                .pointer
                .previous
                .as_ref()
                .map(|previous| previous.version.clone()),
            on_trial: state.pointer.trial.is_some(),
        })
    }
}
