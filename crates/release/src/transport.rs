//! How the files of a repository are reached. Nothing that comes from here is trusted before it was verified.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use sigstore_tuf::transport::FetchFuture;

use crate::catalog::Target;
use crate::digest::{Digest, Pin};
use crate::error::Error;
use crate::source::Source;

mod directory;
mod http;
mod limits;
mod pace;
mod partial;

pub(crate) use directory::open_regular;
pub(crate) use http::Http;
pub use limits::Limits;
pub(crate) use partial::Wanted;

/// The way to one repository. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) enum Transport {
    Directory(PathBuf),
    Http(Http),
}

impl Transport {
    /// `authorities`: see [`crate::Options`].
    pub(crate) fn new(source: &Source, authorities: &[u8], limits: Limits) -> Result<Self, Error> {
        Ok(match source {
            Source::Directory(path) => Self::Directory(path.clone()),
            Source::Http(base) => Self::Http(Http::new(base.clone(), authorities, limits)?),
        })
    }

    /// The address of a file, for errors.
    pub(crate) fn address(&self, path: &str) -> String {
        match self {
            Self::Directory(base) => base.join(path).display().to_string(),
            Self::Http(http) => http.address(path),
        }
    }

    /// A whole file of at most `limit` bytes; `None` when there is no such file.
    pub(crate) async fn fetch(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Directory(base) => directory::fetch(base, path, limit),
            Self::Http(http) => http.fetch(path, limit).await,
        }
    }

    /// A signed file, verified.
    pub(crate) async fn fetch_target(&self, target: &Target) -> Result<Vec<u8>, Error> {
        self.fetch_signed(&target.path, target.length, &Pin::Sha256(target.sha256))
            .await
    }

    /// A file of which length and digest are signed, verified.
    pub(crate) async fn fetch_signed(
        &self,
        path: &str,
        length: u64,
        pin: &Pin,
    ) -> Result<Vec<u8>, Error> {
        let path = target_path(path, pin);
        let address = self.address(&path);
        let bytes = self
            .fetch(&path, length)
            .await?
            .ok_or_else(|| Error::damaged(&address, "is not in the repository"))?;
        if !pin.matches(&bytes, length) {
            return Err(Error::damaged(address, "is not what was signed"));
        }
        Ok(bytes)
    }
}

/// Where a signed file is: with consistent snapshots its digest is part of its name.
pub(crate) fn target_path(path: &str, digest: &impl Display) -> String {
    match path.rsplit_once('/') {
        Some((directory, name)) => format!("targets/{directory}/{digest}.{name}"),
        None => format!("targets/{digest}.{path}"),
    }
}

/// Where compressed content is.
pub(crate) fn content_path(packed_sha256: &Digest) -> String {
    let name = packed_sha256.to_string();
    format!("content/{}/{name}.zst", &name[..2])
}

/// The metadata side of a transport, for the TUF library.
#[derive(Debug)]
pub(crate) struct MetadataRepository(pub(crate) Transport);

impl sigstore_tuf::Repository for MetadataRepository {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(async move {
            self.0
                .fetch(&format!("metadata/{name}"), max_length)
                .await
                .map_err(|error| sigstore_tuf::Error::transport_with_source("fetching", error))
        })
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(async move {
            self.0
                .fetch(&format!("targets/{path}"), max_length)
                .await
                .map_err(|error| sigstore_tuf::Error::transport_with_source("fetching", error))
        })
    }
}

/// The directory that a repository must be in, for errors that tell a missing repository from a missing file.
pub(crate) fn is_repository(base: &Path) -> bool {
    base.join("metadata").is_dir()
}
