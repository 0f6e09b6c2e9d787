//! `obnova release init`: keys and an empty, signed repository.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use super::key::Key;
use super::keyring::Keyring;
use super::repository::{Change, Repository, SPECIFICATION};
use super::state::newest_number;
use super::{Role, Vendor};
use crate::error::Error;

/// How many keys each role gets, and where they go.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// The directory for the keys of snapshot and timestamp, which the machine that re-signs every few days needs.
    pub online_keys: PathBuf,
    /// The directory for the keys of root and targets; better a stick than a disk.
    pub offline_keys: PathBuf,
    /// How many root keys must sign, of how many.
    pub root: (usize, usize),
    /// How many targets keys must sign, of how many.
    pub targets: (usize, usize),
}

/// What was made.
#[derive(Debug, Clone, Serialize)]
pub struct Initialised {
    /// The repository's directory.
    pub repository: PathBuf,
    /// The file that every installation has to be given: the beginning of its trust.
    pub root: PathBuf,
    /// The key files, by role.
    pub keys: BTreeMap<String, Vec<PathBuf>>,
}

/// Makes keys and a repository without releases. One that is there already is not touched.
pub fn init(vendor: &Vendor, options: &InitOptions) -> Result<Initialised, Error> {
    for (role, (threshold, keys)) in [(Role::Root, options.root), (Role::Targets, options.targets)]
    {
        check_threshold(role, keys, threshold)?;
    }
    let metadata = vendor.repository.join("metadata");
    if newest_number(&metadata, "root.json")?.is_some() {
        return Err(Error::invalid(
            vendor.repository.display().to_string(),
            "is a release repository already",
        ));
    }
    let repository = Repository::open(&vendor.repository)?;
    let mut ring = Keyring::default();
    let mut root = json!({
        "_type": "root",
        "spec_version": SPECIFICATION,
        "consistent_snapshot": true,
        "keys": {},
        "roles": {},
    });
    let mut files = BTreeMap::new();
    for role in Role::ALL {
        let (directory, (threshold, count)) = match role {
            Role::Root => (&options.offline_keys, options.root),
            Role::Targets => (&options.offline_keys, options.targets),
            Role::Snapshot | Role::Timestamp => (&options.online_keys, (1, 1)),
        };
        let keys = (0..count)
            .map(|_| Key::generate(role, directory))
            .collect::<Result<Vec<Key>, Error>>()?;
        give_role(&mut root, role, &keys, threshold);
        files.insert(
            role.name().to_owned(),
            keys.iter().map(|key| key.path.clone()).collect(),
        );
        keys.into_iter().for_each(|key| ring.add(key));
    }
    repository.begin(vendor, &ring, root)?;
    Ok(Initialised {
        repository: vendor.repository.clone(),
        root: metadata.join("1.root.json"),
        keys: files,
    })
}

pub(super) fn check_threshold(role: Role, keys: usize, threshold: usize) -> Result<(), Error> {
    if threshold == 0 || threshold > keys || keys > 32 {
        return Err(Error::invalid(
            format!("keys of {role}"),
            format!("{threshold} of {keys} cannot be; use 1 to {keys} of at most 32 keys"),
        ));
    }
    Ok(())
}

/// Lets a root give a role to these keys and no others, and forget keys that no role uses any more.
pub(super) fn give_role(root: &mut Value, role: Role, keys: &[Key], threshold: usize) {
    let ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
    root["roles"][role.name()] = json!({ "keyids": ids, "threshold": threshold });
    for key in keys {
        root["keys"][&key.id] = key.public();
    }
    let used: Vec<String> = root["roles"]
        .as_object()
        .into_iter()
        .flat_map(|roles| roles.values())
        .filter_map(|role| role["keyids"].as_array())
        .flatten()
        .filter_map(|id| id.as_str().map(str::to_owned))
        .collect();
    if let Some(listed) = root["keys"].as_object_mut() {
        listed.retain(|id, _| used.contains(id));
    }
}

impl Change {
    pub(super) fn of_targets(targets: Value) -> Self {
        Self {
            root: None,
            targets: Some(targets),
        }
    }
}
