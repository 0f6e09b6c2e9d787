//! Installers of a built release: put beside it, and later published, signed and listed with it.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::repository::Repository;
use crate::description::{self, Description};
use crate::digest::Digest;
use crate::durable;
use crate::error::Error;
use crate::installers::{Custom, MAX_LENGTH, installer_path, is_file_name, parts};
use crate::transport::target_path;

/// Where they are in a built release.
const DIRECTORY: &str = "installers";

/// An installer that was put beside a built release.
#[derive(Debug, Clone, Serialize)]
pub struct AddedInstaller {
    /// The file.
    pub file: PathBuf,
    /// What it is for.
    pub platform: String,
    /// Its length.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
}

/// An installer as it lies in a built release.
#[derive(Debug)]
pub(super) struct BuiltInstaller {
    /// Its path in the signed list.
    pub(super) path: String,
    from: PathBuf,
    bytes: u64,
    pub(super) sha256: Digest,
}

impl BuiltInstaller {
    /// Its entry in the signed list.
    pub(super) fn listed(&self, description: &Description) -> Value {
        json!({
            "length": self.bytes,
            "hashes": { "sha256": self.sha256 },
            "custom": Custom::of(&description.version),
        })
    }

    /// Copies it into the repository unless it is there, undamaged. Gives back the bytes copied.
    pub(super) fn put(&self, repository: &Repository) -> Result<u64, Error> {
        let failed = || Error::local("the installer cannot be copied");
        let place = repository.path(&target_path(&self.path, &self.sha256));
        if holds(&place, self.sha256) {
            return Ok(0);
        }
        if let Some(parent) = place.parent() {
            durable::create_dir_all(parent).map_err(failed())?;
        }
        let temporary = place.with_file_name(format!(
            "{}{:08x}",
            durable::TEMPORARY_PREFIX,
            rand::random::<u32>()
        ));
        durable::copy_unsynced(&self.from, &temporary, 0o644).map_err(failed())?;
        if !holds(&temporary, self.sha256) {
            durable::remove_file(&temporary).map_err(failed())?;
            let shown = self.from.display().to_string();
            return Err(Error::damaged(shown, "has changed meanwhile"));
        }
        durable::rename_unsynced(&temporary, &place).map_err(failed())?;
        Ok(self.bytes)
    }
}

/// Puts an installer beside a built release; publishing signs and lists it. One of the same name for the same platform is
/// replaced.
///
/// # Errors
/// The release has no Desktop for this platform, or the name is not one of an installer.
pub fn add_installer(
    built: &Path,
    platform: &str,
    file: &Path,
    file_name: &str,
) -> Result<AddedInstaller, Error> {
    let failed = || Error::local("the installer cannot be put beside the release");
    let description = description(built)?;
    let known = description
        .desktop
        .is_some_and(|desktop| desktop.platforms.contains_key(platform));
    if !known {
        return Err(Error::invalid(
            format!("the installer for {platform}"),
            "belongs to a Desktop that the release does not have",
        ));
    }
    if !is_file_name(file_name) {
        return Err(Error::invalid(
            format!("the installer's name {file_name:?}"),
            "use letters without accents, digits, dots, dashes and underscores; not .json or .zst",
        ));
    }
    let place = built.join(DIRECTORY).join(platform).join(file_name);
    if let Some(parent) = place.parent() {
        durable::create_dir_all(parent).map_err(failed())?;
    }
    let temporary = built.join(format!("{}installer", durable::TEMPORARY_PREFIX));
    durable::copy_unsynced(file, &temporary, 0o755).map_err(failed())?;
    durable::sync_file(&temporary).map_err(failed())?;
    durable::rename(&temporary, &place).map_err(failed())?;
    let (sha256, bytes) = File::open(&place)
        .and_then(Digest::of_reader)
        .map_err(failed())?;
    Ok(AddedInstaller {
        file: place,
        platform: platform.to_owned(),
        bytes,
        sha256,
    })
}

/// The description of a built release.
///
/// # Errors
/// It cannot be read, or says nothing to this program.
pub fn description(built: &Path) -> Result<Description, Error> {
    let path = built.join("release.json");
    let bytes = durable::read_limited(&path, description::MAX_LENGTH).map_err(Error::local(
        "the built release cannot be read; make one with `obnova release build`",
    ))?;
    Description::from_json(&bytes, "release.json")
}

/// The installers of a built release.
pub(super) fn read(built: &Path, description: &Description) -> Result<Vec<BuiltInstaller>, Error> {
    let directory = built.join(DIRECTORY);
    let mut found = Vec::new();
    let files = walkdir::WalkDir::new(&directory)
        .min_depth(1)
        .sort_by_file_name();
    for entry in files {
        let entry = match entry {
            Ok(entry) => entry,
            Err(_) if !directory.exists() => break,
            Err(error) => {
                return Err(Error::local("the installers cannot be read")(error.into()));
            }
        };
        if entry.file_type().is_dir() {
            continue;
        }
        let shown = entry.path().display().to_string();
        let rest = entry.path().strip_prefix(&directory).ok();
        let rest = rest.and_then(Path::to_str).unwrap_or_default();
        let known = |platform: &str| {
            let desktop = description.desktop.as_ref();
            desktop.is_some_and(|desktop| desktop.platforms.contains_key(platform))
        };
        let Some((platform, file_name)) = parts(rest).filter(|(platform, _)| known(platform))
        else {
            return Err(Error::invalid(
                shown,
                "is no installer of a Desktop that the release has",
            ));
        };
        let failed = || Error::local("an installer cannot be read");
        let (sha256, bytes) = File::open(entry.path())
            .and_then(Digest::of_reader)
            .map_err(failed())?;
        if bytes == 0 || bytes > MAX_LENGTH {
            return Err(Error::invalid(shown, "is empty or too long"));
        }
        found.push(BuiltInstaller {
            path: installer_path(&description.version, platform, file_name),
            from: entry.path().to_owned(),
            bytes,
            sha256,
        });
    }
    Ok(found)
}

fn holds(path: &Path, sha256: Digest) -> bool {
    File::open(path)
        .and_then(Digest::of_reader)
        .is_ok_and(|(digest, _)| digest == sha256)
}
