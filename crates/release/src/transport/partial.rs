//! The part of a file that was downloaded already, which survives a restart: `<digest>.part`, and beside it `<digest>.etag`,
//! what the server called the file.

use std::path::PathBuf;

use reqwest::Response;
use reqwest::header::ETAG;

use crate::digest::{Digest, Hasher};
use crate::durable::{self, Partial};
use crate::error::Error;

/// A file of known length and digest to be downloaded to the disk.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Its path in the repository.
    pub(crate) path: String,
    /// Its exact length, bytes.
    pub(crate) length: u64,
    pub(crate) sha256: Digest,
    /// Where the part that is here already is, and the rest goes to.
    pub(crate) partial: PathBuf,
}

/// What is here of a [`Wanted`] file, and its digest so far.
pub(super) struct Part {
    file: Partial,
    hasher: Hasher,
    sha256: Digest,
    tag: PathBuf,
}

/// Where to go on, and what the server called the file when it began.
pub(super) struct Resumed {
    pub(super) from: u64,
    pub(super) tag: Option<String>,
}

impl Part {
    /// Opens what an earlier run has left and reads it for its digest. What is longer than the file can be is thrown away.
    pub(super) async fn open(wanted: &Wanted) -> Result<Self, Error> {
        let wanted = wanted.clone();
        // Gigabytes may be read here; the downloads beside it go on.
        tokio::task::spawn_blocking(move || Self::open_blocking(&wanted))
            .await
            .unwrap_or_else(|error| Err(failed(std::io::Error::other(error))))
    }

    fn open_blocking(wanted: &Wanted) -> Result<Self, Error> {
        let mut part = Self {
            file: Partial::open(&wanted.partial).map_err(failed)?,
            hasher: Hasher::default(),
            sha256: wanted.sha256,
            tag: wanted.partial.with_extension("etag"),
        };
        let here = std::fs::File::open(&wanted.partial).map_err(failed)?;
        if here.metadata().map_err(failed)?.len() > wanted.length {
            part.restart()?;
        } else {
            part.hasher = Hasher::of_reader(here).map_err(failed)?;
        }
        Ok(part)
    }

    /// Bytes that are here.
    pub(super) fn length(&self) -> u64 {
        self.hasher.length()
    }

    /// Where to go on; `None` at the beginning.
    pub(super) fn resumed(&self) -> Option<Resumed> {
        let tag = || String::from_utf8(durable::read_limited(&self.tag, 1024).ok()?).ok();
        (self.length() > 0).then(|| Resumed {
            from: self.length(),
            tag: tag(),
        })
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.push(bytes).map_err(failed)?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Throws away what is here.
    pub(super) fn restart(&mut self) -> Result<(), Error> {
        self.file.clear().map_err(failed)?;
        self.hasher = Hasher::default();
        durable::remove_file_unsynced(&self.tag).map_err(failed)
    }

    /// Keeps what the server calls the file. Only a strong tag says that the bytes are the same.
    pub(super) fn keep_tag(&self, response: &Response) -> Result<(), Error> {
        match response.headers().get(ETAG).map(|tag| tag.to_str()) {
            Some(Ok(tag)) if tag.starts_with('"') => {
                durable::write(&self.tag, tag.as_bytes(), 0o600).map_err(failed)
            }
            _ => Ok(()),
        }
    }

    /// Whether the file is here and is what was signed.
    pub(super) fn is_complete(&self) -> bool {
        self.hasher.clone().finish().0 == self.sha256
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::local("downloaded content cannot be written")(error)
}
