//! The vendor's side: a repository of static files, signed with keys of which the important ones can be kept offline.
//!
//! One file a command. Every function verifies the repository as it is before it signs anything new, checks the new state
//! as a client would before it writes anything, and writes in an order in which a reader sees the old or the new state:
//! content, signed files, `targets`, `snapshot`, and `timestamp` last.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::error::Error;

mod build;
mod init;
mod installers;
mod key;
mod keyring;
mod keys;
mod list;
mod publish_release;
mod repository;
mod resign;
mod revoke;
mod rotate;
mod state;
mod trial_repository;

pub(crate) use build::built_desktop;
pub use build::{BuildOptions, Built, build, build_with_desktops};
pub use init::{InitOptions, Initialised, init};
pub use installers::{AddedInstaller, add_installer, description};
pub use keys::{KeyStatus, NewKey, RoleStatus, keys, new_key};
pub use list::{Listed, Listing, RoleExpiry, list};
pub use publish_release::{Published, publish};
pub use resign::{Resigned, resign};
pub use revoke::{Revoked, revoke};
pub use rotate::{RotateOptions, Rotated, rotate};
pub use trial_repository::trial_repository;

/// The repository, the keys that are at hand, and the time.
#[derive(Debug, Clone)]
pub struct Vendor {
    /// The repository's directory.
    pub repository: PathBuf,
    /// Directories of key files; each key is used for the roles that the repository's root gives it.
    pub keys: Vec<PathBuf>,
    /// The time of signing.
    pub now: Timestamp,
    /// How long what is signed is valid.
    pub lifetimes: Lifetimes,
}

impl Vendor {
    /// A vendor's repository and keys, now, with the usual lifetimes.
    pub fn new(repository: impl Into<PathBuf>, keys: Vec<PathBuf>) -> Self {
        Self {
            repository: repository.into(),
            keys,
            now: Timestamp::now(),
            lifetimes: Lifetimes::default(),
        }
    }
}

/// How long signed metadata is valid, in days. An installation refuses expired metadata: somebody may be hiding newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// The list of keys.
    pub root: u32,
    /// The list of releases.
    pub targets: u32,
    /// Which list of releases is the newest.
    pub snapshot: u32,
    /// That this is still so.
    pub timestamp: u32,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            root: 365,
            targets: 180,
            snapshot: 14,
            timestamp: 14,
        }
    }
}

impl Lifetimes {
    fn expiry(&self, role: Role, now: Timestamp) -> Result<String, Error> {
        let days = match role {
            Role::Root => self.root,
            Role::Targets => self.targets,
            Role::Snapshot => self.snapshot,
            Role::Timestamp => self.timestamp,
        };
        now.checked_add(SignedDuration::from_hours(24 * i64::from(days)))
            .map(seconds)
            .map_err(|error| Error::invalid("expiry", error.to_string()))
    }
}

/// A moment as TUF writes it: without fractions of a second.
fn seconds(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second())
        .unwrap_or(moment)
        .to_string()
}

/// What a key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Which keys are valid. Offline.
    Root,
    /// Which releases there are. Offline, or used only to publish.
    Targets,
    /// Which list of releases is the newest. Online.
    Snapshot,
    /// That this is still so. Online.
    Timestamp,
}

impl Role {
    /// All roles, from the most important one.
    pub const ALL: [Role; 4] = [Self::Root, Self::Targets, Self::Snapshot, Self::Timestamp];

    /// Its name in metadata and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Targets => "targets",
            Self::Snapshot => "snapshot",
            Self::Timestamp => "timestamp",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.name())
    }
}

impl std::str::FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| {
                Error::invalid(
                    format!("role {text:?}"),
                    "must be root, targets, snapshot or timestamp",
                )
            })
    }
}
