//! `obnova release publish`: a built release becomes one that installations are offered.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use semver::Version;
use serde::Serialize;
use serde_json::{Value, json};

use super::Vendor;
use super::build::built_desktop;
use super::installers::{self, BuiltInstaller};
use super::keyring::Keyring;
use super::repository::{Change, Repository};
use crate::client::assemble::{Custom, description_path, desktop_tree_path, tree_path};
use crate::description::{self, Channel, Description};
use crate::digest::Digest;
use crate::durable;
use crate::error::Error;
use crate::proof::Proof;
use crate::transport::{content_path, target_path};
use crate::tree::{MAX_PACKED_MANIFEST, Tree};

/// What was published.
#[derive(Debug, Clone, Serialize)]
pub struct Published {
    /// The repository's directory.
    pub repository: PathBuf,
    /// The version.
    pub version: Version,
    /// Who is offered it.
    pub channel: Channel,
    /// Bytes of content that the repository did not have before.
    pub new_bytes: u64,
    /// Bytes that somebody with nothing has to download.
    pub packed_bytes: u64,
}

/// A release as `build` has left it.
struct BuiltRelease {
    description: Description,
    description_bytes: Vec<u8>,
    tree: Tree,
    tree_bytes: Vec<u8>,
    desktops: Vec<BuiltDesktop>,
    installers: Vec<BuiltInstaller>,
    proof: Option<Proof>,
}

/// The Desktop for one platform as `build` has left it.
struct BuiltDesktop {
    /// Its path in the signed list.
    path: String,
    tree: Tree,
    bytes: Vec<u8>,
}

/// Checks, copies, signs and lists a built release. Needs the keys of targets, snapshot and timestamp.
pub fn publish(vendor: &Vendor, built: &Path) -> Result<Published, Error> {
    let release = read(built)?;
    let version = release.description.version.clone();
    let ring = Keyring::open(&vendor.keys)?;
    let repository = Repository::open(&vendor.repository)?;
    let state = repository.state()?;
    // Better now than after copying gigabytes.
    for role in [
        super::Role::Targets,
        super::Role::Snapshot,
        super::Role::Timestamp,
    ] {
        ring.demand(role, state.root())?;
    }
    let mut targets = state.targets.clone();
    let custom = Custom {
        product: release.description.product.clone(),
        version: version.clone(),
        channel: release.description.channel,
        bytes: release.tree.bytes(),
        packed_bytes: release.tree.packed_bytes(),
        proof: None,
    };
    refuse_other_product(&targets, &custom.product)?;
    let mut new_bytes = 0;
    for (path, bytes) in [
        (description_path(&version), &release.description_bytes),
        (tree_path(&version), &release.tree_bytes),
    ] {
        refuse_other_content(&repository, &path, &Digest::of(bytes))?;
        targets["targets"][&path] = json!({
            "length": bytes.len(),
            "hashes": { "sha256": Digest::of(bytes) },
            "custom": custom,
        });
    }
    targets["targets"][&description_path(&version)]["custom"] = json!(Custom {
        proof: release.proof.clone(),
        ..custom.clone()
    });
    for desktop in &release.desktops {
        refuse_other_content(&repository, &desktop.path, &Digest::of(&desktop.bytes))?;
        targets["targets"][&desktop.path] = json!({
            "length": desktop.bytes.len(),
            "hashes": { "sha256": Digest::of(&desktop.bytes) },
            "custom": Custom {
                bytes: desktop.tree.bytes(),
                packed_bytes: desktop.tree.packed_bytes(),
                ..custom.clone()
            },
        });
    }
    for installer in &release.installers {
        refuse_other_content(&repository, &installer.path, &installer.sha256)?;
        targets["targets"][&installer.path] = installer.listed(&release.description);
    }
    let desktops = release
        .desktops
        .iter()
        .flat_map(|desktop| desktop.tree.files());
    for (_, file) in release.tree.files().chain(desktops) {
        new_bytes += copy_content(built, &repository, &file.packed_sha256, file.packed_size)?;
    }
    put_target(
        &repository,
        &description_path(&version),
        &release.description_bytes,
    )?;
    put_target(&repository, &tree_path(&version), &release.tree_bytes)?;
    for desktop in &release.desktops {
        put_target(&repository, &desktop.path, &desktop.bytes)?;
    }
    for installer in &release.installers {
        new_bytes += installer.put(&repository)?;
    }
    durable::sync_file_system(&vendor.repository)
        .map_err(Error::local("the release's content cannot be made durable"))?;
    repository.change(vendor, &ring, &state, Change::of_targets(targets))?;
    Ok(Published {
        repository: vendor.repository.clone(),
        version,
        channel: release.description.channel,
        new_bytes,
        packed_bytes: custom.packed_bytes,
    })
}

