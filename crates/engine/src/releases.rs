//! The release repository as the engine sees it: what was last found there, and what of it can be installed here.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use obnova_release::{
    Catalog, Channel, Client, Destination, Error, ErrorKind, Options, VerifiedRelease,
};
use semver::Version;

use crate::api::{Check, Offer, Problem, ReleaseNotes};
use crate::durable;
use crate::installation::Installation;
use crate::problem;
use crate::state::History;
use crate::step::chain;

mod desktops;

/// The release repository.
pub struct Releases {
    source: String,
    client: Client,
    destination: Destination,
    /// When the repository was last asked.
    checked: PathBuf,
    found: Mutex<Found>,
    kept: Mutex<Option<(Facts, Option<Offer>)>>,
}

/// What an offer depends on: the look, the installed version, the channel, and how many updates have ended.
type Facts = (Timestamp, Version, String, usize);

/// The result of the last look.
#[derive(Default)]
struct Found {
    at: Option<Timestamp>,
    problem: Option<Problem>,
    catalog: Option<Catalog>,
}

/// Where an installation's releases are downloaded to.
pub fn destination(installation: &Installation) -> Destination {
    Destination {
        content: installation.state_dir.join("content"),
        versions: installation.versions(),
    }
}

impl Releases {
    /// Opens the local store, with what was found there by an earlier look.
    ///
    /// # Errors
    /// `configuration`: source or root of trust are not usable.
    pub fn open(installation: &Installation) -> Result<Releases, Problem> {
        let root_path = &installation.releases.root;
        let wrong = |path: &dyn std::fmt::Display, detail: String| {
            Problem::new(problem::CONFIGURATION)
                .arg("path", path)
                .detail(detail)
        };
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| wrong(&path.display(), error.to_string()))
        };
        let root = read(root_path)?;
        let authorities = installation.releases.authorities.as_ref();
        let source = &installation.releases.source;
        let client = Client::open(Options {
            source: source
                .parse()
                .map_err(|error: Error| wrong(source, chain(&error)))?,
            root,
            store: installation.state_dir.join("tuf"),
            product: installation.product.clone(),
            authorities: authorities.map(read).transpose()?.unwrap_or_default(),
        })
        .map_err(|error| wrong(source, chain(&error)))?;
        let checked = installation.state_dir.join("checked");
        // Only shown to people; without it they are told that nobody has looked yet.
        let at = std::fs::read_to_string(&checked)
            .ok()
            .and_then(|text| text.parse().ok());
        let mut found = Found {
            at,
            ..Found::default()
        };
        match client.known(Timestamp::now()) {
            Ok(catalog) => found.catalog = catalog,
            Err(error) => tracing::warn!(
                error = chain(&error),
                "what was known of the repository cannot be used"
            ),
        }
        let (source, destination) = (source.clone(), destination(installation));
        Ok(Releases {
            source,
            client,
            destination,
            checked,
            found: Mutex::new(found),
            kept: Mutex::new(None),
        })
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the repository. A failure is remembered beside what was known.
    pub fn refresh(&self) {
        let now = Timestamp::now();
        let result = self.client.refresh(now);
        let mut found = self.found();
        found.at = Some(now);
        if let Err(error) = durable::write(&self.checked, now.to_string().as_bytes(), 0o644) {
            tracing::warn!(%error, "the time of this look could not be kept");
        }
        match result {
            Ok(catalog) => {
                found.catalog = Some(catalog);
                found.problem = None;
            }
            Err(error) => found.problem = Some(self.problem(&error, None)),
        }
    }

    /// What the last look found, for an installation of this version with this history. `None` before the first look.
    pub fn check(&self, installed: &Version, channel: &str, history: &History) -> Option<Check> {
        let found = self.found();
        let at = found.at?;
        let offer = found
            .catalog
            .as_ref()
            .and_then(|catalog| self.kept_offer(catalog, at, installed, channel, history));
        let metadata_expires = found.catalog.as_ref().map(Catalog::expires);
        let problem = found.problem.clone();
        let catalog = found.catalog.as_ref();
        Some(Check {
            at,
            problem: problem.or_else(|| unreadable(catalog?, installed, channel)),
            offer,
            metadata_expires,
        })
    }

    /// Made once for the same facts: it looks at every file of the release, and is asked for with every page.
    fn kept_offer(
        &self,
        catalog: &Catalog,
        at: Timestamp,
        installed: &Version,
        channel: &str,
        history: &History,
    ) -> Option<Offer> {
        let ended = history
            .updates()
            .iter()
            .filter(|update| !update.is_open())
            .count();
        let facts = (at, installed.clone(), channel.to_owned(), ended);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((of, offer)) if *of == facts => offer.clone(),
            _ => {
                let offer = self.make_offer(catalog, installed, channel, history, None);
                *kept = Some((facts, offer.clone()));
                offer
            }
        }
    }

    /// What the last look found about this version, or about the newest; `None` when there is nothing newer.
    pub fn offer(
        &self,
        installed: &Version,
        channel: &str,
        history: &History,
        to: Option<&Version>,
    ) -> Option<Offer> {
        let found = self.found();
        self.make_offer(found.catalog.as_ref()?, installed, channel, history, to)
    }

    fn make_offer(
        &self,
        catalog: &Catalog,
        installed: &Version,
        channel: &str,
        history: &History,
        to: Option<&Version>,
    ) -> Option<Offer> {
        let channel = self::channel(channel);
        let mut obstacles = Vec::new();
        let found = match to {
            Some(version) => catalog.route_to(installed, channel, version),
            None => catalog.route(installed, channel),
        };
        let (version, route) = match found {
            Ok(None) => return None,
            Ok(Some(route)) => {
                let hops: Vec<Version> = route
                    .hops
                    .iter()
                    .map(|hop| hop.description().version.clone())
                    .collect();
                (hops.last()?.clone(), hops)
            }
            Err(no_route) => {
                obstacles.push(
                    Problem::new(problem::SOURCE_VERSION)
                        .arg("version", &no_route.newest)
                        .arg("installed", installed)
                        .arg("range", &no_route.range),
                );
                (no_route.newest.clone(), vec![])
            }
        };
        let failed = route.iter().find(|version| history.failed_before(version));
        obstacles.extend(
            failed.map(|version| Problem::new(problem::FAILED_BEFORE).arg("version", version)),
        );
        let may_insist = obstacles.len() == 1 && failed.is_some();
        let notes = catalog
            .notes_between(installed, &version, channel)
            .into_iter()
            .map(notes)
            .collect();
        let on_route = catalog
            .releases()
            .iter()
            .filter(|release| route.contains(&release.description().version));
        let download_bytes = on_route
            .map(|release| release.download_bytes(&self.destination))
            .sum();
        let proof = catalog.release(&version).and_then(|it| it.proof().cloned());
        Some(Offer {
            version,
            route,
            proof,
            notes,
            obstacles,
            may_insist,
            rehearsal: None,
            download_bytes,
        })
    }

    /// A release that was found, by its version.
    pub fn release(&self, version: &Version) -> Option<VerifiedRelease> {
        let found = self.found();
        let releases = found.catalog.as_ref()?.releases();
        releases
            .iter()
            .find(|release| release.description().version == *version)
            .cloned()
    }

    /// Downloads and lays out a release; see [`Client::download`].
    ///
    /// # Errors
    /// `repository-unreachable`, `release-damaged`, `download-failed`, `system`.
    pub fn download(
        &self,
        release: &VerifiedRelease,
        progress: &mut dyn FnMut(u64, u64),
        cancelled: &AtomicBool,
    ) -> Result<(), Problem> {
        let downloaded = self
            .client
            .download(release, &self.destination, progress, cancelled);
        // It said how much there is to download.
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
        downloaded.map_err(|error| self.problem(&error, Some(&release.description().version)))
    }

    fn problem(&self, error: &Error, version: Option<&Version>) -> Problem {
        let code = match error.kind() {
            ErrorKind::Unreachable => problem::REPOSITORY_UNREACHABLE,
            ErrorKind::Interrupted => problem::DOWNLOAD_FAILED,
            ErrorKind::Damaged => problem::RELEASE_DAMAGED,
            ErrorKind::Untrusted | ErrorKind::Invalid => problem::REPOSITORY_UNTRUSTED,
            ErrorKind::Local => problem::SYSTEM,
        };
        let problem = Problem::new(code)
            .arg("source", &self.source)
            .arg("path", self.destination.content.display())
            .detail(chain(error));
        match version {
            Some(version) => problem.arg("version", version),
            None => problem,
        }
    }
}

/// What there is and cannot be read: the way ends before it.
fn unreadable(catalog: &Catalog, installed: &Version, channel: &str) -> Option<Problem> {
    let ahead = catalog.unreadable(installed, self::channel(channel));
    let versions: Vec<String> = ahead.iter().map(|it| it.version.to_string()).collect();
    let why: Vec<&str> = ahead.iter().map(|it| it.why.as_str()).collect();
    (!ahead.is_empty()).then(|| {
        Problem::new(problem::RELEASE_UNREADABLE)
            .arg("version", versions.join(", "))
            .detail(why.join("\n"))
    })
}

fn channel(name: &str) -> Channel {
    if name == "beta" {
        Channel::Beta
    } else {
        Channel::Stable
    }
}

fn notes(release: &VerifiedRelease) -> ReleaseNotes {
    let description = release.description();
    ReleaseNotes {
        version: description.version.clone(),
        date: description.date.to_string(),
        text: description.notes.clone(),
    }
}
