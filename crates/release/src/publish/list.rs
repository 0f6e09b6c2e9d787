//! `obnova release list`: the releases of a repository, and how long its signatures are valid.

use jiff::Timestamp;
use semver::Version;
use serde::Serialize;

use super::publish_release::listed;
use super::repository::expiry;
use super::state::State;
use super::{Role, Vendor};
use crate::description::Channel;
use crate::error::Error;

/// A repository's releases and signatures.
#[derive(Debug, Clone, Serialize)]
pub struct Listing {
    /// The releases, ascending.
    pub releases: Vec<Listed>,
    /// Until when each role's metadata is valid.
    pub expiries: Vec<RoleExpiry>,
}

/// One release.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// The product.
    pub product: String,
    /// The version.
    pub version: Version,
    /// Who is offered it.
    pub channel: Channel,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes that somebody with nothing has to download.
    pub packed_bytes: u64,
}

/// Until when a role's metadata is valid.
#[derive(Debug, Clone, Serialize)]
pub struct RoleExpiry {
    /// The role.
    pub role: Role,
    /// The moment.
    pub expires: Timestamp,
    /// Whole days from now; negative when it has expired.
    pub days_left: i64,
}

/// Reads and verifies a repository. Needs no keys.
pub fn list(vendor: &Vendor) -> Result<Listing, Error> {
    let state = State::read(&vendor.repository.join("metadata"))?;
    Ok(Listing {
        releases: listed(&state.targets)
            .into_values()
            .map(|custom| Listed {
                product: custom.product,
                version: custom.version,
                channel: custom.channel,
                bytes: custom.bytes,
                packed_bytes: custom.packed_bytes,
            })
            .collect(),
        expiries: Role::ALL
            .into_iter()
            .filter_map(|role| {
                let expires = expiry(&state.trusted, role)?;
                Some(RoleExpiry {
                    role,
                    expires,
                    days_left: (expires.as_second() - vendor.now.as_second()).div_euclid(86_400),
                })
            })
            .collect(),
    })
}
