//! `obnova release resign`: renews what expires soon. Run every few days by a machine that has the online keys only.

use jiff::Timestamp;
use serde::Serialize;

use super::keyring::Keyring;
use super::repository::{Change, Repository, expiry};
use super::{Role, Vendor};
use crate::error::Error;

/// What was renewed.
#[derive(Debug, Clone, Serialize)]
pub struct Resigned {
    /// The roles, and until when they are valid now.
    pub renewed: Vec<(Role, Timestamp)>,
}

/// Renews snapshot and timestamp, and of root and targets those named in `also`, whose keys must then be at hand.
pub fn resign(vendor: &Vendor, also: &[Role]) -> Result<Resigned, Error> {
    let ring = Keyring::open(&vendor.keys)?;
    let repository = Repository::open(&vendor.repository)?;
    let state = repository.state()?;
    let change = Change {
        root: also.contains(&Role::Root).then(|| state.root.clone()),
        targets: also.contains(&Role::Targets).then(|| state.targets.clone()),
    };
    repository.change(vendor, &ring, &state, change)?;
    let renewed = repository.state()?;
    Ok(Resigned {
        renewed: Role::ALL
            .into_iter()
            .filter(|role| also.contains(role) || matches!(role, Role::Snapshot | Role::Timestamp))
            .filter_map(|role| Some((role, expiry(&renewed.trusted, role)?)))
            .collect(),
    })
}
