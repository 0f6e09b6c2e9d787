//! From verified metadata to a catalogue: which releases are listed, and what their descriptions say.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};
use sigstore_tuf::{TargetFile, TrustedMetadataSet};

use crate::catalog::{Catalog, DesktopTree, Facts, Target, Unreadable, VerifiedRelease};
use crate::description::{self, Channel, Description};
use crate::download::MissingMemo;
use crate::error::Error;
use crate::installers::{self, Listed, installers_path};
use crate::proof::Proof;
use crate::store::Store;
use crate::transport::Transport;
use crate::tree;

/// The part of a release's signed metadata that is Obnova's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Custom {
    pub(crate) product: String,
    pub(crate) version: Version,
    pub(crate) channel: Channel,
    /// Bytes of all files.
    pub(crate) bytes: u64,
    /// Bytes of all different compressed files.
    pub(crate) packed_bytes: u64,
    /// Of its updates, with its description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proof: Option<Proof>,
}

/// A listed release whose description is still to be read.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    custom: Custom,
    description: Target,
    tree: Target,
    desktops: BTreeMap<String, DesktopTree>,
    installers: Vec<Listed>,
}

pub(crate) fn description_path(version: &Version) -> String {
    format!("releases/{version}/release.json")
}

pub(crate) fn tree_path(version: &Version) -> String {
    format!("releases/{version}/tree.json.zst")
}

/// Where the files of all Desktops of a release are.
pub(crate) fn desktops_path(version: &Version) -> String {
    format!("releases/{version}/desktop/")
}

pub(crate) fn desktop_tree_path(version: &Version, platform: &str) -> String {
    format!("{}{platform}/tree.json.zst", desktops_path(version))
}

/// The product's releases in the signed list.
pub(crate) fn expected(
    trusted: &TrustedMetadataSet,
    product: &str,
) -> Result<Vec<Expected>, Error> {
    let empty = BTreeMap::new();
    let targets = trusted
        .targets_role("targets")
        .map_or(&empty, |role| &role.targets);
    let mut found = Vec::new();
    let mut others = Vec::new();
    for (path, file) in targets {
        if !path.starts_with("releases/") || !path.ends_with("/release.json") {
            continue;
        }
        let custom: Custom = serde_json::from_value(file.custom.clone().unwrap_or_default())
            .map_err(|error| Error::invalid(path, format!("custom: {error}")))?;
        if *path != description_path(&custom.version) {
            return Err(Error::invalid(path, "is listed as another version"));
        }
        if custom.product != product {
            others.push(custom.product);
            continue;
        }
        let tree = tree_path(&custom.version);
        let tree_file = targets
            .get(&tree)
            .ok_or_else(|| Error::invalid(path, "is listed without its files"))?;
        found.push(Expected {
            desktops: desktops(targets, &custom.version)?,
            installers: installers(targets, &custom.version)?,
            description: target(path, file, description::MAX_LENGTH)?,
            tree: target(&tree, tree_file, tree::MAX_PACKED_MANIFEST)?,
            custom,
        });
    }
    match others.first() {
        Some(other) if found.is_empty() => Err(Error::invalid(
            "release repository",
            format!("has releases of {other:?}, none of {product:?}"),
        )),
        _ => Ok(found),
    }
}

/// The Desktops that are listed with a release, by platform.
fn desktops(
    targets: &BTreeMap<String, TargetFile>,
    version: &Version,
) -> Result<BTreeMap<String, DesktopTree>, Error> {
    let before = desktops_path(version);
    let listed = targets
        .range(before.clone()..)
        .take_while(|(path, _)| path.starts_with(&before));
    let mut found = BTreeMap::new();
    for (path, file) in listed {
        let platform = path[before.len()..].strip_suffix("/tree.json.zst");
        let Some(platform) = platform.filter(|platform| description::is_platform(platform)) else {
            continue;
        };
        let custom: Custom = serde_json::from_value(file.custom.clone().unwrap_or_default())
            .map_err(|error| Error::invalid(path, format!("custom: {error}")))?;
        if custom.version != *version {
            return Err(Error::invalid(path, "is listed as another version"));
        }
        let tree = DesktopTree {
            target: target(path, file, tree::MAX_PACKED_MANIFEST)?,
            bytes: custom.bytes,
            packed_bytes: custom.packed_bytes,
        };
        found.insert(platform.to_owned(), tree);
    }
    Ok(found)
}

/// The installers that are listed with a release, in the order of their paths.
fn installers(
    targets: &BTreeMap<String, TargetFile>,
    version: &Version,
) -> Result<Vec<Listed>, Error> {
    let before = installers_path(version);
    let listed = targets
        .range(before.clone()..)
        .take_while(|(path, _)| path.starts_with(&before));
    let mut found = Vec::new();
    for (path, file) in listed {
        let custom = file.custom.clone().unwrap_or_default();
        let parts = installers::parts(&path[before.len()..]);
        let Some((platform, file_name)) = parts.filter(|_| file.length > 0) else {
            continue;
        };
        if installers::is_of(path, custom, version)? {
            found.push(Listed {
                platform: platform.to_owned(),
                file_name: file_name.to_owned(),
                target: target(path, file, installers::MAX_LENGTH)?,
            });
        }
    }
    Ok(found)
}

