//! When a fault strikes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Before or after a change to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// It has not been made.
    Before,
    /// It has, and nobody has acted upon it.
    After,
}

/// When a fault strikes: the first one counted from the click on Install, each further one from the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// At the n-th change to the disk, from 1. Records of the journal are among them.
    Change {
        /// Which.
        number: u64,
        /// Before or after it.
        when: When,
    },
    /// After so many milliseconds, wherever everything is then.
    Instant {
        /// Milliseconds.
        after_ms: u64,
    },
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Change { number, when } => {
                write!(f, "{} change {number}", format!("{when:?}").to_lowercase())
            }
            Moment::Instant { after_ms } => write!(f, "after {after_ms} ms"),
        }
    }
}
