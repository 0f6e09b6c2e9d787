//! Defects that are planted to see whether the harness finds them. They are in no product: the harness answers a change to the
//! disk with something else than "go on".

use serde::{Deserialize, Serialize};

use crate::control::{Answer, Change};

/// A defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Planted {
    /// The journal and the names of files are not synced.
    DropSync,
    /// A record of the journal reaches the disk after the act that it announces.
    ActBeforeRecord,
    /// A protected copy that is not needed any more is not removed.
    SkipCleanUp,
}

impl Planted {
    /// All of them.
    pub const ALL: [Planted; 3] = [
        Planted::DropSync,
        Planted::ActBeforeRecord,
        Planted::SkipCleanUp,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Planted::DropSync => "drop-sync",
            Planted::ActBeforeRecord => "act-before-record",
            Planted::SkipCleanUp => "skip-clean-up",
        }
    }

    /// What it is, for people.
    pub fn title(self) -> &'static str {
        match self {
            Planted::DropSync => "nothing is synced, and the power goes",
            Planted::ActBeforeRecord => "a record reaches the journal after its act",
            Planted::SkipCleanUp => "protected copies that nobody needs stay",
        }
    }

    /// Faults without which it cannot be seen.
    pub fn faults(self) -> &'static [&'static str] {
        match self {
            Planted::DropSync => &["power-loss"],
            Planted::ActBeforeRecord | Planted::SkipCleanUp => &["kill-engine"],
        }
    }

    /// What becomes of a change.
    pub fn answer(self, change: &Change) -> Answer {
        let is_planted = match self {
            Planted::DropSync => change.kind == "sync",
            Planted::ActBeforeRecord => change.is_record(),
            Planted::SkipCleanUp => {
                change.kind == "remove"
                    && change
                        .path
                        .components()
                        .any(|part| part.as_os_str() == "protected")
            }
        };
        match (is_planted, self) {
            (false, _) => Answer::Go,
            (true, Planted::ActBeforeRecord) => Answer::Late,
            (true, _) => Answer::Skip,
        }
    }
}
