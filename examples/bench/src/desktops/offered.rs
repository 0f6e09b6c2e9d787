//! What one server offers: the files of the Desktop and what it calls each version of them.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use super::wire::{self, Wire};

const REPOSITORY: &str = "/desktop/v1/repository/";
pub(crate) const HELLO: &str = "/desktop/v1/hello";
pub(crate) const TIMESTAMP: &str = "/desktop/v1/repository/metadata/timestamp.json";
/// The root that would follow the first: every Desktop asks for it, and it is not there.
pub(crate) const NEXT_ROOT: &str = "/desktop/v1/repository/metadata/2.root.json";

/// A server, and what Desktops know of it.
#[derive(Debug)]
pub(crate) struct Offered {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// What the Desktop downloads, in the order of its names.
    pub(crate) files: Vec<File>,
    /// Of the metadata that changes.
    pub(crate) timestamp: String,
}

/// A file of it.
#[derive(Debug)]
pub(crate) struct File {
    /// Where it is on the server.
    pub(crate) path: String,
    pub(crate) length: u64,
    pub(crate) tag: String,
}

impl Offered {
    /// Reads everything once and compares it with the copy: it is right, and it is in the kernel's memory.
    pub(crate) async fn look(name: &'static str, address: SocketAddr, copy: &Path) -> Result<Self> {
        let mut wire = Wire::connect(address, None).await?;
        let mut files = Vec::new();
        for path in content(copy)? {
            let (path, length) = path;
            let head = wire.ask(&wire::get(&path, "")).await?;
            ensure!(
                head.status == 200 && head.length == length,
                "{name}: {path}: {head:?}"
            );
            let mut digest = Sha256::new();
            while wire.body(usize::MAX, |bytes| digest.update(bytes)).await? > 0 {}
            let file = File {
                length,
                tag: head.tag.with_context(|| format!("{path} has no tag"))?,
                path,
            };
            ensure!(file.is(digest), "{name}: {} is another file", file.path);
            files.push(file);
        }
        let head = wire.ask(&wire::get(TIMESTAMP, "")).await?;
        wire.skip().await?;
        let timestamp = head.tag.context("the timestamp has no tag")?;
        Ok(Self {
            name,
            address,
            files,
            timestamp,
        })
    }

    /// Bytes of the Desktop.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.length).sum()
    }
}

impl File {
    /// Whether this is its digest: it is called by it.
    pub(crate) fn is(&self, digest: Sha256) -> bool {
        let digest = hex::encode(digest.finalize());
        self.path.contains(&digest)
    }
}

/// The answer to *hello*.
pub(crate) async fn hello(address: SocketAddr) -> Result<String> {
    let mut wire = Wire::connect(address, None).await?;
    let head = wire.ask(&wire::get(HELLO, "")).await?;
    if head.status != 200 {
        bail!("{HELLO}: {head:?}");
    }
    let mut body = Vec::new();
    while wire
        .body(usize::MAX, |bytes| body.extend_from_slice(bytes))
        .await?
        > 0
    {}
    Ok(String::from_utf8(body)?)
}

fn content(copy: &Path) -> Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(copy.join("content"))? {
        let folder = folder?;
        for file in std::fs::read_dir(folder.path())? {
            let file = file?;
            let (folder, name) = (folder.file_name(), file.file_name());
            let path = format!(
                "{REPOSITORY}content/{}/{}",
                folder.to_string_lossy(),
                name.to_string_lossy()
            );
            files.push((path, file.metadata()?.len()));
        }
    }
    files.sort();
    Ok(files)
}
