//! A repository's metadata as it is, verified as a client would.

use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;
use sigstore_tuf::{Root, TrustedMetadataSet};

use crate::durable;
use crate::error::Error;

/// The longest metadata file, bytes.
const MAX_LENGTH: u64 = 16 << 20;

/// The newest metadata of a repository.
#[derive(Debug)]
pub(super) struct State {
    /// The newest root's signed part.
    pub(super) root: Value,
    pub(super) root_bytes: Vec<u8>,
    /// The newest list of releases, its signed part.
    pub(super) targets: Value,
    pub(super) trusted: TrustedMetadataSet,
}

impl State {
    /// Reads `<repository>/metadata` and verifies it from its newest root on; what is expired is read all the same.
    pub(super) fn read(metadata: &Path) -> Result<Self, Error> {
        let newest = newest_number(metadata, "root.json")?.ok_or_else(|| {
            Error::invalid(
                metadata.display().to_string(),
                "holds no release repository; make one with `obnova release init`",
            )
        })?;
        match Self::read_from(metadata, newest) {
            // A rotation may have been interrupted between its new root and the files signed with the new keys.
            Err(Error::Untrusted { .. }) if newest > 1 => {
                let mut state = Self::read_from(metadata, newest - 1)?;
                state.root_bytes = read(metadata, &format!("{newest}.root.json"))?;
                state.root = signed(&state.root_bytes, "root.json")?;
                let distrust = |error| untrusted(metadata, error);
                state
                    .trusted
                    .update_root(&state.root_bytes)
                    .map_err(distrust)?;
                Ok(state)
            }
            other => other,
        }
    }

    fn read_from(metadata: &Path, root_number: u64) -> Result<Self, Error> {
        let distrust = |error| untrusted(metadata, error);
        let whenever = Timestamp::UNIX_EPOCH;
        let root_bytes = read(metadata, &format!("{root_number}.root.json"))?;
        let mut trusted = TrustedMetadataSet::from_root(&root_bytes).map_err(distrust)?;
        let timestamp = read(metadata, "timestamp.json")?;
        trusted
            .update_timestamp(&timestamp, whenever)
            .map_err(distrust)?;
        let number = trusted
            .timestamp()
            .and_then(|role| role.snapshot_meta())
            .map_or(0, |meta| meta.version);
        let snapshot = read(metadata, &format!("{number}.snapshot.json"))?;
        trusted
            .update_snapshot(&snapshot, whenever)
            .map_err(distrust)?;
        let number = trusted
            .snapshot()
            .and_then(|role| role.meta.get("targets.json"))
            .map_or(0, |meta| meta.version);
        let targets = read(metadata, &format!("{number}.targets.json"))?;
        trusted
            .update_targets(&targets, whenever)
            .map_err(distrust)?;
        Ok(Self {
            root: signed(&root_bytes, "root.json")?,
            targets: signed(&targets, "targets.json")?,
            root_bytes,
            trusted,
        })
    }

    pub(super) fn root(&self) -> &Root {
        self.trusted.root()
    }
}

/// The `signed` part of a metadata file.
pub(super) fn signed(bytes: &[u8], name: &str) -> Result<Value, Error> {
    let mut value: Value =
        serde_json::from_slice(bytes).map_err(|error| Error::damaged(name, error.to_string()))?;
    Ok(value["signed"].take())
}

/// The highest number of the files `<number>.<name>`.
pub(super) fn newest_number(metadata: &Path, name: &str) -> Result<Option<u64>, Error> {
    let entries = match std::fs::read_dir(metadata) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let what = format!("{} cannot be read", metadata.display());
            return Err(Error::local(what)(error));
        }
    };
    Ok(entries
        .flatten()
        .filter_map(|entry| {
            let file = entry.file_name();
            let number = file.to_str()?.strip_suffix(name)?.strip_suffix('.')?;
            number.parse().ok()
        })
        .max())
}

fn read(metadata: &Path, name: &str) -> Result<Vec<u8>, Error> {
    let path = metadata.join(name);
    durable::read_limited(&path, MAX_LENGTH)
        .map_err(Error::local("the repository's metadata cannot be read"))
}

fn untrusted(metadata: &Path, error: sigstore_tuf::Error) -> Error {
    Error::Untrusted {
        address: metadata.display().to_string(),
        cause: Box::new(error),
    }
}
