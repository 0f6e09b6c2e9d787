//! Changing a repository: sign, check as a client would, write in a safe order.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};
use sigstore_tuf::{Root, TrustedMetadataSet};

use super::keyring::Keyring;
use super::state::{State, newest_number};
use super::{Role, Vendor, seconds};
use crate::clock;
use crate::digest::Digest;
use crate::durable::{self, Lock};
use crate::error::Error;

/// The TUF version that the metadata follows.
pub(super) const SPECIFICATION: &str = "1.0.31";

/// A repository that nobody else changes at the same time.
#[derive(Debug)]
pub(super) struct Repository {
    directory: PathBuf,
    _lock: Lock,
}

/// What becomes new besides `snapshot` and `timestamp`, which always do. Versions and dates are filled in.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) root: Option<Value>,
    pub(super) targets: Option<Value>,
}

/// New metadata, signed and checked.
struct Signed {
    root: Option<(u64, Vec<u8>)>,
    targets: Option<(u64, Vec<u8>)>,
    snapshot: (u64, Vec<u8>),
    timestamp: Vec<u8>,
    /// Clients that know the old root only accept it too.
    suits_old_root: bool,
}

impl Repository {
    pub(super) fn open(directory: &Path) -> Result<Self, Error> {
        let failed = || Error::local("the repository cannot be changed");
        durable::create_dir_all(&directory.join("metadata")).map_err(failed())?;
        durable::create_dir_all(&directory.join("targets")).map_err(failed())?;
        durable::create_dir_all(&directory.join("content")).map_err(failed())?;
        let lock = Lock::take(&directory.join(".lock")).map_err(failed())?;
        durable::remove_temporaries(&directory.join("metadata")).map_err(failed())?;
        Ok(Self {
            directory: directory.to_owned(),
            _lock: lock,
        })
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    pub(super) fn state(&self) -> Result<State, Error> {
        State::read(&self.path("metadata"))
    }

    /// Makes the first metadata.
    pub(super) fn begin(&self, vendor: &Vendor, ring: &Keyring, root: Value) -> Result<(), Error> {
        let targets = json!({ "_type": "targets", "spec_version": SPECIFICATION, "targets": {} });
        let change = Change {
            root: Some(root),
            targets: Some(targets),
        };
        let signed = self.sign(vendor, ring, None, change)?;
        self.write(signed)
    }

    /// Signs a change with the keys at hand, checks the result, and writes it.
    pub(super) fn change(
        &self,
        vendor: &Vendor,
        ring: &Keyring,
        old: &State,
        change: Change,
    ) -> Result<(), Error> {
        let signed = self.sign(vendor, ring, Some(old), change)?;
        self.write(signed)
    }

    fn sign(
        &self,
        vendor: &Vendor,
        ring: &Keyring,
        old: Option<&State>,
        change: Change,
    ) -> Result<Signed, Error> {
        let old_root = old.map(State::root);
        let root = change
            .root
            .map(|root| self.sign_root(vendor, ring, old_root, root))
            .transpose()?;
        let new_root = match &root {
            Some((_, bytes)) => Some(parse_root(bytes)?),
            None => None,
        };
        let roots: Vec<&Root> = new_root.iter().chain(old_root).collect();
        let (targets, pin) = match change.targets {
            Some(mut targets) => {
                let number = self.next("targets.json")?;
                stamp(vendor, Role::Targets, number, &mut targets)?;
                let bytes = ring.sign(Role::Targets, &targets, &roots)?;
                let pin = pin(number, &bytes);
                (Some((number, bytes)), pin)
            }
            None => (None, old_pin(old)?),
        };
        let number = self.next("snapshot.json")?;
        let mut snapshot = json!({
            "_type": "snapshot",
            "spec_version": SPECIFICATION,
            "meta": { "targets.json": pin },
        });
        stamp(vendor, Role::Snapshot, number, &mut snapshot)?;
        let snapshot = (number, ring.sign(Role::Snapshot, &snapshot, &roots)?);
        let timestamp = self.sign_timestamp(vendor, ring, old, &roots, &snapshot)?;
        let mut signed = Signed {
            root,
            targets,
            snapshot,
            timestamp,
            suits_old_root: true,
        };
        refuse_expired(vendor, old, &signed)?;
        self.check(vendor, old, &mut signed)?;
        Ok(signed)
    }

    fn sign_root(
        &self,
        vendor: &Vendor,
        ring: &Keyring,
        old: Option<&Root>,
        mut root: Value,
    ) -> Result<(u64, Vec<u8>), Error> {
        let number = old.map_or(1, |old| old.version + 1);
        stamp(vendor, Role::Root, number, &mut root)?;
        // The new root's keys are in it; the old root's keys have to agree as well.
        let unsigned = json!({ "signed": root, "signatures": [] }).to_string();
        let new = parse_root(unsigned.as_bytes())?;
        if let Some(old) = old {
            ring.demand(Role::Root, old)?;
        }
        let roots: Vec<&Root> = std::iter::once(&new).chain(old).collect();
        Ok((number, ring.sign(Role::Root, &root, &roots)?))
    }

    fn sign_timestamp(
        &self,
        vendor: &Vendor,
        ring: &Keyring,
        old: Option<&State>,
        roots: &[&Root],
        snapshot: &(u64, Vec<u8>),
    ) -> Result<Vec<u8>, Error> {
        let number = old
            .and_then(|old| old.trusted.timestamp())
            .map_or(1, |timestamp| timestamp.version + 1);
        let mut timestamp = json!({
            "_type": "timestamp",
            "spec_version": SPECIFICATION,
            "meta": { "snapshot.json": pin(snapshot.0, &snapshot.1) },
            clock::SIGNED_AT: seconds(vendor.now),
        });
        stamp(vendor, Role::Timestamp, number, &mut timestamp)?;
        ring.sign(Role::Timestamp, &timestamp, roots)
    }

    /// The next free number: also one that an interrupted publishing has used is not used again, as caches may have it.
    fn next(&self, name: &str) -> Result<u64, Error> {
        Ok(newest_number(&self.path("metadata"), name)?.map_or(1, |number| number + 1))
    }

    /// Verifies the new metadata the way a client does that has the old.
    fn check(
        &self,
        vendor: &Vendor,
        old: Option<&State>,
        signed: &mut Signed,
    ) -> Result<(), Error> {
        let wrong = |error: sigstore_tuf::Error| {
            Error::invalid("the new metadata", crate::client::chain(&error))
        };
        let first = match (old, &signed.root) {
            (Some(old), _) => &old.root_bytes,
            (None, Some((_, root))) => root,
            (None, None) => return Err(Error::invalid("the new metadata", "has no root")),
        };
        let mut trusted = TrustedMetadataSet::from_root(first).map_err(wrong)?;
        if let (Some(_), Some((_, root))) = (old, &signed.root) {
            signed.suits_old_root = self.verify(vendor, &mut trusted.clone(), signed).is_ok();
            trusted.update_root(root).map_err(wrong)?;
        }
        self.verify(vendor, &mut trusted, signed).map_err(wrong)
    }

    fn verify(
        &self,
        vendor: &Vendor,
        trusted: &mut TrustedMetadataSet,
        signed: &Signed,
    ) -> Result<(), sigstore_tuf::Error> {
        trusted.check_root_expired(vendor.now)?;
        trusted.update_timestamp(&signed.timestamp, vendor.now)?;
        trusted.update_snapshot(&signed.snapshot.1, vendor.now)?;
        if let Some((_, targets)) = &signed.targets {
            trusted.update_targets(targets, vendor.now)?;
        }
        Ok(())
    }

    fn write(&self, signed: Signed) -> Result<(), Error> {
        if let Some((number, bytes)) = &signed.targets {
            self.put(&format!("{number}.targets.json"), bytes)?;
        }
        let (number, bytes) = &signed.snapshot;
        self.put(&format!("{number}.snapshot.json"), bytes)?;
        // A reader must never see a root whose keys have not signed the timestamp, nor the other way round.
        if signed.suits_old_root {
            self.put("timestamp.json", &signed.timestamp)?;
        }
        if let Some((number, bytes)) = &signed.root {
            self.put(&format!("{number}.root.json"), bytes)?;
        }
        if !signed.suits_old_root {
            self.put("timestamp.json", &signed.timestamp)?;
        }
        Ok(())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        durable::write(&self.path("metadata").join(name), bytes, 0o644)
            .map_err(Error::local("the repository's metadata cannot be written"))
    }
}

/// What stays as it is must not have expired: no client would look at the rest.
fn refuse_expired(vendor: &Vendor, old: Option<&State>, signed: &Signed) -> Result<(), Error> {
    let Some(old) = old else { return Ok(()) };
    let stays = [
        (Role::Root, signed.root.is_none()),
        (Role::Targets, signed.targets.is_none()),
    ];
    for (role, stays) in stays {
        match expiry(&old.trusted, role) {
            Some(expires) if stays && expires < vendor.now => {
                return Err(Error::invalid(
                    format!("the metadata of {role}"),
                    format!(
                        "expired at {expires}; renew it with `obnova release resign --also {role}`"
                    ),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Writes version and expiry into a role's signed part.
fn stamp(vendor: &Vendor, role: Role, number: u64, signed: &mut Value) -> Result<(), Error> {
    signed["version"] = number.into();
    signed["expires"] = vendor.lifetimes.expiry(role, vendor.now)?.into();
    Ok(())
}

/// How one role's file names another.
fn pin(number: u64, bytes: &[u8]) -> Value {
    json!({
        "version": number,
        "length": bytes.len(),
        "hashes": { "sha256": Digest::of(bytes) },
    })
}

fn old_pin(old: Option<&State>) -> Result<Value, Error> {
    let missing = || Error::invalid("the repository", "has no list of releases");
    let pin = old
        .and_then(|old| old.trusted.snapshot())
        .and_then(|snapshot| snapshot.meta.get("targets.json"))
        .ok_or_else(missing)?;
    serde_json::to_value(pin).map_err(|error| Error::invalid("snapshot", error.to_string()))
}

fn parse_root(bytes: &[u8]) -> Result<Root, Error> {
    sigstore_tuf::Metadata::<Root>::from_slice(bytes)
        .map(sigstore_tuf::Metadata::into_signed)
        .map_err(|error| Error::invalid("the new root", crate::client::chain(&error)))
}

/// A role's date of expiry as of the repository's metadata.
pub(super) fn expiry(trusted: &TrustedMetadataSet, role: Role) -> Option<Timestamp> {
    match role {
        Role::Root => Some(trusted.root().expires),
        Role::Targets => trusted.targets_role("targets").map(|role| role.expires),
        Role::Snapshot => trusted.snapshot().map(|role| role.expires),
        Role::Timestamp => trusted.timestamp().map(|role| role.expires),
    }
}
