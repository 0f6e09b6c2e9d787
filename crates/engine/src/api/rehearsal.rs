//! Rehearsals: an update tried on a clone before anybody clicks, and what it foretells.

use jiff::Timestamp;
use jiff::civil::Time;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::{Problem, Progress, StepState};

/// A rehearsal that is running.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rehearsing {
    /// The version that is tried.
    pub version: Version,
    /// When it began.
    pub started: Timestamp,
    /// Who asked, or `obnova` when it began by itself.
    pub actor: String,
    /// Every step of it, in order.
    pub steps: Vec<StepState>,
    /// How far the running step is, when that is known.
    pub progress: Option<Progress>,
}

/// A rehearsal that has ended: the newest one of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// The version that was tried.
    pub version: Version,
    /// The version that was installed then.
    pub from: Version,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// Who asked, or `obnova` when it began by itself.
    pub actor: String,
    /// How it ended.
    pub outcome: RehearsalOutcome,
    /// Its steps, in order: `download`, `clone`, those of an update that are made while requests are held, `way_back`, `compare`.
    pub steps: Vec<StepState>,
    /// Why it failed, or could not be made.
    pub problem: Option<Problem>,
    /// What the update will take, measured; only when it passed.
    pub forecast: Option<Forecast>,
    /// Whether the clone could reach anything but itself.
    pub isolation: Isolation,
    /// Bytes of database and data files when it was made.
    pub data_bytes: u64,
    /// Why it does not count any more, if so.
    pub expired: Option<Expired>,
}

/// How a rehearsal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RehearsalOutcome {
    /// The new version came up on the clone, and the way back led exactly to where it was.
    Passed,
    /// It did not: installing it would fail too.
    Failed,
    /// It could not be made, or was broken off; that says nothing about the version.
    NotMade,
}

/// Whether a clone could reach anything but itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// A network of its own, with loopback only: no mail, payment or web hook could leave.
    Network,
    /// None but the release's neutralise command, if it has one; an administrator has agreed to that.
    None,
}

/// Why a rehearsal does not count any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expired {
    /// It was made from another version.
    Version,
    /// It is too old.
    Age,
    /// The data has grown too much since.
    Growth,
}

/// What an update will take, measured by a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Milliseconds in which requests will be held: stop, protect, migrate, start, verify.
    pub blackout_ms: u64,
    /// The shortest it is likely to be.
    pub blackout_min_ms: u64,
    /// The longest it is likely to be.
    pub blackout_max_ms: u64,
    /// Milliseconds of the way back, should the update fail at its end.
    pub way_back_ms: u64,
    /// Bytes of disk that it will take at most.
    pub disk_bytes: u64,
    /// What people will see meanwhile.
    pub traffic: ForecastTraffic,
    /// Seconds after which everything is undone.
    pub deadline_s: u64,
}

/// What people will see during the change-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForecastTraffic {
    /// Their requests wait a little.
    Hold,
    /// It is too long for that: the maintenance page at once.
    MaintenancePage,
}

/// When rehearsals are made and how long they count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RehearsalSettings {
    /// Make one as soon as a new version is found.
    pub automatic: bool,
    /// Make one every day at this time of this machine's clock, when there is something to rehearse.
    pub daily_at: Option<Time>,
    /// Days that it counts.
    pub valid_days: u32,
    /// Per cent that the data may grow before it does not count any more; growth below 16 MiB is none.
    pub growth_percent: u32,
    /// Bytes of disk that the clone may take; at most half of what is free otherwise.
    pub disk_bytes: Option<u64>,
    /// Also where the clone cannot be cut off from the network: what the release does there may reach the world.
    pub unisolated: bool,
}

impl Default for RehearsalSettings {
    fn default() -> Self {
        Self {
            automatic: false,
            daily_at: None,
            valid_days: 7,
            growth_percent: 20,
            disk_bytes: None,
            unisolated: false,
        }
    }
}