fn read(built: &Path) -> Result<BuiltRelease, Error> {
    let read = |name: &str, limit| {
        durable::read_limited(&built.join(name), limit).map_err(Error::local(
            "the built release cannot be read; make one with `obnova release build`",
        ))
    };
    let description_bytes = read("release.json", description::MAX_LENGTH)?;
    let tree_bytes = read("tree.json.zst", MAX_PACKED_MANIFEST)?;
    let description = Description::from_json(&description_bytes, "release.json")?;
    let platforms = description
        .desktop
        .iter()
        .flat_map(|desktop| desktop.platforms.keys());
    let desktops = platforms
        .map(|platform| {
            let list = built_desktop(built, platform);
            let bytes = durable::read_limited(&list, MAX_PACKED_MANIFEST).map_err(Error::local(
                "the built Desktop cannot be read; build the release with `--desktop`",
            ))?;
            let shown = list.display().to_string();
            let tree = Tree::from_packed(&bytes, &shown)?;
            tree.check_for_platform(platform)
                .map_err(|reason| Error::invalid(shown, reason))?;
            Ok(BuiltDesktop {
                path: desktop_tree_path(&description.version, platform),
                tree,
                bytes,
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(BuiltRelease {
        desktops,
        installers: installers::read(built, &description)?,
        proof: Proof::read(built)?,
        description,
        tree: Tree::from_packed(&tree_bytes, "tree.json.zst")?,
        description_bytes,
        tree_bytes,
    })
}

fn refuse_other_product(targets: &Value, product: &str) -> Result<(), Error> {
    let empty = serde_json::Map::new();
    let listed = targets["targets"].as_object().unwrap_or(&empty);
    for target in listed.values() {
        if let Some(other) = target["custom"]["product"].as_str()
            && other != product
        {
            return Err(Error::invalid(
                "product",
                format!("this repository holds releases of {other:?}, not of {product:?}"),
            ));
        }
    }
    Ok(())
}

/// A version that once was published with one content never gets another, not even after it was revoked: somebody may
/// have installed it.
fn refuse_other_content(repository: &Repository, path: &str, sha256: &Digest) -> Result<(), Error> {
    let place = repository.path(&target_path(path, sha256));
    let Some((directory, name)) = place.parent().zip(Path::new(path).file_name()) else {
        return Ok(());
    };
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Ok(());
    };
    let ending = format!(".{}", name.to_string_lossy());
    for entry in entries.flatten() {
        let other = entry.file_name().to_string_lossy().into_owned();
        let is_temporary = other.starts_with(durable::TEMPORARY_PREFIX);
        if other.ends_with(&ending)
            && !is_temporary
            && entry.path() != place
            && is_listed_content(&entry.path(), &other)
        {
            return Err(Error::invalid(
                path,
                "was published before with other content; give the release a new version",
            ));
        }
    }
    Ok(())
}

/// Whether a file holds what its name says; an interrupted copy does not count.
fn is_listed_content(path: &Path, name: &str) -> bool {
    let named: Option<Digest> = name
        .split('.')
        .next()
        .and_then(|digest| digest.parse().ok());
    let found = File::open(path).and_then(Digest::of_reader);
    matches!((named, found), (Some(named), Ok((found, _))) if named == found)
}

/// Copies one content into the repository unless it is there, undamaged. Gives back the bytes copied.
fn copy_content(
    built: &Path,
    repository: &Repository,
    packed_sha256: &Digest,
    packed_size: u64,
) -> Result<u64, Error> {
    let failed = || Error::local("the release's content cannot be copied");
    let path = content_path(packed_sha256);
    let place = repository.path(&path);
    if holds(&place, packed_sha256) {
        return Ok(0);
    }
    let from = built.join(&path);
    if let Some(parent) = place.parent() {
        durable::create_dir_all(parent).map_err(failed())?;
    }
    let temporary = place.with_extension(format!("{:08x}.tmp", rand::random::<u32>()));
    durable::copy_unsynced(&from, &temporary, 0o644).map_err(failed())?;
    if !holds(&temporary, packed_sha256) {
        durable::remove_file(&temporary).map_err(failed())?;
        return Err(Error::damaged(
            from.display().to_string(),
            "is not what was built; build the release again",
        ));
    }
    durable::rename_unsynced(&temporary, &place).map_err(failed())?;
    Ok(packed_size)
}

fn holds(path: &Path, sha256: &Digest) -> bool {
    File::open(path)
        .and_then(Digest::of_reader)
        .is_ok_and(|(digest, _)| digest == *sha256)
}

fn put_target(repository: &Repository, path: &str, bytes: &[u8]) -> Result<(), Error> {
    let failed = || Error::local("the release's description cannot be written");
    let place = repository.path(&target_path(path, &Digest::of(bytes)));
    if let Some(parent) = place.parent() {
        durable::create_dir_all(parent).map_err(failed())?;
    }
    durable::write(&place, bytes, 0o644).map_err(failed())
}

/// The listed releases of a repository's signed list, by version.
pub(super) fn listed(targets: &Value) -> BTreeMap<Version, Custom> {
    let empty = serde_json::Map::new();
    targets["targets"]
        .as_object()
        .unwrap_or(&empty)
        .iter()
        .filter(|(path, _)| path.ends_with("/release.json"))
        .filter_map(|(_, target)| serde_json::from_value::<Custom>(target["custom"].clone()).ok())
        .map(|custom| (custom.version.clone(), custom))
        .collect()
}
