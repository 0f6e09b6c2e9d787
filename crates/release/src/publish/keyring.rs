//! The keys at hand, and signing with those of them that a root allows.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use sigstore_tuf::{Root, canonical_json};

use super::Role;
use super::key::Key;
use crate::error::Error;

/// The keys found in the given directories, by id.
#[derive(Debug, Default)]
pub(super) struct Keyring {
    keys: BTreeMap<String, Key>,
}

impl Keyring {
    /// Reads all `.pem`, `.der` and `.p8` files of the directories.
    pub(super) fn open(directories: &[PathBuf]) -> Result<Self, Error> {
        let mut ring = Self::default();
        for directory in directories {
            let failed =
                || Error::local(format!("keys cannot be read from {}", directory.display()));
            for entry in std::fs::read_dir(directory).map_err(failed())? {
                let path = entry.map_err(failed())?.path();
                let is_key = path
                    .extension()
                    .is_some_and(|kind| kind == "pem" || kind == "der" || kind == "p8");
                if is_key {
                    ring.add(Key::read(&path)?);
                }
            }
        }
        Ok(ring)
    }

    pub(super) fn add(&mut self, key: Key) {
        self.keys.insert(key.id.clone(), key);
    }

    pub(super) fn get(&self, id: &str) -> Option<&Key> {
        self.keys.get(id)
    }

    /// Signs with every key at hand that one of the roots allows for the role, and demands that the first root's threshold
    /// is met. The other roots are those before it, whose clients are to accept the file as well if possible.
    pub(super) fn sign(
        &self,
        role: Role,
        signed: &Value,
        roots: &[&Root],
    ) -> Result<Vec<u8>, Error> {
        let invalid = |reason: String| Error::invalid(format!("signing {role}"), reason);
        let mut ids: Vec<&String> = roots
            .iter()
            .filter_map(|root| root.role(role.name()))
            .flat_map(|keys| &keys.keyids)
            .collect();
        ids.sort();
        ids.dedup();
        if let Some(root) = roots.first() {
            self.demand(role, root)?;
        }
        let canonical = canonical_json::to_canonical_bytes(signed)
            .map_err(|error| invalid(error.to_string()))?;
        let signatures: Vec<Value> = ids
            .into_iter()
            .filter_map(|id| self.keys.get(id))
            .map(|key| key.sign(&canonical))
            .collect();
        let mut bytes = serde_json::to_vec_pretty(&json!({
            "signatures": signatures,
            "signed": signed,
        }))
        .map_err(|error| invalid(error.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Fails if fewer keys are at hand than the root demands for the role.
    pub(super) fn demand(&self, role: Role, root: &Root) -> Result<(), Error> {
        let invalid = |reason: String| Error::invalid(format!("signing {role}"), reason);
        let keys = root
            .role(role.name())
            .ok_or_else(|| invalid("the root has no such role".into()))?;
        let missing: Vec<&str> = keys
            .keyids
            .iter()
            .filter(|id| !self.keys.contains_key(*id))
            .map(|id| &id[..id.len().min(12)])
            .collect();
        let found = keys.keyids.len() - missing.len();
        if found < keys.threshold {
            return Err(invalid(format!(
                "needs {} of {} keys, and {found} are here; name the directories of more of them with --keys (missing: {})",
                keys.threshold,
                keys.keyids.len(),
                missing.join(", "),
            )));
        }
        Ok(())
    }
}
