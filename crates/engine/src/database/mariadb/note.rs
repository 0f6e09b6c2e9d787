//! What lies in a protected directory about how the database is protected: written before anything is done.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::dump::Sequence;
use super::failure::Failure;
use super::process::Starting;
use crate::durable;
use crate::installation::Rung;

const NOTE: &str = "mariadb.json";
/// Written last: what is protected is complete.
const COMPLETE: &str = "complete";

/// See the module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Note {
    /// How it is protected.
    pub(super) rung: Rung,
    /// Makes an empty database like it: for the dump.
    pub(super) creation: String,
    /// Where its sequences are: for the dump.
    pub(super) sequences: Vec<Sequence>,
    /// Where clones lie: for the file system's way.
    pub(super) clones: Option<Clones>,
}

/// Beside the data directory, on the same file system: whatever has these names is ours.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Clones {
    /// The data directory.
    pub(super) data: PathBuf,
    /// The protected copy of it.
    pub(super) copy: PathBuf,
    /// What takes its place, and then what was in its place.
    pub(super) exchange: PathBuf,
    /// How the server is started.
    pub(super) starting: Starting,
}

impl Note {
    /// The note in this directory, if there is one.
    pub(super) fn read(directory: &Path) -> Result<Option<Note>, Failure> {
        get(directory, NOTE)
    }

    /// Puts it into this directory, durably.
    pub(super) fn write(&self, directory: &Path) -> Result<(), Failure> {
        put(directory, NOTE, self)
    }
}

/// What lies in this directory under this name, if anything does.
pub(super) fn get<T: DeserializeOwned>(directory: &Path, name: &str) -> Result<Option<T>, Failure> {
    let path = directory.join(name);
    let wrong = |error| Failure::disk(&path, error);
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| wrong(error.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(error)),
    }
}

/// Puts something into this directory under this name, durably.
pub(super) fn put(directory: &Path, name: &str, what: &impl Serialize) -> Result<(), Failure> {
    let path = directory.join(name);
    let bytes = serde_json::to_vec(what).map_err(|error| Failure::disk(&path, error.into()))?;
    durable::write(&path, &bytes, 0o600).map_err(|error| Failure::disk(&path, error))
}

/// Says that what is protected in this directory is complete.
pub(super) fn set_complete(directory: &Path) -> Result<(), Failure> {
    let path = directory.join(COMPLETE);
    durable::write(&path, b"", 0o600).map_err(|error| Failure::disk(&path, error))
}

/// Takes that back, before what is protected goes: nobody may take what is left for complete.
pub(super) fn unset_complete(directory: &Path) -> Result<(), Failure> {
    let path = directory.join(COMPLETE);
    durable::remove_file(&path).map_err(|error| Failure::disk(&path, error))
}

/// Whether that was said.
pub(super) fn is_complete(directory: &Path) -> bool {
    directory.join(COMPLETE).exists()
}
