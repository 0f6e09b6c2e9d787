//! The signed metadata of one repository: fetched by our transport, verified, and kept in our store.
//!
//! [`super::Client`] looks at releases through it, and so does `obnova-tuf-client`, which TUF's public conformance suite
//! drives: what the suite tests is what the product runs.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use sigstore_tuf::{TargetFile, TrustedMetadataSet, Updater, UpdaterConfig};
use tokio::runtime::Runtime;

use super::{Options, chain};
use crate::clock;
use crate::digest::Pin;
use crate::durable::{self, Lock};
use crate::error::Error;
use crate::store::{Failure, Store};
use crate::transport::{Limits, MetadataRepository, Transport};

/// The longest file that [`Look::download`] brings, bytes. Content of releases comes another way, and may be longer.
const MAX_TARGET: u64 = 64 << 20;

/// A repository, whom to trust in it, and what was seen there before. Blocking, as [`super::Client`].
#[derive(Debug)]
pub struct Repository {
    address: String,
    root: Vec<u8>,
    pub(crate) store: Store,
    pub(crate) transport: Transport,
    pub(crate) runtime: Runtime,
}

impl Repository {
    /// Opens the store; asks nobody yet. The product in `options` does not matter here.
    pub fn open(options: &Options, limits: Limits) -> Result<Self, Error> {
        TrustedMetadataSet::from_root(&options.root)
            .map_err(|error| Error::invalid("the trusted root.json", chain(&error)))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::local("the network cannot be used"))?;
        Ok(Self {
            address: options.source.to_string(),
            root: options.root.clone(),
            store: Store::open(&options.store)?,
            transport: Transport::new(&options.source, &options.authorities, limits)?,
            runtime,
        })
    }

    /// The address that is asked, for people.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Asks the repository for its newest metadata and verifies it. `now` is believed: see [`super::Client::refresh`] for
    /// which time is to be.
    pub fn look(&self, now: Timestamp) -> Result<Look<'_>, Error> {
        let lock = self.store.lock()?;
        let (store, failure) = self.store.for_updater();
        let mut config = UpdaterConfig::default();
        config.max_root_rotations = 256;
        let repository = MetadataRepository(self.transport.clone());
        let mut updater = Updater::new(repository, &self.root)
            .map_err(|error| self.explain(error))?
            .with_config(config)
            .with_store(store);
        let refreshed = self.runtime.block_on(updater.refresh(now));
        failure.check()?;
        refreshed.map_err(|error| self.explain(error))?;
        Ok(Look {
            repository: self,
            updater,
            failure,
            now,
            _lock: lock,
        })
    }

    /// When the newest timestamp of a complete look was signed, if its key is still trusted: whoever has stolen that key could
    /// set the time to an end at which everything has expired, and a new key must help against that.
    pub(super) fn signed_at(&self) -> Option<Timestamp> {
        let known = self.store.known().ok()??;
        let mut trusted = self.rooted(u64::MAX).ok()?;
        trusted
            .update_timestamp(known.timestamp.as_bytes(), Timestamp::UNIX_EPOCH)
            .ok()?;
        trusted.timestamp().and_then(clock::signed_at)
    }

    /// The first root and the kept ones after it, up to this version or to the last one that is kept.
    fn rooted(&self, version: u64) -> Result<TrustedMetadataSet, Error> {
        let untrusted = |error| self.explain(error);
        let mut trusted = TrustedMetadataSet::from_root(&self.root).map_err(untrusted)?;
        while trusted.root().version < version {
            let next = trusted.root().version + 1;
            let name = format!("root_history/{next}.root.json");
            let Some(root) = self.store.metadata(&name)? else {
                break;
            };
            trusted.update_root(&root).map_err(untrusted)?;
        }
        Ok(trusted)
    }

    /// The last complete set, verified again. It may have expired: dates are judged by whoever uses it.
    pub(super) fn known(&self) -> Result<Option<TrustedMetadataSet>, Error> {
        let Some(known) = self.store.known()? else {
            return Ok(None);
        };
        let untrusted = |error| self.explain(error);
        let mut trusted = self.rooted(known.root_version)?;
        if trusted.root().version != known.root_version {
            let missing = trusted.root().version + 1;
            return Err(Error::damaged(format!("{missing}.root.json"), "is missing"));
        }
        let long_ago = Timestamp::UNIX_EPOCH;
        trusted
            .update_timestamp(known.timestamp.as_bytes(), long_ago)
            .map_err(untrusted)?;
        trusted
            .update_snapshot(known.snapshot.as_bytes(), long_ago)
            .map_err(untrusted)?;
        trusted
            .update_targets(known.targets.as_bytes(), long_ago)
            .map_err(untrusted)?;
        Ok(Some(trusted))
    }

    /// The TUF library's error as one of ours.
    fn explain(&self, error: sigstore_tuf::Error) -> Error {
        use sigstore_tuf::Error as Tuf;
        match error {
            Tuf::Expired { role, expires } => Error::Expired { role, expires },
            Tuf::Transport {
                message,
                source: Some(source),
            } => match source.downcast::<Error>() {
                Ok(own) => *own,
                Err(source) => Error::unreachable(&self.address, format!("{message}: {source}")),
            },
            Tuf::Transport {
                message,
                source: None,
            } if message.starts_with("timestamp.json") => Error::unreachable(
                &self.address,
                "there is no release repository at this address",
            ),
            Tuf::Transport {
                message,
                source: None,
            } => Error::damaged(
                format!("the release repository at {}", self.address),
                message,
            ),
            error => Error::Untrusted {
                address: self.address.clone(),
                cause: Box::new(error),
            },
        }
    }
}

/// A repository as one look has found it. Nobody else looks through the same store while it lives.
#[derive(Debug)]
pub struct Look<'a> {
    repository: &'a Repository,
    updater: Updater,
    failure: Arc<Failure>,
    now: Timestamp,
    _lock: Lock,
}

impl Look<'_> {
    /// What was verified.
    pub(super) fn trusted(&self) -> &TrustedMetadataSet {
        self.updater.trusted()
    }

    /// Brings the signed file of this path to `to`, unless it is there already. Roles to whom the vendor's list delegates
    /// are asked too; releases themselves are listed without delegations.
    pub fn download(&mut self, path: &str, to: &Path) -> Result<(), Error> {
        let repository = self.repository;
        let found = repository
            .runtime
            .block_on(self.updater.get_target_info(path, self.now));
        self.failure.check()?;
        let found = found
            .map_err(|error| repository.explain(error))?
            .ok_or_else(|| Error::damaged(path, "is not listed in the repository"))?;
        let pin = pin(path, &found)?;
        let here = durable::read_limited(to, found.length);
        if here.is_ok_and(|bytes| pin.matches(&bytes, found.length)) {
            return Ok(());
        }
        let fetched = repository.transport.fetch_signed(path, found.length, &pin);
        let bytes = repository.runtime.block_on(fetched)?;
        durable::write(to, &bytes, 0o644).map_err(Error::local("a signed file cannot be kept"))
    }
}

fn pin(path: &str, file: &TargetFile) -> Result<Pin, Error> {
    if file.length > MAX_TARGET {
        return Err(Error::invalid(
            path,
            format!("is longer than {MAX_TARGET} bytes"),
        ));
    }
    Pin::of_hashes(&file.hashes)
        .ok_or_else(|| Error::invalid(path, "is listed without a digest that is known here"))?
        .map_err(|reason| Error::invalid(path, reason))
}
