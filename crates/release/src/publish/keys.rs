//! `obnova release keys`: which keys a repository trusts and which of them are at hand; new ones.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::key::Key;
use super::keyring::Keyring;
use super::state::State;
use super::{Role, Vendor};
use crate::error::Error;

/// The keys of one role.
#[derive(Debug, Clone, Serialize)]
pub struct RoleStatus {
    /// The role.
    pub role: Role,
    /// How many of its keys must sign.
    pub threshold: usize,
    /// Its keys.
    pub keys: Vec<KeyStatus>,
    /// Whether enough of them are at hand.
    pub can_sign: bool,
}

/// One key.
#[derive(Debug, Clone, Serialize)]
pub struct KeyStatus {
    /// Its id in the metadata.
    pub id: String,
    /// Its file, if it is in one of the given directories.
    pub file: Option<PathBuf>,
}

/// A key that was made.
#[derive(Debug, Clone, Serialize)]
pub struct NewKey {
    /// Its id.
    pub id: String,
    /// Its file.
    pub file: PathBuf,
}

/// The keys that the repository's root trusts.
pub fn keys(vendor: &Vendor) -> Result<Vec<RoleStatus>, Error> {
    let ring = Keyring::open(&vendor.keys)?;
    let state = State::read(&vendor.repository.join("metadata"))?;
    Ok(Role::ALL
        .into_iter()
        .filter_map(|role| {
            let trusted = state.root().role(role.name())?;
            let keys: Vec<KeyStatus> = trusted
                .keyids
                .iter()
                .map(|id| KeyStatus {
                    id: id.clone(),
                    file: ring.get(id).map(|key| key.path.clone()),
                })
                .collect();
            let here = keys.iter().filter(|key| key.file.is_some()).count();
            Some(RoleStatus {
                role,
                threshold: trusted.threshold,
                can_sign: here >= trusted.threshold,
                keys,
            })
        })
        .collect())
}

/// Makes a key file; no repository trusts it before `rotate` says so.
pub fn new_key(role: Role, directory: &Path) -> Result<NewKey, Error> {
    let key = Key::generate(role, directory)?;
    Ok(NewKey {
        id: key.id,
        file: key.path,
    })
}
