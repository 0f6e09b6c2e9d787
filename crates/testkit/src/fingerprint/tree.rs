//! Files, directories and symbolic links.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

pub(super) fn entries(root: &Path) -> Result<BTreeMap<String, String>> {
    let mut entries = BTreeMap::new();
    for entry in WalkDir::new(root).min_depth(1) {
        let entry = entry?;
        let name = entry
            .path()
            .strip_prefix(root)?
            .to_string_lossy()
            .into_owned();
        let described = describe(entry.path(), &entry.metadata()?)
            .with_context(|| format!("cannot read {}", entry.path().display()))?;
        entries.insert(name, described);
    }
    Ok(entries)
}

fn describe(path: &Path, metadata: &Metadata) -> io::Result<String> {
    let owner = format!("{}:{}", metadata.uid(), metadata.gid());
    let mode = metadata.mode() & 0o7777;
    if metadata.is_symlink() {
        let target = std::fs::read_link(path)?;
        return Ok(format!("link to {} of {owner}", target.display()));
    }
    if metadata.is_dir() {
        return Ok(format!("directory {mode:04o} of {owner}"));
    }
    if !metadata.is_file() {
        return Ok(format!("special {:o} of {owner}", metadata.mode()));
    }
    let mut hash = Sha256::new();
    io::copy(&mut std::fs::File::open(path)?, &mut hash)?;
    Ok(format!(
        "file {mode:04o} of {owner}, {} bytes {}, changed {}.{:09}",
        metadata.len(),
        &hex::encode(hash.finalize())[..16],
        metadata.mtime(),
        metadata.mtime_nsec(),
    ))
}
