//! Which content the versions of this machine already hold.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::installed::InstalledRelease;

/// Where each content should be, by the records of the versions. Only a hint: whoever copies it checks the digest.
pub(super) fn index(versions: &Path) -> HashMap<Digest, Vec<PathBuf>> {
    let mut index: HashMap<Digest, Vec<PathBuf>> = HashMap::new();
    let Ok(entries) = std::fs::read_dir(versions) else {
        return index;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let version = name
            .to_str()
            .and_then(|name| name.strip_suffix(".json"))
            .and_then(|version| version.parse().ok());
        let Some(version) = version else { continue };
        let directory = InstalledRelease::directory(versions, &version);
        // A record is written before its directory: without one it speaks of a download that was interrupted.
        if !directory.is_dir() {
            continue;
        }
        match InstalledRelease::load(versions, &version) {
            Ok(release) => {
                for (path, file) in release.tree.files() {
                    index
                        .entry(file.sha256)
                        .or_default()
                        .push(directory.join(path));
                }
            }
            Err(error) => {
                tracing::warn!(%version, error = %error.chain(), "a version's files cannot be used again");
            }
        }
    }
    index
}
