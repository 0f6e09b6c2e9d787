//! What is done in a round, and what came of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::app::{App, Contents};
use crate::control::Change;
use crate::moment::Moment;
use crate::planted::Planted;

/// What is updated to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// To a version that works.
    Good,
    /// To one whose migration fails after minutes of work that count for nothing.
    MigrationFails,
    /// To one that migrates, starts, and does not answer as it should.
    Unhealthy,
    /// Back from a version that works to the one before it.
    Revert,
}

impl Scenario {
    /// All of them.
    pub const ALL: [Scenario; 4] = [
        Scenario::Good,
        Scenario::MigrationFails,
        Scenario::Unhealthy,
        Scenario::Revert,
    ];

    /// Whether it can end new.
    pub fn can_end_new(self) -> bool {
        matches!(self, Scenario::Good | Scenario::Revert)
    }

    /// How often it is chosen: the one that waits for a version that never answers rightly takes long.
    pub fn weight(self) -> u32 {
        match self {
            Scenario::Good => 4,
            Scenario::MigrationFails | Scenario::Revert => 3,
            Scenario::Unhealthy => 1,
        }
    }

    /// Its name in tables and of files.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Good => "good",
            Scenario::MigrationFails => "migration-fails",
            Scenario::Unhealthy => "unhealthy",
            Scenario::Revert => "revert",
        }
    }

    /// What it is, for people.
    pub fn title(self) -> &'static str {
        match self {
            Scenario::Good => "to a version that works",
            Scenario::MigrationFails => "to one whose migration fails",
            Scenario::Unhealthy => "to one that answers wrongly",
            Scenario::Revert => "back from a finished update",
        }
    }
}

/// One fault of a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Strike {
    /// When.
    pub moment: Moment,
    /// Which.
    pub fault: String,
}

/// A round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Everything random in it follows from this.
    pub seed: u64,
    /// The application.
    pub app: App,
    /// The update.
    pub scenario: Scenario,
    /// The faults, in order: later ones while it is being recovered from the earlier ones.
    pub strikes: Vec<Strike>,
    /// A defect, to see whether it is found.
    pub planted: Option<Planted>,
    /// Whether it is one of a list of all moments, and not a random one.
    #[serde(default)]
    pub is_listed: bool,
}

impl Round {
    /// The version that is asked for.
    pub fn version(&self) -> &'static str {
        self.app.of().version(self.scenario)
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.app.name(), self.scenario.name())?;
        for strike in &self.strikes {
            write!(f, ", {} {}", strike.fault, strike.moment)?;
        }
        if let Some(planted) = self.planted {
            write!(f, ", planted {}", planted.name())?;
        }
        Ok(())
    }
}

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// As before.
    Old,
    /// As after the update.
    New,
}

/// What came of a round.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended; nothing when that could not be said.
    pub end: Option<End>,
    /// What must never be.
    pub violations: Vec<String>,
    /// For each fault that struck: milliseconds until a request sent after it was answered well.
    pub serve_again_ms: Vec<u64>,
    /// What the process that stood at the moment was about to do, for each fault that struck at one.
    pub at: Vec<String>,
    /// Writes that were acknowledged.
    pub acknowledged: usize,
    /// Mails that were expected and came.
    pub mails: usize,
    /// From the click until all was settled, milliseconds.
    pub took_ms: u64,
    /// Changes to the disk after the last fault, until all was settled.
    #[serde(default)]
    pub changes: u64,
}

impl Outcome {
    /// Faults that struck.
    pub fn struck(&self) -> usize {
        self.serve_again_ms.len()
    }
}

/// What a round without faults ended with: the measure of the others.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Reference {
    /// What was there before.
    pub before: Contents,
    /// What was there afterwards.
    pub after: Contents,
    /// Paths in the state directory afterwards, without those that come and go by design.
    pub paths: Vec<String>,
    /// Every change to the disk from the click to the end.
    pub changes: Vec<Change>,
    /// From the click until all was settled, milliseconds.
    pub took_ms: u64,
}
