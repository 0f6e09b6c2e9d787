//! What this machine keeps of a repository: verified metadata, descriptions and file lists. Durable, so that an
//! attacker cannot lead back to an older state by cutting the power.
//!
//! `metadata/` holds the newest verified file of each role, also from a look that failed half-way: the floor below which
//! nothing is accepted. `known.json` holds the last complete set, in one file so that it always fits together.
//! `targets/<sha256>` holds signed files. All of it is verified again whenever it is read.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sigstore_tuf::MetadataStore;

use crate::catalog::Target;
use crate::digest::Digest;
use crate::durable::{self, Lock};
use crate::error::Error;

/// The longest metadata file that is read back, bytes.
const MAX_METADATA: u64 = 16 << 20;

/// A temporary file older than this is one that a crash has left.
const WRITING: std::time::Duration = std::time::Duration::from_secs(3600);

/// The directory. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    directory: Arc<PathBuf>,
}

/// The last complete set of metadata, as the bytes that were signed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Known {
    pub(crate) root_version: u64,
    pub(crate) timestamp: String,
    pub(crate) snapshot: String,
    pub(crate) targets: String,
}

impl Store {
    pub(crate) fn open(directory: &Path) -> Result<Self, Error> {
        let failed = || Error::local("the store of release metadata cannot be made");
        durable::create_dir_all(&directory.join("metadata/root_history")).map_err(failed())?;
        durable::create_dir_all(&directory.join("targets")).map_err(failed())?;
        Ok(Self {
            directory: Arc::new(directory.to_owned()),
        })
    }

    /// Waits until no other process refreshes this store.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        let failed = || Error::local("the store of release metadata cannot be locked");
        let lock = Lock::take(&self.directory.join("lock")).map_err(failed())?;
        for directory in ["", "metadata", "metadata/root_history"] {
            durable::remove_temporaries(&self.directory.join(directory)).map_err(failed())?;
        }
        Ok(lock)
    }

    pub(crate) fn metadata(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        read(&self.directory.join("metadata").join(name), MAX_METADATA)
    }

    pub(crate) fn known(&self) -> Result<Option<Known>, Error> {
        let path = self.directory.join("known.json");
        let Some(bytes) = read(&path, 4 * MAX_METADATA)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Error::damaged(path.display().to_string(), error.to_string()))
    }

    /// Keeps a complete set, made of what a refresh has put into `metadata/`.
    pub(crate) fn keep_known(&self, root_version: u64) -> Result<(), Error> {
        let text = |name: &str| -> Result<String, Error> {
            let bytes = self
                .metadata(name)?
                .ok_or_else(|| Error::damaged(name, "is missing in the local store"))?;
            String::from_utf8(bytes).map_err(|_| Error::damaged(name, "is not text in UTF-8"))
        };
        let known = Known {
            root_version,
            timestamp: text("timestamp.json")?,
            snapshot: text("snapshot.json")?,
            targets: text("targets.json")?,
        };
        let bytes = serde_json::to_vec(&known)
            .map_err(|error| Error::invalid("known.json", error.to_string()))?;
        durable::write(&self.directory.join("known.json"), &bytes, 0o600)
            .map_err(Error::local("release metadata cannot be kept"))
    }

    /// A signed file, if it is here and undamaged.
    pub(crate) fn blob(&self, target: &Target) -> Result<Option<Vec<u8>>, Error> {
        let bytes = read(&self.blob_path(target), target.length)?;
        Ok(bytes.filter(|bytes| Digest::of(bytes) == target.sha256))
    }

    pub(crate) fn keep_blob(&self, target: &Target, bytes: &[u8]) -> Result<(), Error> {
        durable::write(&self.blob_path(target), bytes, 0o600)
            .map_err(Error::local("a signed file cannot be kept"))
    }

    /// Removes the signed files that no release names any more.
    pub(crate) fn forget_blobs_except(&self, targets: &[Target]) -> Result<(), Error> {
        let failed = || Error::local("old signed files cannot be removed");
        let kept: std::collections::HashSet<String> = targets
            .iter()
            .map(|target| target.sha256.to_string())
            .collect();
        let directory = self.directory.join("targets");
        for entry in std::fs::read_dir(&directory).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            // Somebody who downloads keeps a file list meanwhile, without the lock: what is being written is not old.
            if is_being_written(&entry) {
                continue;
            }
            if !entry
                .file_name()
                .to_str()
                .is_some_and(|name| kept.contains(name))
            {
                durable::remove_file(&entry.path()).map_err(failed())?;
            }
        }
        Ok(())
    }

    fn blob_path(&self, target: &Target) -> PathBuf {
        self.directory
            .join("targets")
            .join(target.sha256.to_string())
    }

    /// A view for the TUF library, which goes on after a failed write; the failure is kept in `failure` instead.
    pub(crate) fn for_updater(&self) -> (UpdaterStore, Arc<Failure>) {
        let failure = Arc::new(Failure::default());
        let store = UpdaterStore {
            store: self.clone(),
            failure: failure.clone(),
        };
        (store, failure)
    }
}

