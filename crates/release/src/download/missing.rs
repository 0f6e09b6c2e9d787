//! How much of a release is still to be downloaded.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::{Destination, content, local};
use crate::tree::Tree;

/// The last answer for one release, as pages ask for it again and again while nothing changes.
#[derive(Debug, Default)]
pub(crate) struct MissingMemo(Mutex<Option<Memo>>);

#[derive(Debug)]
struct Memo {
    stamp: Stamp,
    /// Where each content that no version has is downloaded to, and how long it is.
    missing: Vec<(PathBuf, u64)>,
}

/// The versions that are there, and when they became so.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    to: Destination,
    entries: Vec<(PathBuf, Option<SystemTime>)>,
}

impl MissingMemo {
    /// Bytes of the tree that would have to be downloaded.
    pub(crate) fn bytes(&self, tree: &Tree, to: &Destination) -> u64 {
        let stamp = Stamp::of(to);
        let mut memo = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if memo.as_ref().is_none_or(|memo| memo.stamp != stamp) {
            let missing = missing(tree, to);
            *memo = Some(Memo { stamp, missing });
        }
        memo.iter()
            .flat_map(|memo| &memo.missing)
            .map(|(partial, length)| length.saturating_sub(length_of(partial)))
            .sum()
    }
}

impl Stamp {
    fn of(to: &Destination) -> Self {
        let mut entries: Vec<_> = std::fs::read_dir(&to.versions)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| {
                let changed = entry.metadata().and_then(|metadata| metadata.modified());
                (entry.path(), changed.ok())
            })
            .collect();
        entries.sort();
        Self {
            to: to.clone(),
            entries,
        }
    }
}

fn missing(tree: &Tree, to: &Destination) -> Vec<(PathBuf, u64)> {
    let local = local::index(&to.versions);
    content::wanted(tree)
        .iter()
        .filter(|content| !local.contains_key(&content.file.sha256))
        .map(|content| (content.partial(&to.content), content.file.packed_size))
        .collect()
}

fn length_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}
