//! The records, and the copy of them that is kept for when the server is not there.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;

/// A record as the server sends it.
pub type Record = Map<String, Value>;

/// What was last loaded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// When all of it had come.
    pub at: Option<Timestamp>,
    /// Where the application was then: the server that says so may be away as well.
    pub application: Option<String>,
    /// The records of each kind.
    pub records: BTreeMap<String, Vec<Record>>,
}

impl Data {
    /// Reads the copy; there may be none, and a damaged one is none.
    pub fn read(directory: &Path) -> Self {
        let bytes = std::fs::read(file(directory)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Keeps a copy. Killed here, the one before stays.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn keep(&self, directory: &Path) -> Result<()> {
        std::fs::create_dir_all(directory)?;
        let beside = directory.join(format!("records-{}.new", std::process::id()));
        let mut file_beside = std::fs::File::create(&beside)?;
        let written = serde_json::to_vec(self)
            .map_err(anyhow::Error::from)
            .and_then(|bytes| Ok(file_beside.write_all(&bytes)?))
            .and_then(|()| Ok(file_beside.sync_all()?))
            .and_then(|()| Ok(std::fs::rename(&beside, file(directory))?));
        if written.is_err() {
            let _ = std::fs::remove_file(&beside);
        }
        written.context("the records cannot be kept")
    }

    /// The records of a kind in which all these words occur, whatever their case and accents.
    pub fn found(&self, plural: &str, words: &str) -> Vec<usize> {
        let words = folded(words);
        let words: Vec<&str> = words.split_whitespace().collect();
        let records = self.records.get(plural).map_or(&[][..], Vec::as_slice);
        let matches = |record: &Record| {
            if words.is_empty() {
                return true;
            }
            let texts = record.values().filter_map(Value::as_str);
            let all: String = texts.flat_map(|text| [folded(text), " ".into()]).collect();
            words.iter().all(|word| all.contains(word))
        };
        let numbered = records.iter().enumerate();
        numbered
            .filter(|(_, record)| matches(record))
            .map(|(number, _)| number)
            .collect()
    }
}

/// Where the copy is: what can be loaded again does not belong to the user's documents.
///
/// # Errors
/// The user has no home directory.
pub fn directory(product: &str) -> Result<PathBuf> {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Some(std::env::home_dir()?.join(".cache"));
    let caches = named.filter(|named| named.is_absolute()).or_else(home);
    Ok(caches.context("no home directory")?.join(product))
}

fn file(directory: &Path) -> PathBuf {
    directory.join("records.json")
}

fn folded(text: &str) -> String {
    text.nfd()
        .filter(char::is_ascii)
        .collect::<String>()
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn some() -> Data {
        let record = |name: &str| {
            json!({ "label": name, "id": 1 })
                .as_object()
                .unwrap()
                .clone()
        };
        Data {
            at: Some(Timestamp::from_second(1_800_000_000).unwrap()),
            application: None,
            records: BTreeMap::from([(
                "contacts".to_owned(),
                vec![record("Jiří Dvořák"), record("Anna Nováková")],
            )]),
        }
    }

    #[test]
    fn what_was_kept_is_read_again_and_a_damaged_copy_is_none() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(Data::read(home.path()), Data::default());
        some().keep(home.path()).unwrap();
        assert_eq!(Data::read(home.path()), some());
        std::fs::write(file(home.path()), "{\"at\":").unwrap();
        assert_eq!(Data::read(home.path()), Data::default());
    }

    #[test]
    fn people_are_found_without_accents_and_in_any_order() {
        let data = some();
        assert_eq!(data.found("contacts", "dvorak JIRI"), [0]);
        assert_eq!(data.found("contacts", ""), [0, 1]);
        assert!(data.found("contacts", "dvorak anna").is_empty());
        assert!(data.found("deals", "").is_empty());
    }
}