fn target(path: &str, file: &TargetFile, limit: u64) -> Result<Target, Error> {
    if file.length > limit {
        return Err(Error::invalid(
            path,
            format!("is longer than {limit} bytes"),
        ));
    }
    let sha256 = file
        .hashes
        .get("sha256")
        .ok_or_else(|| Error::invalid(path, "is listed without a SHA-256 digest"))?
        .parse()
        .map_err(|reason: String| Error::invalid(path, reason))?;
    Ok(Target {
        path: path.to_owned(),
        length: file.length,
        sha256,
    })
}

/// Brings the descriptions that are not in the store yet.
pub(crate) async fn fetch(
    expected: &[Expected],
    transport: &Transport,
    store: &Store,
) -> Result<(), Error> {
    stream::iter(expected)
        .map(|release| fetch_one(&release.description, transport, store))
        .buffer_unordered(8)
        .try_collect()
        .await
}

pub(crate) async fn fetch_one(
    target: &Target,
    transport: &Transport,
    store: &Store,
) -> Result<(), Error> {
    if store.blob(target)?.is_none() {
        let bytes = transport.fetch_target(target).await?;
        store.keep_blob(target, &bytes)?;
    }
    Ok(())
}

/// Brings the file lists of the newest release of each channel, so that it can be said exactly what is to be downloaded.
/// Merely useful: a failure is told when the release is installed.
pub(crate) async fn fetch_newest_trees(catalog: &Catalog, transport: &Transport, store: &Store) {
    for channel in [Channel::Stable, Channel::Beta] {
        let newest = catalog
            .releases
            .iter()
            .rev()
            .find(|release| release.description().channel == channel);
        let Some(newest) = newest else { continue };
        if let Err(error) = fetch_one(&newest.facts.tree_target, transport, store).await {
            tracing::warn!(error = %error.chain(), "the file list of the newest release is not here yet");
        }
    }
}

/// The catalogue, from descriptions that are in the store.
pub(crate) fn assemble(
    trusted: &TrustedMetadataSet,
    expected: &[Expected],
    store: &Store,
    now: Timestamp,
) -> Result<Catalog, Error> {
    let expires = super::expires(trusted);
    let (mut releases, mut unreadable) = (Vec::new(), Vec::new());
    for release in expected {
        let description = match read_description(release, store) {
            Ok(description) => description,
            // It is what was signed. The others are no worse for it.
            Err(error @ Error::Invalid { .. }) => {
                unreadable.push(Unreadable {
                    version: release.custom.version.clone(),
                    channel: release.custom.channel,
                    why: error.chain(),
                });
                continue;
            }
            Err(error) => return Err(error),
        };
        releases.push(VerifiedRelease {
            facts: Arc::new(Facts {
                description,
                tree_target: release.tree.clone(),
                tree_bytes: release.custom.bytes,
                packed_bytes: release.custom.packed_bytes,
                proof: release.custom.proof.clone(),
                description_target: release.description.clone(),
                desktops: release.desktops.clone(),
                installers: release.installers.clone(),
                store: store.clone(),
                tree: OnceLock::new(),
                missing: MissingMemo::default(),
                expires,
            }),
            fresh: now <= expires,
        });
    }
    releases.sort_by(|one, other| one.description().version.cmp(&other.description().version));
    unreadable.sort_by(|one, other| one.version.cmp(&other.version));
    Ok(Catalog {
        releases,
        unreadable,
        expires,
    })
}

fn read_description(release: &Expected, store: &Store) -> Result<Description, Error> {
    let path = &release.description.path;
    let bytes = store
        .blob(&release.description)?
        .ok_or_else(|| Error::damaged(path, "is missing in the local store"))?;
    let description = Description::from_json(&bytes, path)?;
    let custom = &release.custom;
    if description.product != custom.product
        || description.version != custom.version
        || description.channel != custom.channel
    {
        return Err(Error::invalid(path, "is not what it is listed as"));
    }
    Ok(description)
}

/// Removes descriptions and lists of releases that are not listed any more. Merely tidy.
pub(crate) fn forget_old(listed: &[Expected], store: &Store) {
    let targets: Vec<Target> = listed
        .iter()
        .flat_map(|release| {
            let desktops = release.desktops.values().map(|tree| tree.target.clone());
            [release.description.clone(), release.tree.clone()]
                .into_iter()
                .chain(desktops)
        })
        .collect();
    if let Err(error) = store.forget_blobs_except(&targets) {
        tracing::warn!(error = %error.chain(), "old signed files stay in the store");
    }
}
