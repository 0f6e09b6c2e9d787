//! A version's own word that it works. Without it the launcher goes back to the version before.

use std::time::Duration;

use jiff::Timestamp;
use obnova_release::matches;
use semver::{Version, VersionReq};
use serde::Serialize;

use crate::desktop::Desktop;
use crate::error::Error;
use crate::launcher;
use crate::pointer::{Installed, Pointer, Reason};
use crate::server::Refusal;

/// How long the handshake may take, at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a program found when it looked at itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It works.
    Good,
    /// It does not.
    Bad(String),
    /// The server does not accept this version.
    Refused(Refusal),
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmed {
    /// There was nothing to confirm: the version had confirmed before, or another one is on trial.
    NothingToDo,
    /// The version works, and the server says that it is the right one.
    Yes,
    /// The version works; the server could not be asked, which is no reason to go back.
    WithoutServer,
    /// It does not work: the launcher goes back as soon as this program has ended, which it should do now.
    No,
}

impl Desktop {
    /// To be called as soon as the program is up. `own` looks whether it works and is asked only when that matters.
    ///
    /// # Errors
    /// The disk refuses; then the launcher starts the version again or goes back.
    pub fn confirm(&self, own: impl FnOnce() -> Health) -> Result<Confirmed, Error> {
        let pointer = Pointer::read(&self.layout)?;
        #[cfg(windows)]
        if let (Some(entries), Some(version)) = (self.entries(), pointer.version()) {
            entries.version_is(version);
        }
        if !is_on_trial_here(&pointer) {
            return Ok(Confirmed::NothingToDo);
        }
        let (failure, confirmed) = match own() {
            Health::Bad(detail) => (Some(Reason::OwnCheck { detail }), Confirmed::No),
            Health::Refused(refusal) => {
                let server = refusal.server.to_string();
                (Some(Reason::Refused { server }), Confirmed::No)
            }
            Health::Good => match &pointer.current {
                Some(current) => self.greet(current),
                None => return Ok(Confirmed::NothingToDo),
            },
        };
        let mut state = self.state()?;
        if !is_on_trial_here(&state.pointer) {
            return Ok(Confirmed::NothingToDo);
        }
        match (failure, &mut state.pointer.trial) {
            (Some(failure), Some(trial)) => {
                trial.failure = Some(failure);
                state.save()?;
            }
            _ => state.confirm()?,
        }
        Ok(confirmed)
    }

    /// The handshake: whether the server is there, and accepts this version by what is known of the vendor's releases. Short,
    /// whatever the server does: a server that only drips must not look like a version that does not confirm.
    fn greet(&self, current: &Installed) -> (Option<Reason>, Confirmed) {
        let patience = PATIENCE.min(Duration::from_secs(current.confirm_seconds) / 2);
        let asked = self.ask(patience);
        match asked {
            Ok((server, Some(range))) if !matches(&range, &current.version) => {
                let server = server.to_string();
                (Some(Reason::Refused { server }), Confirmed::No)
            }
            Ok((_, Some(_))) => (None, Confirmed::Yes),
            Ok((_, None)) => (None, Confirmed::WithoutServer),
            Err(error) => {
                tracing::debug!(%error, "the server could not be asked about this version");
                (None, Confirmed::WithoutServer)
            }
        }
    }

    /// The server's version, and what works with it as far as that is known here.
    fn ask(&self, patience: Duration) -> Result<(Version, Option<VersionReq>), Error> {
        let network = self.network()?;
        let network = network.get()?;
        let server = network.server.hello_within(patience)?.server;
        let known = network.client.known(Timestamp::now())?;
        let range = known.and_then(|catalog| catalog.desktop_range(&server).cloned());
        Ok((server, range))
    }
}

/// Whether the version on trial is the one that asks. A program of an older version that still runs must not confirm the
/// new one; somebody at a terminal, whom the launcher has not started, may.
fn is_on_trial_here(pointer: &Pointer) -> bool {
    let Some(trial) = &pointer.trial else {
        return false;
    };
    match (
        std::env::var(launcher::VERSION),
        std::env::var(launcher::TRIAL),
    ) {
        (Err(_), _) => true,
        (Ok(_), Ok(nonce)) => nonce == trial.nonce,
        (Ok(_), Err(_)) => false,
    }
}
