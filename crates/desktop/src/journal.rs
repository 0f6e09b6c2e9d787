//! `journal.jsonl`: what is being done. A record is on the disk before the act, so that the next start finishes or undoes it.

use jiff::Timestamp;
use obnova_release::durable::{self, Append};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::layout::Layout;
use crate::moment;
use crate::pointer::Reason;

/// The longest journal that is read, bytes.
const MAX_LENGTH: u64 = 16 << 20;
/// A journal longer than this is begun anew when nothing is under way: only the last record decides anything.
const LONG: u64 = 256 << 10;

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub(crate) enum Record {
    /// The pointer is about to lead to another version.
    Switching { from: Option<Version>, to: Version },
    /// It does.
    Switched { to: Version },
    /// The version is about to be started for the `start`th time without having confirmed.
    Trial { version: Version, start: u32 },
    /// It has said that it works; the pointer is about to say so.
    Confirming { version: Version },
    /// The pointer does.
    Confirmed { version: Version },
    /// The pointer is about to lead back.
    Returning {
        from: Version,
        to: Version,
        why: Reason,
    },
    /// It does.
    Returned { to: Version },
    /// What was begun was not done, and nothing of it counts.
    Abandoned,
    /// What is not needed any more has been removed, as far as it is not in use.
    Swept,
}

#[derive(Serialize, Deserialize)]
struct Line {
    at: Timestamp,
    #[serde(flatten)]
    record: Record,
}

/// The open file, and its last record.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Append,
    pub(crate) last: Option<Record>,
}

impl Journal {
    /// Opens it. A torn last line, which a crash in the middle of writing leaves, is taken off.
    pub(crate) fn open(layout: &Layout) -> Result<Self, Error> {
        let path = layout.journal();
        let mut file = Append::open(&path, 0o644)?;
        let bytes = durable::read_limited(&path, MAX_LENGTH)?;
        let mut last = None;
        let mut whole = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let complete = line.strip_suffix(b"\n");
            let Some(read) = complete.and_then(|line| serde_json::from_slice::<Line>(line).ok())
            else {
                break;
            };
            whole += line.len() as u64;
            last = Some(read.record);
        }
        if whole < bytes.len() as u64 {
            tracing::warn!(whole, "the end of the journal is torn and is taken off");
            file.truncate(whole)?;
        }
        let idle = matches!(last, None | Some(Record::Swept | Record::Abandoned));
        if idle && whole > LONG {
            file.truncate(0)?;
        }
        Ok(Self { file, last })
    }

    /// Returns when the record is on the disk.
    pub(crate) fn append(&mut self, record: Record) -> Result<(), Error> {
        let line = Line {
            at: Timestamp::now(),
            record: record.clone(),
        };
        let mut bytes =
            serde_json::to_vec(&line).map_err(|error| std::io::Error::other(error.to_string()))?;
        bytes.push(b'\n');
        let name = name(&record);
        moment::reached(&format!("before {name}"));
        let length = self.file.length()?;
        if let Err(error) = self.file.append(&bytes) {
            // Part of it may be there; the next line must not follow half a one.
            let _ = self.file.truncate(length);
            return Err(error.into());
        }
        moment::reached(&format!("after {name}"));
        self.last = Some(record);
        Ok(())
    }
}

fn name(record: &Record) -> &'static str {
    match record {
        Record::Switching { .. } => "switching",
        Record::Switched { .. } => "switched",
        Record::Trial { .. } => "trial",
        Record::Confirming { .. } => "confirming",
        Record::Confirmed { .. } => "confirmed",
        Record::Returning { .. } => "returning",
        Record::Returned { .. } => "returned",
        Record::Abandoned => "abandoned",
        Record::Swept => "swept",
    }
}
