//! Which version belongs here: the server says which one it is, the vendor's signatures say what that means.

use jiff::{SignedDuration, Timestamp};
use obnova_release::{Catalog, VerifiedRelease, matches};
use semver::{Version, VersionReq};
use serde::Serialize;

use crate::desktop::Desktop;
use crate::error::{Code, Error};
use crate::news::{self, Notes, passed};
use crate::platform;
use crate::pointer::{Offered, Pointer, Quarantined};

/// What a look at the server found.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// The version of the server component.
    pub server: Version,
    /// What is here; nothing before the first installation.
    pub current: Option<Version>,
    /// The Desktop versions that work with the server.
    pub range: Option<VersionReq>,
    /// What should be here instead; nothing when the right version is here.
    pub wanted: Option<Wanted>,
}

/// A version that should be here. Only [`Desktop::check`] makes one.
#[derive(Debug, Clone, Serialize)]
pub struct Wanted {
    /// The version.
    pub version: Version,
    /// The product's name for people.
    pub name: String,
    /// Newer or older than what is here.
    pub direction: Direction,
    /// The version that is here does not work with the server: it cannot be put off.
    pub required: bool,
    /// Until when the user may say *Later*; nothing when there is no such time.
    pub later_until: Option<Timestamp>,
    /// Bytes to download, those that are here already not counted.
    pub download_bytes: u64,
    /// Bytes on the disk.
    pub tree_bytes: u64,
    /// Why it is not installed by itself: it failed here, or was left by hand.
    pub quarantined: Option<Quarantined>,
    /// What is new, newest version first: version, and Markdown by language. Empty on the way down.
    pub notes: Vec<Notes>,
    /// What is limited while the user does not update, as the vendor says, newest version first. Empty on the way down.
    pub limited: Vec<Notes>,
    #[serde(skip)]
    pub(crate) release: VerifiedRelease,
}

/// Which way an update goes. Both are done in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Nothing is here yet.
    Install,
    /// To a newer version.
    Up,
    /// To an older version, as the server is older.
    Down,
}

impl Desktop {
    /// Asks the server, and verifies what its copy of the releases says. Tells the server what it has not been told yet.
    ///
    /// # Errors
    /// The server cannot be reached, is another one, is not to be trusted, or has no Desktop for this computer. What is here
    /// runs on.
    pub fn check(&self) -> Result<Found, Error> {
        let network = self.network()?;
        let network = network.get()?;
        let hello = network.server.hello()?;
        if hello.product != self.configuration.product {
            let address = &self.configuration.server;
            let wrong = Error::new(Code::WrongServer).arg("address", address);
            return Err(wrong.detail(format!("it serves {:?}", hello.product)));
        }
        self.report(&network.server);
        let catalog = network.client.refresh_desktops(Timestamp::now());
        let catalog = catalog.map_err(|error| self.place(error))?;
        let platform = platform::name();
        let release = catalog.desktop_for(&hello.server, hello.desktop.as_ref(), &platform)?;
        let version = release.description().version.clone();
        let offered = self.remember(&hello.server, &version)?;
        let current = offered.0;
        let range = catalog.desktop_range(&hello.server).cloned();
        let wanted = match current.as_ref() == Some(&version) {
            true => None,
            false => {
                network
                    .client
                    .fetch_list(&release)
                    .map_err(|error| self.place(error))?;
                Some(self.wanted(
                    &catalog,
                    release,
                    current.as_ref(),
                    range.as_ref(),
                    offered.1,
                ))
            }
        };
        Ok(Found {
            server: hello.server,
            current,
            range,
            wanted,
        })
    }

    fn wanted(
        &self,
        catalog: &Catalog,
        release: VerifiedRelease,
        current: Option<&Version>,
        range: Option<&VersionReq>,
        (since, quarantined): (Timestamp, Option<Quarantined>),
    ) -> Wanted {
        let version = release.description().version.clone();
        let fits = |current: &Version| {
            range.is_none_or(|range| matches(range, current))
                && catalog
                    .desktop_minimum()
                    .is_none_or(|minimum| current >= minimum)
        };
        let required = !current.is_some_and(fits);
        let hours = self.policy.deadline_hours.map(i64::from);
        let deadline =
            hours.and_then(|hours| since.checked_add(SignedDuration::from_hours(hours)).ok());
        let passed = match current {
            Some(current) => passed(catalog, current, &release),
            None => vec![],
        };
        let notes = news::notes(&passed, |description| Some(&description.notes));
        let limited = news::notes(&passed, |description| {
            Some(&description.desktop.as_ref()?.limited)
        });
        Wanted {
            direction: match current {
                None => Direction::Install,
                Some(current) if *current < version => Direction::Up,
                Some(_) => Direction::Down,
            },
            required,
            later_until: deadline.filter(|_| !required),
            download_bytes: release.download_bytes(&self.layout.destination()),
            tree_bytes: release.tree_bytes(),
            quarantined,
            notes,
            limited,
            name: release.description().name.clone(),
            version,
            release,
        }
    }

    /// Keeps what the server is, and since when this version is offered: *Later* has an end.
    #[allow(clippy::type_complexity)]
    fn remember(
        &self,
        server: &Version,
        wanted: &Version,
    ) -> Result<(Option<Version>, (Timestamp, Option<Quarantined>)), Error> {
        let unchanged = |pointer: &Pointer| {
            let since = match pointer.version() == Some(wanted) {
                true => pointer.wanted.is_none(),
                false => pointer
                    .wanted
                    .as_ref()
                    .is_some_and(|offered| offered.version == *wanted),
            };
            since && pointer.server.as_ref() == Some(server)
        };
        let mut pointer = Pointer::read(&self.layout)?;
        if !unchanged(&pointer) {
            let mut state = self.state()?;
            state.pointer.server = Some(server.clone());
            if state.pointer.version() == Some(wanted) {
                state.pointer.wanted = None;
            } else if state
                .pointer
                .wanted
                .as_ref()
                .is_none_or(|offered| offered.version != *wanted)
            {
                state.pointer.wanted = Some(Offered {
                    version: wanted.clone(),
                    since: Timestamp::now(),
                });
            }
            state.save()?;
            pointer = state.pointer.clone();
        }
        let since = pointer
            .wanted
            .as_ref()
            .map_or_else(Timestamp::now, |offered| offered.since);
        let quarantined = pointer.quarantine.get(wanted).cloned();
        Ok((pointer.version().cloned(), (since, quarantined)))
    }

    /// An error of the server's copy names the server.
    pub(crate) fn place(&self, error: obnova_release::Error) -> Error {
        Error::from(error).arg("address", &self.configuration.server)
    }
}
