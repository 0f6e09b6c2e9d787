//! A version's own word that it works. Without it the launcher goes back to the version before.

use obnova_release::matches;
use serde::Serialize;

use crate::check::Found;
use crate::desktop::Desktop;
use crate::error::{Code, Error};
use crate::launcher;
use crate::pointer::{Pointer, Reason};
use crate::server::Refusal;

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
        if !is_on_trial_here(&pointer) {
            return Ok(Confirmed::NothingToDo);
        }
        let (failure, confirmed) = match own() {
            Health::Bad(detail) => (Some(Reason::OwnCheck { detail }), Confirmed::No),
            Health::Refused(refusal) => {
                let server = refusal.server.to_string();
                (Some(Reason::Refused { server }), Confirmed::No)
            }
            Health::Good => self.greet(),
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

    /// The handshake: whether the server is there, and accepts this version.
    fn greet(&self) -> (Option<Reason>, Confirmed) {
        match self.check() {
            Ok(found) if fits(&found) => (None, Confirmed::Yes),
            Ok(found) => {
                let server = found.server.to_string();
                (Some(Reason::Refused { server }), Confirmed::No)
            }
            Err(error) => {
                if error.code != Code::ServerUnreachable {
                    tracing::warn!(%error, "the server could not be asked about this version");
                }
                (None, Confirmed::WithoutServer)
            }
        }
    }
}

fn fits(found: &Found) -> bool {
    match (&found.current, &found.range) {
        (Some(current), Some(range)) => matches(range, current),
        _ => true,
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
