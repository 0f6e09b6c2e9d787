//! `obnova release keys rotate`: a role gets new keys, and the old ones are worth nothing any more.

use std::path::PathBuf;

use serde::Serialize;

use super::init::{check_threshold, give_role};
use super::key::Key;
use super::keyring::Keyring;
use super::repository::{Change, Repository};
use super::{Role, Vendor};
use crate::error::Error;

/// Which role gets how many keys.
#[derive(Debug, Clone)]
pub struct RotateOptions {
    /// The role.
    pub role: Role,
    /// The directory for the new key files.
    pub new_keys: PathBuf,
    /// How many of the new keys must sign, of how many; as before when not given.
    pub quorum: Option<(usize, usize)>,
    /// Existing key files (from `keys new`) to trust instead of making some.
    pub existing: Vec<PathBuf>,
}

/// What was changed.
#[derive(Debug, Clone, Serialize)]
pub struct Rotated {
    /// The role.
    pub role: Role,
    /// The new root's version.
    pub root_version: u64,
    /// How many of the new keys must sign.
    pub threshold: usize,
    /// The new key files.
    pub keys: Vec<PathBuf>,
    /// The ids of the keys that are not trusted any more.
    pub retired: Vec<String>,
}

/// Replaces all keys of a role. Needs the keys of root, and those of targets when their role is the one that changes.
///
/// As long as the old keys of the role are at hand too, clients follow without a gap: the metadata is signed with both.
pub fn rotate(vendor: &Vendor, options: &RotateOptions) -> Result<Rotated, Error> {
    let mut ring = Keyring::open(&vendor.keys)?;
    let repository = Repository::open(&vendor.repository)?;
    let state = repository.state()?;
    let role = options.role;
    ring.demand(Role::Root, state.root())?;
    let old = state
        .root()
        .role(role.name())
        .ok_or_else(|| Error::invalid(role.name(), "is not a role of this repository"))?;
    let (threshold, count) = match (options.quorum, options.existing.len()) {
        (Some(quorum), _) => quorum,
        (None, 0) => (old.threshold, old.keyids.len()),
        (None, count) => (old.threshold.min(count), count),
    };
    check_threshold(role, count, threshold)?;
    let keys = new_keys(options, count)?;
    let mut root = state.root.clone();
    give_role(&mut root, role, &keys, threshold);
    let files = keys.iter().map(|key| key.path.clone()).collect();
    let retired = old.keyids.clone();
    keys.into_iter().for_each(|key| ring.add(key));
    let change = Change {
        root: Some(root),
        // The list must carry the new keys' signatures; otherwise what is there stays valid.
        targets: (role == Role::Targets).then(|| state.targets.clone()),
    };
    let root_version = state.root().version + 1;
    repository.change(vendor, &ring, &state, change)?;
    Ok(Rotated {
        role,
        root_version,
        threshold,
        keys: files,
        retired,
    })
}

fn new_keys(options: &RotateOptions, count: usize) -> Result<Vec<Key>, Error> {
    let mut keys = options
        .existing
        .iter()
        .map(|path| Key::read(path))
        .collect::<Result<Vec<Key>, Error>>()?;
    if keys.len() > count {
        return Err(Error::invalid(
            format!("keys of {}", options.role),
            format!("{} are named, and the role is to have {count}", keys.len()),
        ));
    }
    while keys.len() < count {
        keys.push(Key::generate(options.role, &options.new_keys)?);
    }
    Ok(keys)
}
