//! One signing key: Ed25519, in a PKCS#8 file that only its owner can read.

use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use super::Role;
use crate::durable;
use crate::error::Error;
use crate::system;

/// The longest key file, bytes.
const MAX_LENGTH: u64 = 16 << 10;

/// A private key. Its secret is never shown, not even with `{:?}`.
pub(super) struct Key {
    pub(super) id: String,
    pub(super) path: PathBuf,
    pair: Ed25519KeyPair,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Key")
            .field("id", &self.id)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// Makes a key and its file `<role>-<beginning of its id>.pem`.
    pub(super) fn generate(role: Role, directory: &Path) -> Result<Self, Error> {
        let failed = |_| Error::invalid("new key", "the random number generator failed");
        let pair = Ed25519KeyPair::generate().map_err(failed)?;
        let document = pair.to_pkcs8v1().map_err(failed)?;
        let id = key_id(&public_value(&pair))?;
        let path = directory.join(format!("{role}-{}.pem", &id[..12]));
        let cannot_write = || Error::local("the key cannot be kept");
        if !directory.is_dir() {
            durable::create_dir_all(directory).map_err(cannot_write())?;
            durable::set_mode(directory, 0o700).map_err(cannot_write())?;
        }
        let text = pem::encode(&pem::Pem::new("PRIVATE KEY", document.as_ref()));
        durable::write(&path, text.as_bytes(), 0o600).map_err(cannot_write())?;
        Ok(Self { id, path, pair })
    }

    /// Reads a PKCS#8 file, PEM (`.pem`) or DER.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let cannot_read = || Error::local(format!("the key {shown} cannot be read"));
        let mode = system::mode(&std::fs::metadata(path).map_err(cannot_read())?);
        if let Some(mode) = mode.filter(|mode| mode & 0o077 != 0) {
            return Err(Error::invalid(
                &shown,
                format!(
                    "is a key that others can read (mode {:o}); chmod 600 it, or mount its file system with umask=077",
                    mode
                ),
            ));
        }
        let bytes = durable::read_limited(path, MAX_LENGTH).map_err(cannot_read())?;
        let der = if bytes.starts_with(b"-----BEGIN") {
            pem::parse(&bytes)
                .map_err(|error| Error::invalid(&shown, error.to_string()))?
                .into_contents()
        } else {
            bytes
        };
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
            .map_err(|error| Error::invalid(&shown, format!("is not an Ed25519 key: {error}")))?;
        Ok(Self {
            id: key_id(&public_value(&pair))?,
            path: path.to_owned(),
            pair,
        })
    }

    /// The public half, as root metadata lists it.
    pub(super) fn public(&self) -> Value {
        public_value(&self.pair)
    }

    /// The signature over these bytes, as metadata holds it.
    pub(super) fn sign(&self, bytes: &[u8]) -> Value {
        json!({ "keyid": self.id, "sig": hex::encode(self.pair.sign(bytes).as_ref()) })
    }
}

fn public_value(pair: &Ed25519KeyPair) -> Value {
    json!({
        "keytype": "ed25519",
        "scheme": "ed25519",
        "keyval": { "public": hex::encode(pair.public_key().as_ref()) },
    })
}

fn key_id(public: &Value) -> Result<String, Error> {
    let invalid = |reason: String| Error::invalid("public key", reason);
    let key: sigstore_tuf::Key =
        serde_json::from_value(public.clone()).map_err(|error| invalid(error.to_string()))?;
    key.key_id().map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_made_and_only_its_owner_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("keys");
        let made = Key::generate(Role::Targets, &place).unwrap();
        let read = Key::read(&made.path).unwrap();
        assert_eq!(read.id, made.id);
        assert_eq!(read.sign(b"x"), made.sign(b"x"));
        let mode = |path: &Path| system::mode(&std::fs::metadata(path).unwrap());
        // Where there are no permission bits, nothing can be wrong with them.
        let Some(of_key) = mode(&made.path) else {
            return;
        };
        assert_eq!((of_key, mode(&place)), (0o600, Some(0o700)));
        durable::set_mode(&made.path, 0o640).unwrap();
        let refused = Key::read(&made.path).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }

    #[test]
    fn a_secret_is_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let key = Key::generate(Role::Root, directory.path()).unwrap();
        let text = std::fs::read_to_string(&key.path).unwrap();
        let secret = text.lines().nth(1).unwrap();
        assert!(!format!("{key:?}").contains(secret));
    }

    #[test]
    fn der_files_are_read_too() {
        let directory = tempfile::tempdir().unwrap();
        let key = Key::generate(Role::Root, directory.path()).unwrap();
        let der = pem::parse(std::fs::read(&key.path).unwrap()).unwrap();
        let path = directory.path().join("root.der");
        durable::write(&path, der.contents(), 0o600).unwrap();
        assert_eq!(Key::read(&path).unwrap().id, key.id);
    }
}
