//! `obnova release revoke`: a release is not offered any more.

use semver::Version;
use serde::Serialize;

use super::Vendor;
use super::keyring::Keyring;
use super::publish_release::listed;
use super::repository::{Change, Repository};
use crate::client::assemble::{description_path, desktops_path, tree_path};
use crate::error::Error;
use crate::installers::installers_path;

/// What was revoked.
#[derive(Debug, Clone, Serialize)]
pub struct Revoked {
    /// The version.
    pub version: Version,
    /// The versions that are still offered.
    pub remaining: Vec<Version>,
}

/// Takes a version from the signed list. Its files stay: a reader of the old list may be downloading them.
pub fn revoke(vendor: &Vendor, version: &Version) -> Result<Revoked, Error> {
    let ring = Keyring::open(&vendor.keys)?;
    let repository = Repository::open(&vendor.repository)?;
    let state = repository.state()?;
    let mut targets = state.targets.clone();
    let removed = targets["targets"].as_object_mut().and_then(|listed| {
        listed.remove(&tree_path(version));
        let (desktops, installers) = (desktops_path(version), installers_path(version));
        listed.retain(|path, _| !path.starts_with(&desktops) && !path.starts_with(&installers));
        listed.remove(&description_path(version))
    });
    if removed.is_none() {
        return Err(Error::invalid(
            format!("version {version}"),
            "is not in the repository",
        ));
    }
    let remaining = listed(&targets).into_keys().collect();
    repository.change(vendor, &ring, &state, Change::of_targets(targets))?;
    Ok(Revoked {
        version: version.clone(),
        remaining,
    })
}
