//! Which Desktop belongs to a server, as the vendor has signed it. Whoever tells a Desktop that it should have another
//! version can only choose among what this allows.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use semver::{Version, VersionReq};

use crate::catalog::{Catalog, Facts, VerifiedRelease};
use crate::description::Desktop;
use crate::download::MissingMemo;
use crate::route::matches;

/// Why a server has no Desktop for a computer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoDesktop {
    /// The vendor has published no such version of the server, or has withdrawn it.
    #[error("version {server} of the server is not among the vendor's releases")]
    UnknownServer {
        /// What the server says it is.
        server: Version,
    },
    /// No published Desktop works with the server on this platform.
    #[error(
        "no Desktop for {platform} works with version {server} of the server (it needs {range})"
    )]
    NoneFits {
        /// The server's version.
        server: Version,
        /// This computer's platform.
        platform: String,
        /// What works with the server.
        range: VersionReq,
    },
    /// The Desktop that the server would need must not be used any more.
    #[error(
        "version {version} works with the server, but the vendor allows no Desktop below {minimum}"
    )]
    BelowMinimum {
        /// The newest that works with the server.
        version: Version,
        /// The lowest that the vendor allows.
        minimum: Version,
    },
}

impl Catalog {
    /// The lowest Desktop version that the vendor allows, whatever the server's version: the highest of what all listed
    /// releases say.
    pub fn desktop_minimum(&self) -> Option<&Version> {
        let desktops = self.releases.iter().filter_map(desktop_of);
        desktops
            .filter_map(|desktop| desktop.minimum.as_ref())
            .max()
    }

    /// The Desktop versions that work with a server of this version; `None` when its release says nothing of Desktops.
    pub fn desktop_range(&self, server: &Version) -> Option<&VersionReq> {
        Some(&desktop_of(self.release(server)?)?.range)
    }

    /// The platforms that any listed release has a Desktop for.
    pub fn desktop_platforms(&self) -> BTreeSet<String> {
        let desktops = self
            .releases
            .iter()
            .flat_map(|release| release.facts.desktops.keys());
        desktops.cloned().collect()
    }

    /// The Desktop that belongs to a server of this version: `wanted` if that is allowed, otherwise the newest one that works
    /// with it and is not newer than it. It may be older or newer than what a computer has.
    ///
    /// # Errors
    /// There is none that the vendor's signatures allow.
    pub fn desktop_for(
        &self,
        server: &Version,
        wanted: Option<&Version>,
        platform: &str,
    ) -> Result<VerifiedRelease, NoDesktop> {
        let unknown = || NoDesktop::UnknownServer {
            server: server.clone(),
        };
        let release = self.release(server).ok_or_else(unknown)?;
        let range = desktop_of(release).map_or(VersionReq::STAR, |desktop| desktop.range.clone());
        let channel = release.description().channel;
        let mut fitting: Vec<VerifiedRelease> = self
            .releases
            .iter()
            .filter(|other| {
                let description = other.description();
                description.version <= *server
                    && channel.includes(description.channel)
                    && matches(&range, &description.version)
            })
            .filter_map(|other| other.desktop(platform))
            .collect();
        let minimum = self.desktop_minimum();
        let version_of = |release: &VerifiedRelease| release.description().version.clone();
        let Some(newest) = fitting.last().map(version_of) else {
            return Err(NoDesktop::NoneFits {
                server: server.clone(),
                platform: platform.to_owned(),
                range,
            });
        };
        fitting.retain(|release| minimum.is_none_or(|minimum| version_of(release) >= *minimum));
        let chosen = fitting
            .iter()
            .find(|release| wanted == Some(&version_of(release)));
        match (chosen.or(fitting.last()), minimum) {
            (Some(chosen), _) => Ok(chosen.clone()),
            (None, Some(minimum)) => Err(NoDesktop::BelowMinimum {
                version: newest,
                minimum: minimum.clone(),
            }),
            (None, None) => Err(unknown()),
        }
    }
}

impl VerifiedRelease {
    /// The Desktop that this release brings along for a platform: the same description with other files. Downloading it makes
    /// the Desktop's directory.
    pub fn desktop(&self, platform: &str) -> Option<VerifiedRelease> {
        desktop_of(self)?.platforms.get(platform)?;
        let tree = self.facts.desktops.get(platform)?;
        Some(VerifiedRelease {
            facts: Arc::new(Facts {
                description: self.facts.description.clone(),
                description_target: self.facts.description_target.clone(),
                tree_target: tree.target.clone(),
                tree_bytes: tree.bytes,
                packed_bytes: tree.packed_bytes,
                proof: None,
                desktops: Default::default(),
                installers: vec![],
                store: self.facts.store.clone(),
                tree: OnceLock::new(),
                missing: MissingMemo::default(),
                expires: self.facts.expires,
            }),
            fresh: self.fresh,
        })
    }
}

fn desktop_of(release: &VerifiedRelease) -> Option<&Desktop> {
    release.description().desktop.as_ref()
}
