//! A version on this machine: its directory of files and, beside it, what was signed about it.

use std::path::{Path, PathBuf};

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::description::Description;
use crate::durable;
use crate::error::Error;
use crate::tree::{self, Tree};

/// The longest `<version>.json`, bytes.
const MAX_LENGTH: u64 = 600 << 20;

/// What was signed about a version whose files are in `<versions>/<version>/`; kept in `<versions>/<version>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstalledRelease {
    /// The vendor's facts.
    pub description: Description,
    /// Its files.
    pub tree: Tree,
}

impl InstalledRelease {
    /// The directory of a version's files.
    pub fn directory(versions: &Path, version: &Version) -> PathBuf {
        versions.join(version.to_string())
    }

    pub(crate) fn record(versions: &Path, version: &Version) -> PathBuf {
        versions.join(format!("{version}.json"))
    }

    /// Reads what was signed about a version. Says nothing about the files; see [`InstalledRelease::verify`].
    pub fn load(versions: &Path, version: &Version) -> Result<Self, Error> {
        let path = Self::record(versions, version);
        let name = path.display().to_string();
        let bytes = durable::read_limited(&path, MAX_LENGTH).map_err(Error::local(format!(
            "the record of version {version} cannot be read"
        )))?;
        let release: Self = serde_json::from_slice(&bytes)
            .map_err(|error| Error::damaged(&name, error.to_string()))?;
        if release.description.version != *version {
            return Err(Error::damaged(
                name,
                format!("is about version {}", release.description.version),
            ));
        }
        Ok(release)
    }

    pub(crate) fn save(&self, versions: &Path) -> Result<(), Error> {
        let path = Self::record(versions, &self.description.version);
        let bytes = serde_json::to_vec(self)
            .map_err(|error| Error::invalid(path.display().to_string(), error.to_string()))?;
        durable::write(&path, &bytes, 0o644)
            .map_err(Error::local("the version's record cannot be written"))
    }

    /// Checks that the version's directory holds every file with its content and mode, and nothing else.
    pub fn verify(&self, versions: &Path) -> Result<(), Error> {
        tree::compare(
            &Self::directory(versions, &self.description.version),
            &self.tree,
        )
    }
}
