//! SHA-256 digests: the names of all content.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

/// A SHA-256 digest; as text, 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest and length of all that can be read, with bounded memory.
    pub fn of_reader(reader: impl Read) -> io::Result<(Self, u64)> {
        Ok(Hasher::of_reader(reader)?.finish())
    }
}

/// A digest in the making, and the number of bytes it has seen.
#[derive(Default, Clone)]
pub(crate) struct Hasher {
    state: Sha256,
    length: u64,
}

impl Hasher {
    /// Having seen all that can be read.
    pub(crate) fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let mut hasher = Self::default();
        let mut buffer = vec![0; 64 << 10];
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(hasher),
                count => hasher.update(&buffer[..count]),
            }
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.length += bytes.len() as u64;
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn finish(self) -> (Digest, u64) {
        (Digest(self.state.finalize().into()), self.length)
    }
}

/// What a signed file must be. Obnova's own repositories list SHA-256; others may list SHA-512 only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pin {
    Sha256(Digest),
    Sha512([u8; 64]),
}

impl Pin {
    /// The digest to go by, of those that a repository lists; `None` when it lists none that is known here.
    pub(crate) fn of_hashes(hashes: &BTreeMap<String, String>) -> Option<Result<Self, String>> {
        if let Some(text) = hashes.get("sha256") {
            return Some(text.parse().map(Self::Sha256));
        }
        let text = hashes.get("sha512")?;
        let mut bytes = [0; 64];
        let read = hex::decode_to_slice(text, &mut bytes);
        Some(
            read.map(|()| Self::Sha512(bytes))
                .map_err(|error| format!("{text:?} is not a SHA-512 digest: {error}")),
        )
    }

    /// Whether these bytes are what was signed.
    pub(crate) fn matches(&self, bytes: &[u8], length: u64) -> bool {
        bytes.len() as u64 == length
            && match self {
                Self::Sha256(digest) => Digest::of(bytes) == *digest,
                Self::Sha512(digest) => Sha512::digest(bytes).as_slice() == digest,
            }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digest) => digest.fmt(formatter),
            Self::Sha512(digest) => formatter.write_str(&hex::encode(digest)),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut bytes = [0; 32];
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(format!("{text:?} is not lower-case hexadecimal"));
        }
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|error| format!("{text:?} is not a SHA-256 digest: {error}"))?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}
