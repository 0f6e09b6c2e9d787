//! Protected copies that are kept, and the way back to one of them after an update was finished.

use std::path::PathBuf;

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::{Problem, UpdateId};

/// A copy of database and data files as they were before an update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProtectedCopy {
    /// The update before which it was made.
    pub update: UpdateId,
    /// The version that it belongs to.
    pub version: Version,
    /// The version that the update led to.
    pub to: Version,
    /// When it was made.
    pub at: Timestamp,
    /// Bytes of disk that it takes, at the database's server too, as far as that tells.
    pub bytes: u64,
    /// Whether it is the only good one and so cannot be deleted.
    pub is_last: bool,
    /// Whether `revert` can lead to it: it belongs to the update that led to the installed version.
    pub can_revert: bool,
}

/// Which protected copies are kept. The newest one always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeepRule {
    /// So many, the newest.
    pub copies: u32,
    /// None older than so many days; 0 for no such limit.
    pub days: u32,
}

impl Default for KeepRule {
    fn default() -> Self {
        Self {
            copies: 1,
            days: 30,
        }
    }
}

/// What going back after a finished update would lose and do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RevertPlan {
    /// The update that would be taken back.
    pub update: UpdateId,
    /// The version installed now.
    pub from: Version,
    /// The version that would serve again.
    pub to: Version,
    /// Everything written after this would be lost, unless it is exported.
    pub since: Timestamp,
    /// What was written since, by table, as far as the database tells; `None` when it cannot tell at all.
    pub written: Option<Vec<TableChange>>,
    /// Data files that were added, changed or removed since.
    pub files_changed: u64,
    /// Why it cannot be done; empty when it can.
    pub obstacles: Vec<Problem>,
}

/// What was written to a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableChange {
    /// Its name, with its schema where there are several.
    pub table: String,
    /// Rows added; `None` when the database cannot tell.
    pub inserted: Option<u64>,
    /// Rows changed.
    pub updated: Option<u64>,
    /// Rows removed.
    pub deleted: Option<u64>,
}

/// What was exported before going back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// Where it lies.
    pub directory: PathBuf,
    /// Its size, bytes.
    pub bytes: u64,
}
