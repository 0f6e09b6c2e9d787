//! The releases of a repository, as its signatures vouch for them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use semver::{Version, VersionReq};

use crate::description::{Channel, Description};
use crate::digest::Digest;
use crate::download::{self, Destination};
use crate::error::Error;
use crate::installers::Listed;
use crate::proof::Proof;
use crate::route::{self, Stage};
use crate::store::Store;
use crate::tree::Tree;

/// All releases that were not revoked, as of one look at the repository.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// Ascending by version.
    pub(crate) releases: Vec<VerifiedRelease>,
    /// Ascending by version.
    pub(crate) unreadable: Vec<Unreadable>,
    pub(crate) expires: Timestamp,
}

/// A release that is listed and signed, and whose description says nothing to this program: it was made for a newer one, most likely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Which.
    pub version: Version,
    /// Who is to see it.
    pub channel: Channel,
    /// What is wrong with it, in technical English.
    pub why: String,
}

/// A release whose description and file list carry the vendor's signatures. Only this crate can make one.
#[derive(Debug, Clone)]
pub struct VerifiedRelease {
    pub(crate) facts: Arc<Facts>,
    /// The signed metadata had not expired when this was made.
    pub(crate) fresh: bool,
}

#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) description: Description,
    pub(crate) description_target: Target,
    pub(crate) tree_target: Target,
    /// From the signed metadata: known before the tree itself is.
    pub(crate) tree_bytes: u64,
    pub(crate) packed_bytes: u64,
    pub(crate) proof: Option<Proof>,
    pub(crate) desktops: BTreeMap<String, DesktopTree>,
    pub(crate) installers: Vec<Listed>,
    pub(crate) store: Store,
    pub(crate) tree: OnceLock<Tree>,
    pub(crate) missing: download::MissingMemo,
    pub(crate) expires: Timestamp,
}

/// The files of a release's Desktop for one platform.
#[derive(Debug, Clone)]
pub(crate) struct DesktopTree {
    pub(crate) target: Target,
    pub(crate) bytes: u64,
    pub(crate) packed_bytes: u64,
}

/// A signed file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) path: String,
    pub(crate) length: u64,
    pub(crate) sha256: Digest,
}

/// The versions to install, one after the other.
#[derive(Debug, Clone)]
pub struct Route {
    /// Never empty; the last one is where it leads.
    pub hops: Vec<VerifiedRelease>,
}

impl Route {
    /// The version that it leads to.
    pub fn target(&self) -> Option<&VerifiedRelease> {
        self.hops.last()
    }
}

/// There are newer versions, and none can be installed over the installed one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("version {newest} can be installed over {range} only, and {installed} is installed")]
pub struct NoRoute {
    /// The newest version of the channel.
    pub newest: Version,
    /// What it can be installed over.
    pub range: VersionReq,
    /// What is installed.
    pub installed: Version,
}

impl Catalog {
    /// The releases, ascending by version.
    pub fn releases(&self) -> &[VerifiedRelease] {
        &self.releases
    }

    /// One release by its version.
    pub fn release(&self, version: &Version) -> Option<&VerifiedRelease> {
        self.releases
            .iter()
            .find(|release| release.description().version == *version)
    }

    /// The releases above this version that are meant for this channel and cannot be read. Since nobody knows whether they may be
    /// skipped, none above the first of them is on any way.
    pub fn unreadable(&self, installed: &Version, channel: Channel) -> Vec<&Unreadable> {
        let is_ahead = |release: &&Unreadable| {
            release.version > *installed && channel.includes(release.channel)
        };
        self.unreadable.iter().filter(is_ahead).collect()
    }

    /// When the first of the signed metadata files ends to be valid.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The way to the newest version that can be reached; `None` when none is newer than the installed one.
    pub fn route(&self, installed: &Version, channel: Channel) -> Result<Option<Route>, NoRoute> {
        self.route_within(installed, self.within_reach(installed, channel).collect())
    }

    /// The way to this version, or to the newest one before it that can be reached, as [`Catalog::route`].
    pub fn route_to(
        &self,
        installed: &Version,
        channel: Channel,
        to: &Version,
    ) -> Result<Option<Route>, NoRoute> {
        let offered = self.within_reach(installed, channel);
        let offered = offered.filter(|release| release.description().version <= *to);
        self.route_within(installed, offered.collect())
    }

