//! Asking a release repository, and believing only what is signed.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;
use sigstore_tuf::metadata::Role as _;
use sigstore_tuf::{TrustedMetadataSet, Updater, UpdaterConfig};
use tokio::runtime::Runtime;

use crate::catalog::{Catalog, VerifiedRelease};
use crate::clock;
use crate::download::{self, Destination};
use crate::error::Error;
use crate::source::Source;
use crate::store::Store;
use crate::transport::{Limits, MetadataRepository, Transport};

pub(crate) mod assemble;

/// Whom to ask, whom to trust, and where to keep what was verified.
#[derive(Debug, Clone)]
pub struct Options {
    /// The repository.
    pub source: Source,
    /// The bytes of a `root.json` that came with the installation, not from the repository: the beginning of all trust.
    pub root: Vec<u8>,
    /// A directory for verified metadata. It must survive: it is what keeps anybody from leading back to old releases.
    pub store: PathBuf,
    /// The product whose releases are wanted.
    pub product: String,
}

/// A client of one release repository. Blocking; not to be called from inside an asynchronous run time.
#[derive(Debug)]
pub struct Client {
    options: Options,
    store: Store,
    transport: Transport,
    runtime: Runtime,
}

impl Client {
    /// Opens the store; asks nobody yet.
    pub fn open(options: Options) -> Result<Self, Error> {
        Self::open_with(options, Limits::default())
    }

    /// Like [`Client::open`], with other limits of time and speed.
    pub fn open_with(options: Options, limits: Limits) -> Result<Self, Error> {
        TrustedMetadataSet::from_root(&options.root)
            .map_err(|error| Error::invalid("the trusted root.json", chain(&error)))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::local("the network cannot be used"))?;
        Ok(Self {
            store: Store::open(&options.store)?,
            transport: Transport::new(&options.source, limits)?,
            options,
            runtime,
        })
    }

    /// The address that is asked, for people.
    pub fn address(&self) -> String {
        self.options.source.to_string()
    }

    /// Asks the repository which releases there are.
    pub fn refresh(&self, now: Timestamp) -> Result<Catalog, Error> {
        let _lock = self.store.lock()?;
        let known = self.verified_known();
        let now = clock::latest(now, known.as_ref().and_then(known_signed_at));
        let (store, failure) = self.store.for_updater();
        let mut config = UpdaterConfig::default();
        config.max_root_rotations = 256;
        let mut updater = Updater::new(
            MetadataRepository(self.transport.clone()),
            &self.options.root,
        )
        .map_err(|error| self.explain(error))?
        .with_config(config)
        .with_store(store);
        let refreshed = self.runtime.block_on(updater.refresh(now));
        failure.check()?;
        refreshed.map_err(|error| self.explain(error))?;
        let trusted = updater.trusted();
        let expected = assemble::expected(trusted, &self.options.product)?;
        self.runtime
            .block_on(assemble::fetch(&expected, &self.transport, &self.store))?;
        let catalog = assemble::assemble(trusted, &expected, &self.store, now)?;
        self.runtime.block_on(assemble::fetch_newest_trees(
            &catalog,
            &self.transport,
            &self.store,
        ));
        self.store.keep_known(trusted.root().version)?;
        assemble::forget_old(&expected, &self.store);
        Ok(catalog)
    }

    /// What the last complete [`Client::refresh`] found, verified again, without the network. `None` if there was none.
    ///
    /// Its metadata may have expired since; then it is fine for showing, [`Catalog::expires`] says so, and
    /// [`Client::download`] refuses it.
    pub fn known(&self, now: Timestamp) -> Result<Option<Catalog>, Error> {
        let Some(trusted) = self.verified_known() else {
            return Ok(None);
        };
        let now = clock::latest(now, known_signed_at(&trusted));
        let expected = assemble::expected(&trusted, &self.options.product)?;
        let mut catalog = assemble::assemble(&trusted, &expected, &self.store, now)?;
        // A look that failed half-way may have learnt that a key of this set is not trusted any more.
        let next = trusted.root().version + 1;
        if self
            .store
            .metadata(&format!("root_history/{next}.root.json"))?
            .is_some()
        {
            catalog.expire();
        }
        Ok(Some(catalog))
    }

    /// Makes `<versions>/<version>/` out of a release: takes what is in other versions already, downloads the rest,
    /// checks everything. Whatever happens, that directory is whole or not there. May be repeated.
    ///
    /// `progress` gets the bytes downloaded and to be downloaded. Setting `cancelled` ends it with
    /// [`Error::Interrupted`] within a fraction of a second; what was downloaded is kept for the next time.
    pub fn download(
        &self,
        release: &VerifiedRelease,
        to: &Destination,
        progress: &mut dyn FnMut(u64, u64),
        cancelled: &AtomicBool,
    ) -> Result<(), Error> {
        if !release.is_fresh() {
            return Err(Error::Expired {
                role: "of this release's catalogue".into(),
                expires: release.facts.expires,
            });
        }
        self.runtime.block_on(download::run(
            &self.transport,
            release,
            to,
            progress,
            cancelled,
        ))
    }

    /// The last complete set, if its signatures hold; what was damaged on this disk is as good as nothing.
    fn verified_known(&self) -> Option<TrustedMetadataSet> {
        match self.verify_known() {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(error = %error.chain(), "the kept release metadata is of no use");
                None
            }
        }
    }

    fn verify_known(&self) -> Result<Option<TrustedMetadataSet>, Error> {
        let Some(known) = self.store.known()? else {
            return Ok(None);
        };
        let untrusted = |error| self.explain(error);
        let mut trusted = TrustedMetadataSet::from_root(&self.options.root).map_err(untrusted)?;
        while trusted.root().version < known.root_version {
            let next = trusted.root().version + 1;
            let root = self
                .store
                .metadata(&format!("root_history/{next}.root.json"))?
                .ok_or_else(|| Error::damaged(format!("{next}.root.json"), "is missing"))?;
            trusted.update_root(&root).map_err(untrusted)?;
        }
        // Expired metadata may be shown: dates are judged by whoever uses the catalogue.
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
                Err(source) => Error::unreachable(self.address(), format!("{message}: {source}")),
            },
            Tuf::Transport {
                message,
                source: None,
            } if message.starts_with("timestamp.json") => Error::unreachable(
                self.address(),
                "there is no release repository at this address",
            ),
            Tuf::Transport {
                message,
                source: None,
            } => Error::damaged(
                format!("the release repository at {}", self.address()),
                message,
            ),
            error => Error::Untrusted {
                address: self.address(),
                cause: Box::new(error),
            },
        }
    }
}

/// When the metadata of a set ends to be valid: the first of its files to expire.
fn expires(trusted: &TrustedMetadataSet) -> Timestamp {
    [
        Some(trusted.root().expires()),
        trusted.timestamp().map(|role| role.expires()),
        trusted.snapshot().map(|role| role.expires()),
        trusted.targets_role("targets").map(|role| role.expires()),
    ]
    .into_iter()
    .flatten()
    .min()
    .unwrap_or(Timestamp::UNIX_EPOCH)
}

fn known_signed_at(trusted: &TrustedMetadataSet) -> Option<Timestamp> {
    trusted.timestamp().and_then(clock::signed_at)
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
