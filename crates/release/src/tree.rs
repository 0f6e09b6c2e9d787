//! A tree of files as a manifest: paths, modes and digests. Checked before anything of it touches the disk.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{BufReader, Read};

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;
use crate::error::Error;

mod links;
mod path;
mod scan;
mod windows;

pub use scan::compare;
pub(crate) use scan::{FoundKind, scan};

/// The most files, directories and links in a tree.
pub const MAX_ENTRIES: usize = 1_000_000;
/// The most bytes of all files of a tree.
pub const MAX_BYTES: u64 = 64 << 30;
/// The longest path, bytes.
pub const MAX_PATH: usize = 1024;
/// The longest compressed manifest, bytes.
pub(crate) const MAX_PACKED_MANIFEST: u64 = 128 << 20;
/// The longest manifest, bytes.
const MAX_MANIFEST: u64 = 512 << 20;
const FORMAT: u64 = 1;

/// The files, directories and symbolic links of one version, by path (`bin/crm`).
///
/// Whoever has one can rely on [`Tree::check`]: there is no other way to make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<String, Entry>,
}

/// One path of a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Entry {
    /// A directory.
    Directory {
        /// Permission bits.
        mode: u32,
    },
    /// A regular file.
    File(FileEntry),
    /// A symbolic link that leads to somewhere inside the tree.
    Link {
        /// Where to, as it is written in the link.
        target: String,
    },
}

/// A regular file of a [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Permission bits.
    pub mode: u32,
    /// The content's digest.
    pub sha256: Digest,
    /// The content's length, bytes.
    pub size: u64,
    /// The digest of the compressed content, which is its name in the repository.
    pub packed_sha256: Digest,
    /// The length of the compressed content, bytes.
    pub packed_size: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u64,
    #[serde(deserialize_with = "entries")]
    entries: BTreeMap<String, Entry>,
}

impl Tree {
    /// A tree of these entries, if it breaks no rule; `name` is what errors call it.
    pub fn new(entries: BTreeMap<String, Entry>, name: &str) -> Result<Self, Error> {
        let tree = Self { entries };
        tree.check()
            .map_err(|reason| Error::invalid(name, reason))?;
        Ok(tree)
    }

    /// All entries, parents before what is in them.
    pub fn entries(&self) -> &BTreeMap<String, Entry> {
        &self.entries
    }

    /// The regular files.
    pub fn files(&self) -> impl Iterator<Item = (&str, &FileEntry)> {
        self.entries.iter().filter_map(|(path, entry)| match entry {
            Entry::File(file) => Some((path.as_str(), file)),
            _ => None,
        })
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files().map(|(_, file)| file.size).sum()
    }

    /// The bytes of all different compressed files: what somebody with nothing has to download.
    pub fn packed_bytes(&self) -> u64 {
        let distinct: HashMap<Digest, u64> = self
            .files()
            .map(|(_, file)| (file.packed_sha256, file.packed_size))
            .collect();
        distinct.values().sum()
    }

    fn check(&self) -> Result<(), String> {
        if self.entries.len() > MAX_ENTRIES {
            return Err(format!("has more than {MAX_ENTRIES} entries"));
        }
        let mut bytes = 0_u64;
        let mut folded: HashMap<String, &str> = HashMap::with_capacity(self.entries.len());
        for (path, entry) in &self.entries {
            path::check(path).map_err(|reason| format!("{path:?} {reason}"))?;
            if let Some(other) = folded.insert(path::fold(path), path) {
                return Err(format!(
                    "{other:?} and {path:?} are one name where upper and lower case are the same"
                ));
            }
            if let Some((parent, _)) = path.rsplit_once('/')
                && !matches!(self.entries.get(parent), Some(Entry::Directory { .. }))
            {
                return Err(format!("{path:?} is not in a directory of the tree"));
            }
            match entry {
                Entry::Directory { mode } => check_mode(path, *mode)?,
                Entry::File(file) => {
                    check_mode(path, file.mode)?;
                    bytes = bytes
                        .checked_add(file.size)
                        .filter(|bytes| *bytes <= MAX_BYTES)
                        .ok_or_else(|| format!("is larger than {} GiB", MAX_BYTES >> 30))?;
                    // zstd never makes content longer than this; a longer "compressed" file is something else.
                    if file.packed_size > file.size + file.size / 128 + 1024 {
                        return Err(format!("{path:?} is longer compressed than it can be"));
                    }
                }
                Entry::Link { target } => links::check(&self.entries, path, target)
                    .map_err(|reason| format!("link {path:?} to {target:?} {reason}"))?,
            }
        }
        Ok(())
    }

