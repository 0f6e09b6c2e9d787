//! Asking a release repository, and believing only what is signed.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;
use sigstore_tuf::TrustedMetadataSet;
use sigstore_tuf::metadata::Role as _;

use crate::catalog::{Catalog, VerifiedRelease};
use crate::clock;
use crate::download::{self, Destination};
use crate::error::Error;
use crate::source::Source;
use crate::transport::Limits;

pub(crate) mod assemble;
mod repository;

pub use repository::{Look, Repository};

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
    /// Certificate authorities to believe besides those of the operating system, as PEM: for a repository inside a company.
    /// Empty: none.
    pub authorities: Vec<u8>,
}

/// A client of one release repository. Blocking; not to be called from inside an asynchronous run time.
#[derive(Debug)]
pub struct Client {
    product: String,
    pub(crate) repository: Repository,
}

impl Client {
    /// Opens the store; asks nobody yet.
    pub fn open(options: Options) -> Result<Self, Error> {
        Self::open_with(options, Limits::default())
    }

    /// Like [`Client::open`], with other limits of time and speed.
    pub fn open_with(options: Options, limits: Limits) -> Result<Self, Error> {
        Ok(Self {
            repository: Repository::open(&options, limits)?,
            product: options.product,
        })
    }

    /// The address that is asked, for people.
    pub fn address(&self) -> String {
        self.repository.address().to_owned()
    }

    /// Asks the repository which releases there are. A clock that stands before what is known to be past is not believed.
    pub fn refresh(&self, now: Timestamp) -> Result<Catalog, Error> {
        let catalog = self.look(now)?;
        let Repository {
            store,
            transport,
            runtime,
            ..
        } = &self.repository;
        runtime.block_on(assemble::fetch_newest_trees(&catalog, transport, store));
        Ok(catalog)
    }

    /// As [`Client::refresh`], for a Desktop: without the file lists of servers.
    pub fn refresh_desktops(&self, now: Timestamp) -> Result<Catalog, Error> {
        self.look(now)
    }

    /// Brings a release's file list, so that [`VerifiedRelease::download_bytes`] is exact.
    pub fn fetch_list(&self, release: &VerifiedRelease) -> Result<(), Error> {
        if release.local_tree().is_some() {
            return Ok(());
        }
        let Repository {
            store,
            transport,
            runtime,
            ..
        } = &self.repository;
        let target = &release.facts.tree_target;
        runtime.block_on(assemble::fetch_one(target, transport, store))
    }

    /// What the last complete [`Client::refresh`] found, verified again, without the network. `None` if there was none.
    ///
    /// Its metadata may have expired since; then it is fine for showing, [`Catalog::expires`] says so, and
    /// [`Client::download`] refuses it.
    pub fn known(&self, now: Timestamp) -> Result<Option<Catalog>, Error> {
        let Some(trusted) = self.verified_known() else {
            return Ok(None);
        };
        let now = clock::latest(now, self.repository.signed_at());
        let expected = assemble::expected(&trusted, &self.product)?;
        let mut catalog = assemble::assemble(&trusted, &expected, &self.repository.store, now)?;
        // A look that failed half-way may have learnt that a key of this set is not trusted any more.
        let next = trusted.root().version + 1;
        if self
            .repository
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
        self.repository.runtime.block_on(download::run(
            &self.repository.transport,
            release,
            to,
            progress,
            cancelled,
        ))
    }

    fn look(&self, now: Timestamp) -> Result<Catalog, Error> {
        let Repository {
            store,
            transport,
            runtime,
            ..
        } = &self.repository;
        let floor = self.repository.signed_at();
        let now_here = now;
        let mut now = clock::latest(now_here, floor);
        let mut looked = self.repository.look(now);
        // The look may have found that the key is not trusted any more that set the time.
        if let (Err(Error::Expired { .. }), Some(_), None) =
            (&looked, floor, self.repository.signed_at())
        {
            now = clock::latest(now_here, None);
            looked = self.repository.look(now);
        }
        let look = looked?;
        let trusted = look.trusted();
        let expected = assemble::expected(trusted, &self.product)?;
        runtime.block_on(assemble::fetch(&expected, transport, store))?;
        let catalog = assemble::assemble(trusted, &expected, store, now)?;
        store.keep_known(trusted.root().version)?;
        assemble::forget_old(&expected, store);
        Ok(catalog)
    }

    /// The last complete set, if its signatures hold; what was damaged on this disk is as good as nothing.
    fn verified_known(&self) -> Option<TrustedMetadataSet> {
        match self.repository.known() {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(error = %error.chain(), "the kept release metadata is of no use");
                None
            }
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
