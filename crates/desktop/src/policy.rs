//! What an administrator allows: `policy.toml` in the root, and above it what is set for this computer or its user.

use std::path::Path;

use obnova_release::durable;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::layout::Layout;
use crate::platform;

/// The policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// When updates happen.
    pub mode: Mode,
    /// Hours that a user may say *Later*, from when an update was first offered; `None`: as long as the server accepts the
    /// old version.
    pub deadline_hours: Option<u32>,
    /// Minutes between two looks at the server of a program that stays, as the agent does; `None`: 60.
    pub check_minutes: Option<u32>,
    /// The most that downloads may take of the line, bytes a second.
    pub bytes_per_second: Option<u64>,
    /// Whether the server is not told which version is here.
    pub silent: bool,
}

/// When updates happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// By themselves, at the next start.
    Automatic,
    /// When the user says so.
    #[default]
    Ask,
    /// Never from here: the administrator installs versions in another way.
    Off,
}

impl Policy {
    /// The computer's policy if there is one, otherwise the user's, otherwise this installation's, otherwise the default. The first
    /// that is there counts, alone: what it does not say is not taken from another.
    pub(crate) fn read(layout: &Layout, product: &str) -> Result<Self, Error> {
        if let Some(policy) = platform::machine_policy(product)? {
            return Ok(policy);
        }
        if let Some(policy) = platform::user_policy(product)? {
            return Ok(policy);
        }
        let own = Self::read_file(&layout.root().join("policy.toml"))?;
        Ok(own.unwrap_or_default())
    }

    pub(crate) fn read_file(path: &Path) -> Result<Option<Self>, Error> {
        let damaged = |reason: String| {
            Error::new(Code::StateDamaged)
                .arg("path", path.display())
                .detail(reason)
        };
        let bytes = match durable::read_limited(path, 1 << 20) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let text = String::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
        toml::from_str(&text)
            .map(Some)
            .map_err(|error| damaged(error.to_string()))
    }
}

impl crate::Desktop {
    /// Whether an update may be begun at all.
    ///
    /// # Errors
    /// The policy is *off*, and nobody insists.
    pub fn allows_update(&self, insist: bool) -> Result<(), Error> {
        match self.policy.mode == Mode::Off && !insist {
            true => Err(Error::new(Code::Policy)),
            false => Ok(()),
        }
    }

    /// Whether this version may be installed: better known before it is downloaded.
    ///
    /// # Errors
    /// It failed here before or was left by hand, and nobody insists.
    pub fn allows(&self, wanted: &crate::Wanted, insist: bool) -> Result<(), Error> {
        match wanted.quarantined.is_some() && !insist {
            true => Err(Error::new(Code::Quarantined).arg("version", &wanted.version)),
            false => Ok(()),
        }
    }
}
