//! For `obnova release prove`: a repository in which a release is published that the vendor has not published yet.

use std::path::{Path, PathBuf};

use super::Vendor;
use super::init::{InitOptions, init};
use super::keyring::Keyring;
use super::publish_release::publish;
use super::repository::{Change, Repository};
use super::state::State;
use crate::durable;
use crate::error::Error;

/// Makes the repository `to`: what the one at `from` holds, and a built release, signed with keys that exist only here. Needs
/// none of the vendor's keys, and nobody else ever trusts it. Gives back its root of trust.
///
/// # Errors
/// A repository cannot be read or written, or the release cannot be published.
pub fn trial_repository(from: &Path, built: &Path, to: &Path) -> Result<PathBuf, Error> {
    let published = State::read(&from.join("metadata"))?;
    let failed = || Error::local("the repository for the trials cannot be made");
    for part in ["content", "targets"] {
        share(&from.join(part), &to.join(part)).map_err(failed())?;
    }
    let keys = to.join("keys");
    let options = InitOptions {
        online_keys: keys.clone(),
        offline_keys: keys.clone(),
        root: (1, 1),
        targets: (1, 1),
    };
    let vendor = Vendor::new(to, vec![keys]);
    let made = init(&vendor, &options)?;
    {
        let ring = Keyring::open(&vendor.keys)?;
        let repository = Repository::open(&vendor.repository)?;
        let state = repository.state()?;
        let mut targets = state.targets.clone();
        targets["targets"] = published.targets["targets"].clone();
        repository.change(&vendor, &ring, &state, Change::of_targets(targets))?;
    }
    publish(&vendor, built)?;
    Ok(made.root)
}

/// The files of a directory again, sharing their blocks or inodes where that is possible: nobody writes to them.
fn share(from: &Path, to: &Path) -> std::io::Result<()> {
    durable::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            share(&entry.path(), &place)?;
        } else if !place.exists() {
            durable::link_or_copy_unsynced(&entry.path(), &place)?;
        }
    }
    Ok(())
}