    /// `offered`: ascending by version.
    fn route_within(
        &self,
        installed: &Version,
        offered: Vec<&VerifiedRelease>,
    ) -> Result<Option<Route>, NoRoute> {
        let stages: Vec<Stage<'_>> = offered
            .iter()
            .map(|release| Stage {
                version: &release.description().version,
                from: &release.description().from,
                required_stop: release.description().required_stop,
            })
            .collect();
        let hops: Vec<VerifiedRelease> = route::shortest(installed, &stages)
            .into_iter()
            .map(|index| offered[index].clone())
            .collect();
        if !hops.is_empty() {
            return Ok(Some(Route { hops }));
        }
        match offered.last().map(|newest| newest.description()) {
            Some(newest) if newest.version > *installed => Err(NoRoute {
                newest: newest.version.clone(),
                range: newest.from.clone(),
                installed: installed.clone(),
            }),
            _ => Ok(None),
        }
    }

    /// The releases after `installed` up to and with `to`, newest first: what is new in all of them is new.
    pub fn notes_between(
        &self,
        installed: &Version,
        to: &Version,
        channel: Channel,
    ) -> Vec<&VerifiedRelease> {
        let mut between: Vec<&VerifiedRelease> = self
            .offered(channel)
            .filter(|release| {
                let version = &release.description().version;
                version > installed && version <= to
            })
            .collect();
        between.reverse();
        between
    }

    /// Lets nothing of it be installed any more; it may still be shown.
    pub(crate) fn expire(&mut self) {
        for release in &mut self.releases {
            release.fresh = false;
        }
    }

    /// Those below the first one ahead that cannot be read.
    fn within_reach<'a>(
        &'a self,
        installed: &Version,
        channel: Channel,
    ) -> impl Iterator<Item = &'a VerifiedRelease> {
        let wall = self.unreadable(installed, channel);
        let wall = wall.first().map(|release| release.version.clone());
        self.offered(channel).filter(move |release| {
            let version = &release.description().version;
            wall.as_ref().is_none_or(|wall| version < wall)
        })
    }

    fn offered(&self, channel: Channel) -> impl Iterator<Item = &VerifiedRelease> {
        self.releases
            .iter()
            .filter(move |release| channel.includes(release.description().channel))
    }
}

impl VerifiedRelease {
    /// The vendor's facts.
    pub fn description(&self) -> &Description {
        &self.facts.description
    }

    /// Bytes still to download, at most: exact when the file list is here already, which it is for the newest
    /// releases after a refresh.
    pub fn download_bytes(&self, to: &Destination) -> u64 {
        match self.local_tree() {
            Some(tree) => self.facts.missing.bytes(tree, to),
            None => self.facts.packed_bytes,
        }
    }

    /// Bytes of all its files on the disk.
    pub fn tree_bytes(&self) -> u64 {
        self.facts.tree_bytes
    }

    /// What the vendor has proven of the way to it and back; `None` when nothing.
    pub fn proof(&self) -> Option<&Proof> {
        // Signed with the description, but made before: a proof of other content is none.
        let proof = self.facts.proof.as_ref()?;
        let tried = (proof.description, proof.files);
        let is_this = tried
            == (
                self.facts.description_target.sha256,
                self.facts.tree_target.sha256,
            );
        is_this.then_some(proof)
    }

    /// Whether the signed metadata was still valid when this was made; [`crate::Client::download`] refuses otherwise.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// The file list, if it is in the local store.
    pub(crate) fn local_tree(&self) -> Option<&Tree> {
        if let Some(tree) = self.facts.tree.get() {
            return Some(tree);
        }
        let packed = self.facts.store.blob(&self.facts.tree_target).ok()??;
        self.keep_tree(&packed).ok()
    }

    /// Reads the file list from bytes that have the signed digest.
    pub(crate) fn keep_tree(&self, packed: &[u8]) -> Result<&Tree, Error> {
        let tree = Tree::from_packed(packed, &self.facts.tree_target.path)?;
        if tree.bytes() != self.facts.tree_bytes || tree.packed_bytes() != self.facts.packed_bytes {
            return Err(Error::invalid(
                &self.facts.tree_target.path,
                "is not as long as the signed metadata says",
            ));
        }
        Ok(self.facts.tree.get_or_init(|| tree))
    }
}