/// Whether a file is a temporary one that may still be written: a younger one than any write takes.
fn is_being_written(entry: &std::fs::DirEntry) -> bool {
    let name = entry.file_name();
    let is_temporary = name
        .to_str()
        .is_some_and(|name| name.starts_with(durable::TEMPORARY_PREFIX));
    let modified = entry.metadata().and_then(|found| found.modified());
    let age = modified.ok().and_then(|modified| modified.elapsed().ok());
    is_temporary && age.is_none_or(|age| age < WRITING)
}

fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    match durable::read_limited(path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        // Longer than it may be: not what was put there.
        Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => Ok(None),
        Err(error) => Err(Error::local("kept release metadata cannot be read")(error)),
    }
}

/// The first write that failed during a refresh.
#[derive(Debug, Default)]
pub(crate) struct Failure(Mutex<Option<std::io::Error>>);

impl Failure {
    fn note(&self, error: std::io::Error) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
    }

    /// Fails if a write has failed: the floor against going back would not be durable.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(Error::local("verified release metadata cannot be kept")(
                error,
            )),
            None => Ok(()),
        }
    }
}

/// See [`Store::for_updater`].
#[derive(Debug)]
pub(crate) struct UpdaterStore {
    store: Store,
    failure: Arc<Failure>,
}

impl MetadataStore for UpdaterStore {
    fn load(&self, name: &str) -> sigstore_tuf::Result<Option<Vec<u8>>> {
        if !is_kept(name) {
            return Ok(None);
        }
        self.store
            .metadata(name)
            .map_err(|error| sigstore_tuf::Error::transport_with_source("the local store", error))
    }

    fn store(&self, name: &str, bytes: &[u8]) -> sigstore_tuf::Result<()> {
        if !is_kept(name) {
            return Ok(());
        }
        let path = self.store.directory.join("metadata").join(name);
        // The library writes its root again at every start.
        if std::fs::read(&path).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        durable::write(&path, bytes, 0o600).map_err(|error| {
            let told = std::io::Error::new(error.kind(), error.to_string());
            self.failure.note(error);
            sigstore_tuf::Error::io("the local store", told)
        })
    }
}

/// The names of a role's newest file and the chain of roots; numbered copies are not needed. The library encodes the names
/// of delegated roles, so that they hold no slash.
fn is_kept(name: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(name) = name.strip_prefix("root_history/") {
        return name.strip_suffix(".root.json").is_some_and(digits);
    }
    let plain = !name.contains(['/', '\\', '\0']) && name.len() <= 255;
    let numbered = name.split_once('.').is_some_and(|(stem, _)| digits(stem));
    plain && !numbered && name.ends_with(".json") && !name.starts_with(durable::TEMPORARY_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::is_kept;

    #[test]
    fn only_plain_names_of_roles_and_roots_become_files() {
        for name in [
            "timestamp.json",
            "root_history/2.root.json",
            "..%2Fdelegated.json",
            "%3F.json",
        ] {
            assert!(is_kept(name), "{name}");
        }
        for name in [
            "../known.json",
            "root_history/../root.json",
            "root_history/.root.json",
            "2.snapshot.json",
            "targets/file",
            ".obnova-tmp-1.json",
            "lock",
            &"x".repeat(300),
        ] {
            assert!(!is_kept(name), "{name}");
        }
    }
}