    /// The bytes of `tree.json.zst`.
    pub fn to_packed(&self) -> Result<Vec<u8>, Error> {
        let bytes = serde_json::to_vec(&ManifestRef {
            format: FORMAT,
            entries: &self.entries,
        })
        .map_err(|error| Error::invalid("tree.json", error.to_string()))?;
        zstd::encode_all(bytes.as_slice(), 12).map_err(Error::local("the tree cannot be packed"))
    }

    /// Reads and checks a `tree.json.zst`; `name` is what errors call it. Takes memory for [`MAX_ENTRIES`] entries at most,
    /// however many there are.
    pub fn from_packed(packed: &[u8], name: &str) -> Result<Self, Error> {
        Self::from_packed_within(packed, name, MAX_MANIFEST)
    }

    fn from_packed_within(packed: &[u8], name: &str, longest: u64) -> Result<Self, Error> {
        let plain = zstd::Decoder::with_buffer(packed)
            .map_err(|error| Error::damaged(name, error.to_string()))?;
        let plain = BufReader::with_capacity(64 << 10, plain.take(longest));
        let manifest: Manifest = serde_json::from_reader(plain).map_err(|error| {
            if error.is_io() {
                return Error::damaged(name, error.to_string());
            }
            // Also what is longer than it may be: it ends in the middle then.
            Error::invalid(name, error.to_string())
        })?;
        if manifest.format != FORMAT {
            return Err(Error::invalid(
                name,
                "is in a format that this version of Obnova does not know; update Obnova first",
            ));
        }
        Self::new(manifest.entries, name)
    }
}

/// Reads entries one after the other and stops at the first that is too many or there twice.
fn entries<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Entry>, D::Error> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = BTreeMap<String, Entry>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("the entries of a tree by path")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = BTreeMap::new();
            while let Some((path, entry)) = map.next_entry::<String, Entry>()? {
                if entries.len() == MAX_ENTRIES {
                    let reason = format!("has more than {MAX_ENTRIES} entries");
                    return Err(A::Error::custom(reason));
                }
                if path.len() > MAX_PATH {
                    return Err(A::Error::custom("has a path that is too long"));
                }
                if entries.contains_key(&path) {
                    return Err(A::Error::custom(format!("{path:?} is listed twice")));
                }
                entries.insert(path, entry);
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_map(Entries)
}

#[derive(Serialize)]
struct ManifestRef<'a> {
    format: u64,
    entries: &'a BTreeMap<String, Entry>,
}

impl Serialize for Tree {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ManifestRef {
            format: FORMAT,
            entries: &self.entries,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let manifest = Manifest::deserialize(deserializer)?;
        if manifest.format != FORMAT {
            return Err(D::Error::custom("unknown format of a tree"));
        }
        Self::new(manifest.entries, "tree").map_err(D::Error::custom)
    }
}

fn check_mode(path: &str, mode: u32) -> Result<(), String> {
    if mode & !0o777 == 0 {
        Ok(())
    } else {
        Err(format!(
            "{path:?} has mode {mode:o}; only permission bits are allowed"
        ))
    }
}

#[cfg(test)]
mod tests;
