//! What a step is, and what it is given.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use obnova_release::{Description, InstalledRelease, Values, VerifiedRelease};
use semver::Version;

use crate::account::Account;
use crate::api::{Problem, Unit, UpdateId, UpdateKind};
use crate::copies::Keeping;
use crate::database::Database;
use crate::installation::Installation;
use crate::problem;
use crate::releases::Releases;
use crate::service::Service;
use crate::traffic::Traffic;

/// Inside a protected copy: what its revert returns.
pub(crate) const LAID_OUT: &str = "back";

/// One step of an update. `run` and `undo` are repeatable: after a crash they are called again, whatever they had done.
pub trait Step: Sync {
    /// Its name in the journal, in texts (`step-<name>`, dashes for underscores) and in [`crate::steps::of`]. Never
    /// reused for something else, since old journals hold it.
    fn name(&self) -> &'static str;

    /// What it will do here: the dry run. Technical English.
    fn plan(&self, cx: &Context) -> String;

    /// Does it; the answer is technical detail for the journal.
    ///
    /// # Errors
    /// It could not be done, or not completely; the whole update is undone.
    fn run(&self, cx: &Context) -> Result<Option<String>, Problem>;

    /// Makes all as it was before `run` began, however far that came.
    ///
    /// # Errors
    /// It could not be undone yet; it is tried again until it can.
    fn undo(&self, cx: &Context) -> Result<(), Problem>;
}

/// What a step works with.
pub struct Context<'a> {
    /// Where everything lies.
    pub installation: &'a Installation,
    /// The update.
    pub update: UpdateId,
    /// Whether it leads on or back.
    pub kind: UpdateKind,
    /// The version before.
    pub from: &'a Version,
    /// The version after.
    pub to: &'a Version,
    /// The signed release; absent when an interrupted update is undone or finished, which needs only what is on disk.
    pub release: Option<&'a VerifiedRelease>,
    /// The release repository.
    pub releases: &'a Releases,
    /// The database's driver.
    pub database: &'a dyn Database,
    /// The service's driver.
    pub service: &'a dyn Service,
    /// The fronts.
    pub traffic: &'a Traffic,
    /// Limits for holding requests.
    pub hold: crate::api::HoldLimits,
    /// Protected copies of finished updates, and which of them stay.
    pub keeping: Keeping,
    /// Data files, counted when their room was reckoned up; 0 while they have not been.
    pub data_files: AtomicU64,
    /// When everything is undone if the new version does not serve; set once requests are held.
    pub deadline: Option<Instant>,
    /// Told how far the step is: done, total, unit.
    pub progress: &'a (dyn Fn(u64, u64, Unit) + Sync),
    /// Set when the engine is to end.
    pub cancelled: &'a AtomicBool,
}

impl Context<'_> {
    /// What this update put in a safe place.
    pub fn protected(&self) -> PathBuf {
        self.installation.protected(self.update)
    }

    /// Where a revert lays out what it returns, until it is finished.
    pub fn laid_out(&self) -> PathBuf {
        self.protected().join(LAID_OUT)
    }

    /// Where that is moved when it has been used to go back, so that it can never be used again.
    pub fn used(&self) -> PathBuf {
        self.installation.used(self.update)
    }

    /// The facts of a version that is on disk.
    ///
    /// # Errors
    /// `release-damaged`: they cannot be read.
    pub fn installed(&self, version: &Version) -> Result<InstalledRelease, Problem> {
        installed(self.installation, version)
    }

    /// How long a wait may take: `limit`, or less when the deadline is nearer.
    pub fn at_most(&self, limit: Duration) -> Duration {
        match self.deadline {
            Some(deadline) => limit.min(deadline.saturating_duration_since(Instant::now())),
            None => limit,
        }
    }

    /// Refuses to go on after the deadline, or when the engine is to end.
    ///
    /// # Errors
    /// `deadline` or `interrupted`.
    pub fn may_go_on(&self, step: &str) -> Result<(), Problem> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Problem::new(problem::INTERRUPTED).arg("step", step));
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => {
                Err(Problem::new(problem::DEADLINE).arg("step", step))
            }
            _ => Ok(()),
        }
    }

    /// The command with `${tree}`, `${port}`, `${data}` and `${database}` filled in.
    pub fn command(&self, words: &[String], version: &Version, port: u16) -> Vec<String> {
        command(self.installation, self.database, words, version, port)
    }
}

/// The facts of a version that is on disk.
///
/// # Errors
/// `release-damaged`: they cannot be read.
pub fn installed(
    installation: &Installation,
    version: &Version,
) -> Result<InstalledRelease, Problem> {
    InstalledRelease::load(&installation.versions(), version).map_err(|error| {
        Problem::new(problem::RELEASE_DAMAGED)
            .arg("version", version)
            .detail(chain(&error))
    })
}

/// The command with `${tree}`, `${port}`, `${data}` and `${database}` filled in.
pub fn command(
    installation: &Installation,
    database: &dyn Database,
    words: &[String],
    version: &Version,
    port: u16,
) -> Vec<String> {
    let values = values(installation, database, version, port);
    words.iter().map(|word| values.fill(word)).collect()
}

fn values(
    installation: &Installation,
    database: &dyn Database,
    version: &Version,
    port: u16,
) -> Values {
    Values {
        tree: installation.tree(version).display().to_string(),
        port: port.to_string(),
        data: installation.data_dir().display().to_string(),
        database: database.url(),
    }
}

/// The environment of the application, its migrations and its check: little of the engine's, the database's, the release's
/// with its placeholders filled in, the installation's.
pub fn environment(
    installation: &Installation,
    database: &dyn Database,
    description: &Description,
    port: u16,
) -> Vec<(String, String)> {
    let values = values(installation, database, &description.version, port);
    let inherited = ["PATH", "HOME", "LANG", "TZ"]
        .into_iter()
        .filter_map(|name| {
            let value = std::env::var(name).ok()?;
            Some((name.to_owned(), value))
        });
    let release = description
        .server
        .env
        .iter()
        .map(|(name, value)| (name.clone(), values.fill(value)));
    // The account's own, where it is another; one that does not exist is refused when it is to be used.
    let account = Account::of(&installation.service).ok().flatten();
    let account = account.iter().flat_map(Account::env);
    inherited
        .chain(account)
        .chain(database.env())
        .chain(release)
        .chain(installation.service.env.clone())
        .collect()
}

/// An error with all of its causes, for a problem's detail.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
