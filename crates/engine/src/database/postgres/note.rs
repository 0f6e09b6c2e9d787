//! What lies in a protected directory about databases at the server: written before each of them is made.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::dump::Creation;
use super::failure::Failure;
use super::properties::Properties;
use super::server::{Oid, Server};
use crate::durable;
use crate::installation::Rung;

const NOTE: &str = "postgres.json";
/// Written last: what is protected is complete.
const COMPLETE: &str = "complete";
/// The longest name that PostgreSQL has room for, in bytes; it cuts off the rest without a word.
const LONGEST_NAME: usize = 63;

/// See the module.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Note {
    /// How it is protected.
    pub(super) rung: Rung,
    /// The copy's name: one of ours, whatever has it.
    pub(super) copy: String,
    /// The name of the migrated database after it was replaced by the copy.
    pub(super) replaced: String,
    /// The copy, once it is all that it should be. With this in the place of the database, all is as before.
    pub(super) oid: Option<Oid>,
    /// Whether the dump is loaded into the database itself, as the role may create no other.
    #[serde(default)]
    pub(super) in_place: bool,
    /// What the database had beside its contents.
    pub(super) properties: Properties,
    /// How to make an empty one like it.
    pub(super) creation: Creation,
}

impl Note {
    /// The note in this directory, if there is one.
    pub(super) fn read(directory: &Path) -> Result<Option<Note>, Failure> {
        read(directory, NOTE)
    }

    /// Puts it into this directory, durably.
    pub(super) fn write(&self, directory: &Path) -> Result<(), Failure> {
        put(directory, NOTE, self)
    }
}

/// What stands in the file of this name, if there is one.
pub(super) fn read<T: DeserializeOwned>(
    directory: &Path,
    name: &str,
) -> Result<Option<T>, Failure> {
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

/// Puts something into the file of this name, durably.
pub(super) fn put(directory: &Path, name: &str, note: &impl Serialize) -> Result<(), Failure> {
    let path = directory.join(name);
    let bytes = serde_json::to_vec(note).map_err(|error| Failure::disk(&path, error.into()))?;
    durable::write(&path, &bytes, 0o600).map_err(|error| Failure::disk(&path, error))
}

/// Says that what is protected in this directory is complete.
pub(super) fn set_complete(directory: &Path) -> Result<(), Failure> {
    let path = complete(directory);
    durable::write(&path, b"", 0o600).map_err(|error| Failure::disk(&path, error))
}

/// Takes that back, before what is protected goes: nobody may take what is left for complete.
pub(super) fn unset_complete(directory: &Path) -> Result<(), Failure> {
    let path = complete(directory);
    durable::remove_file(&path).map_err(|error| Failure::disk(&path, error))
}

/// Whether that was said.
pub(super) fn is_complete(directory: &Path) -> bool {
    complete(directory).exists()
}

fn complete(directory: &Path) -> PathBuf {
    directory.join(COMPLETE)
}

/// Two names that no database has: for the copy made by the update whose directory this is, and for what it replaces.
pub(super) fn free_names(
    server: &mut Server,
    database: &str,
    directory: &Path,
) -> Result<(String, String), Failure> {
    let update = directory.parent().and_then(Path::file_name);
    let update = update.map_or_else(Default::default, |name| name.to_string_lossy());
    for number in 1..100 {
        let again = match number {
            1 => String::new(),
            number => format!("_{number}"),
        };
        let copy = name(database, &format!("__obnova_{update}{again}"));
        let replaced = name(database, &format!("__obnova_{update}{again}_old"));
        if server.oid(&copy)?.is_none() && server.oid(&replaced)?.is_none() {
            return Ok((copy, replaced));
        }
    }
    Err(Failure::Unsuitable(format!(
        "too many databases are called {database}__obnova_{update}"
    )))
}

fn name(database: &str, end: &str) -> String {
    let room = LONGEST_NAME.saturating_sub(end.len());
    format!("{}{end}", &database[..database.floor_char_boundary(room)])
}

/// See `outside.rs`.
#[cfg(any(test, fuzzing))]
pub(in crate::database) fn readers() -> Vec<crate::outside::Reader> {
    use crate::outside::again;
    vec![
        again::<Note>,
        again::<super::place::Place>,
        again::<super::fence::Fence>,
        again::<super::cluster::Launch>,
        again::<super::contents::Counters>,
        again::<super::snapshot::Snapshot>,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let long = name(&"ř".repeat(31), "__obnova_12");
        assert!(long.len() <= LONGEST_NAME, "{long}");
        assert!(long.ends_with("ř__obnova_12"));
        assert_eq!(name("crm", "__obnova_1"), "crm__obnova_1");
    }
}
