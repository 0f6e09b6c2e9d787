//! What is here, without the network.

use std::collections::BTreeMap;

use semver::Version;
use serde::Serialize;

use crate::desktop::Desktop;
use crate::error::Error;
use crate::machine::Machine;
use crate::pointer::{News, Pointer, Quarantined};
use crate::policy::Policy;

/// What is here.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The product.
    pub product: String,
    /// The server's address.
    pub server: String,
    /// What the server last said it is.
    pub server_version: Option<Version>,
    /// The version that is started.
    pub current: Option<Version>,
    /// The version before.
    pub previous: Option<Version>,
    /// Whether the current version has still to confirm, and how often it was started.
    pub trial_starts: Option<u32>,
    /// A version that the server wants.
    pub wanted: Option<Version>,
    /// Versions that are not installed again by themselves.
    pub quarantine: BTreeMap<Version, Quarantined>,
    /// What the user has not been told yet.
    pub news: Option<News>,
    /// What the computer's users get, where they share the installation: it is this user's from the next start on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<Version>,
    /// The administrator's policy.
    pub policy: Policy,
}

impl Desktop {
    /// What is here, without the network and without changing anything.
    ///
    /// # Errors
    /// The file that says so is damaged.
    pub fn status(&self) -> Result<Status, Error> {
        let pointer = Pointer::read(&self.layout)?;
        let machine = match self.layout.is_shared() {
            true => Machine::read(&self.layout)?,
            false => None,
        };
        Ok(Status {
            machine: machine.map(|machine| machine.current.version),
            product: self.configuration.product.clone(),
            server: self.configuration.server.to_string(),
            server_version: pointer.server.clone(),
            current: pointer.version().cloned(),
            previous: pointer
                .previous
                .as_ref()
                .map(|previous| previous.version.clone()),
            trial_starts: pointer.trial.as_ref().map(|trial| trial.starts),
            wanted: pointer
                .wanted
                .as_ref()
                .map(|offered| offered.version.clone()),
            quarantine: pointer.quarantine,
            news: pointer.news,
            policy: self.policy.clone(),
        })
    }
}
