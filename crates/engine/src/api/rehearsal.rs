//! Rehearsals: an update tried on a clone before anybody clicks, and what it foretells.

use jiff::Timestamp;
use jiff::civil::Time;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::{Problem, Progress, StepState};

/// A rehearsal that is running.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rehearsing {
    /// The version that is tried: the last one, where the way leads through others.
    pub version: Version,
    /// Every version that is gone through, in order; the last one is `version`.
    #[serde(default)]
    pub route: Vec<Version>,
    /// The version that is being tried at the moment.
    #[serde(default)]
    pub at: Option<Version>,
    /// The versions that were tried before that one. None has a forecast yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Hop>,
    /// When it began.
    pub started: Timestamp,
    /// Who asked, or `obnova` when it began by itself.
    pub actor: String,
    /// Every step of it, in order; those of an update are of the version `at`.
    pub steps: Vec<StepState>,
    /// How far the running step is, when that is known.
    pub progress: Option<Progress>,
}

/// A rehearsal that has ended: the newest one of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rehearsal {
    /// The version that was tried: the last one, where the way leads through others.
    pub version: Version,
    /// The version that was installed then.
    pub from: Version,
    /// What it said of each version that one click goes through, in order; empty when that is `version` alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub walk: Vec<Hop>,
    /// The version that failed, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Version>,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// Who asked, or `obnova` when it began by itself.
    pub actor: String,
    /// How it ended.
    pub outcome: RehearsalOutcome,
    /// Its steps, in order: `download`, `clone`, those of an update that are made while requests are held, `way_back`, `compare`.
    /// Of several versions they are those of the last one that was tried.
    pub steps: Vec<StepState>,
    /// Why it failed, or could not be made.
    pub problem: Option<Problem>,
    /// What the update will take, measured; only when it passed. Of several versions it is all of them together.
    pub forecast: Option<Forecast>,
    /// Whether the clone could reach anything but itself.
    pub isolation: Isolation,
    /// Bytes of database and data files when it was made.
    pub data_bytes: u64,
    /// Why it does not count any more, if so.
    pub expired: Option<Expired>,
}

/// One of several versions that a rehearsal went through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hop {
    /// Which.
    pub version: Version,
    /// The steps of its update.
    pub steps: Vec<StepState>,
    /// What its update will take; only when the rehearsal passed.
    pub forecast: Option<Forecast>,
}

impl Rehearsal {
    /// Every version that it went through, in order.
    pub fn route(&self) -> Vec<Version> {
        match self.walk.is_empty() {
            true => vec![self.version.clone()],
            false => self.walk.iter().map(|hop| hop.version.clone()).collect(),
        }
    }

    /// What it foretold of the update from one version to another, both on its way.
    pub fn foretold(&self, from: &Version, to: &Version) -> Option<&Forecast> {
        if self.walk.is_empty() {
            let is_it = self.from == *from && self.version == *to;
            return self.forecast.as_ref().filter(|_| is_it);
        }
        let before = std::iter::once(&self.from).chain(self.walk.iter().map(|hop| &hop.version));
        let mut hops = self.walk.iter().zip(before);
        let (hop, _) = hops.find(|(hop, before)| hop.version == *to && *before == from)?;
        hop.forecast.as_ref()
    }
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
    /// The way there leads through other versions now.
    Route,
    /// It is too old.
    Age,
    /// The data has grown too much since.
    Growth,
}

/// What an update will take, measured by a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Milliseconds in which requests will be held: waiting for those under way, stop, protect, migrate, start, verify.
    pub blackout_ms: u64,
    /// Milliseconds of it in which those that are under way when holding begins will finish.
    #[serde(default)]
    pub drain_ms: u64,
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
    /// Seconds that it may take, from when the copying begins; then it is broken off.
    pub limit_seconds: u32,
    /// Seconds that the release's neutralise command may take.
    pub neutralise_seconds: u32,
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
            limit_seconds: 6 * 3600,
            neutralise_seconds: 600,
        }
    }
}
