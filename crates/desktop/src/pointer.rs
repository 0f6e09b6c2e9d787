//! `pointer.json`: which version runs, and all that a start depends on, in one file that is replaced in one instant.

use std::collections::BTreeMap;

use jiff::Timestamp;
use obnova_release::durable;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::layout::Layout;
use crate::machine::Machine;
use crate::moment;

const FORMAT: u64 = 1;
/// The longest file that is read, bytes.
const MAX_LENGTH: u64 = 4 << 20;
/// Reports that wait for a server that is not there; older ones are forgotten.
const MOST_REPORTS: usize = 50;

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pointer {
    format: u64,
    /// What runs; nothing before the first installation.
    pub(crate) current: Option<Installed>,
    /// What to go back to.
    pub(crate) previous: Option<Installed>,
    /// `current` has not yet confirmed that it works.
    pub(crate) trial: Option<Trial>,
    /// Versions that are not installed again by themselves.
    #[serde(default)]
    pub(crate) quarantine: BTreeMap<Version, Quarantined>,
    /// What the user is to be told at the next start.
    #[serde(default)]
    pub(crate) news: Option<News>,
    /// What the server has not been told yet, oldest first.
    #[serde(default)]
    pub(crate) reports: Vec<Report>,
    /// What is being downloaded, or was; its files are kept.
    #[serde(default)]
    pub(crate) wanted: Option<Offered>,
    /// What the server last said it is.
    #[serde(default)]
    pub(crate) server: Option<Version>,
    /// In an installation that all users share: the last change of it that this user has seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seen: Option<u64>,
}

/// A version that is here, with all that the launcher needs of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// The version.
    pub version: Version,
    /// The program and its arguments, with `${tree}`.
    pub start: Vec<String>,
    /// Seconds to confirm in.
    pub confirm_seconds: u64,
}

/// A version that is started for the first times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trial {
    /// Whoever knows it was started as this version.
    pub(crate) nonce: String,
    /// How often it was started.
    pub(crate) starts: u32,
    /// Set by the version itself when it finds that it does not work.
    #[serde(default)]
    pub(crate) failure: Option<Reason>,
}

/// Why a version is not installed again by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Why.
    pub reason: Reason,
    /// Since when.
    pub at: Timestamp,
}

/// Why a version was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// It could not be started.
    NotStarted {
        /// What the operating system said.
        detail: String,
    },
    /// It ended by itself before it had confirmed.
    Crashed {
        /// Its exit code, or the signal.
        status: String,
    },
    /// It did not confirm in time.
    Silent {
        /// Seconds it had.
        seconds: u64,
    },
    /// It was started several times and never confirmed.
    NeverConfirmed {
        /// How often.
        starts: u32,
    },
    /// Its own check says that it does not work.
    OwnCheck {
        /// What the check said.
        detail: String,
    },
    /// The server does not accept it.
    Refused {
        /// What the server said it is.
        server: String,
    },
    /// The user, or an administrator, went back.
    ByHand,
}

/// What the user is to be told once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum News {
    /// A newer version runs for the first time: time for what is new in it.
    Updated {
        /// What ran before.
        from: Version,
    },
    /// An older version runs because the server is older.
    Downgraded {
        /// What ran before.
        from: Version,
    },
    /// A version did not work and the one before runs again.
    Returned {
        /// The version that did not.
        from: Version,
        /// Why.
        #[serde(flatten)]
        reason: Reason,
    },
}

/// What the server is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) at: Timestamp,
    /// What runs after it.
    pub(crate) version: Version,
    /// What ran before.
    pub(crate) from: Option<Version>,
    /// `installed` or `returned`.
    pub(crate) event: String,
    /// Why it returned.
    pub(crate) reason: Option<Reason>,
}

/// A version that the server wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Offered {
    pub(crate) version: Version,
    /// Since when the user could have updated.
    pub(crate) since: Timestamp,
}

impl Pointer {
    /// Reads it; the empty one when nothing is installed yet.
    pub(crate) fn read(layout: &Layout) -> Result<Self, Error> {
        let path = layout.pointer();
        let bytes = match durable::read_limited(&path, MAX_LENGTH) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Self::first(layout);
            }
            other => other?,
        };
        let damaged = |reason: String| {
            Error::new(Code::StateDamaged)
                .arg("path", path.display())
                .detail(reason)
        };
        let pointer: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        match pointer.format {
            FORMAT => Ok(pointer),
            other => Err(damaged(format!(
                "is in format {other}, which a newer Obnova writes"
            ))),
        }
    }

    /// Before anything was written: nothing is installed, or what all users of this computer get.
    fn first(layout: &Layout) -> Result<Self, Error> {
        let machine = match layout.is_shared() {
            true => Machine::read(layout)?,
            false => None,
        };
        Ok(Self {
            current: machine.map(|machine| machine.current),
            ..Self::default()
        })
    }

    /// Replaces the file. Before it returns, and after a crash in it, either the old or the new counts.
    pub(crate) fn write(&mut self, layout: &Layout) -> Result<(), Error> {
        self.format = FORMAT;
        let surplus = self.reports.len().saturating_sub(MOST_REPORTS);
        self.reports.drain(..surplus);
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::new(Code::Disk).detail(error))?;
        moment::reached("before pointer");
        durable::write(&layout.pointer(), &bytes, 0o644)?;
        moment::reached("after pointer");
        Ok(())
    }

    /// The version that runs.
    pub(crate) fn version(&self) -> Option<&Version> {
        self.current.as_ref().map(|installed| &installed.version)
    }

    /// Goes back to the version before, in memory. False when there is none.
    pub(crate) fn go_back(&mut self, reason: Reason, now: Timestamp) -> bool {
        let (Some(failed), Some(previous)) = (self.current.clone(), self.previous.take()) else {
            return false;
        };
        // A version that the server does not accept is not a bad one: the server may become newer again.
        if !matches!(reason, Reason::Refused { .. }) {
            let quarantined = Quarantined {
                reason: reason.clone(),
                at: now,
            };
            self.quarantine.insert(failed.version.clone(), quarantined);
        }
        self.reports.push(Report {
            at: now,
            version: previous.version.clone(),
            from: Some(failed.version.clone()),
            event: "returned".into(),
            reason: Some(reason.clone()),
        });
        self.news = Some(News::Returned {
            from: failed.version,
            reason,
        });
        self.current = Some(previous);
        self.trial = None;
        self.wanted = None;
        true
    }
}
