//! The journal: every event of every update, appended and synced before the act that it announces.
//!
//! One file of lines, `<chain> <event as JSON>`. The chain is the first half of SHA-256 over the chain before and the
//! event's bytes, so that a changed, lost or swapped line is found. After a crash the last line may be torn: it was never
//! acted upon, because an append returns only after the sync, and is cut off when the journal is opened. Damage anywhere
//! else is an error that a person must look at.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::api::{Event, EventKind, UpdateId};
use crate::durable::Append;

/// What the journal is about to do or has done, told to an [`Observer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The record with this number is about to be written.
    Before(u64),
    /// The record with this number is on disk, and nobody has acted upon it.
    After(u64),
}

/// Called around every append. Tests that kill the engine at every record pass one that raises SIGKILL.
pub type Observer = Box<dyn Fn(Moment) + Send>;

/// The journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused.
    #[error("the journal {path} cannot be used")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line that is not the last one is damaged.
    #[error(
        "the journal {path} is damaged in line {line}; restore it from a copy, or move it away and run recover"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An earlier append failed and what it left could not be taken back.
    #[error("the journal {path} cannot be written any more since an append failed")]
    Poisoned {
        /// The file.
        path: PathBuf,
    },
}

/// An open journal.
pub struct Journal {
    path: PathBuf,
    file: Append,
    /// Bytes of the file that hold whole, synced records.
    length: u64,
    chain: String,
    next: u64,
    poisoned: bool,
    observer: Option<Observer>,
}

impl Journal {
    /// Opens or makes the journal and reads all of its events.
    ///
    /// # Errors
    /// The file cannot be read, written or synced, or is damaged elsewhere than at its end.
    pub fn open(
        path: &Path,
        observer: Option<Observer>,
    ) -> Result<(Journal, Vec<Event>), JournalError> {
        let io_error = |source| JournalError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = Append::open(path, 0o600).map_err(io_error)?;
        let bytes = std::fs::read(path).map_err(io_error)?;
        let read = read_records(&bytes).map_err(|line| JournalError::Damaged {
            path: path.to_owned(),
            line,
        })?;
        if (read.length as usize) < bytes.len() {
            tracing::warn!(
                bytes = bytes.len() as u64 - read.length,
                "the journal's torn last line is cut off"
            );
        }
        // Also syncs what a killed engine wrote and did not live to sync.
        file.truncate(read.length).map_err(io_error)?;
        let next = read.events.last().map_or(1, |event| event.number + 1);
        let journal = Journal {
            path: path.to_owned(),
            file,
            length: read.length,
            chain: read.chain,
            next,
            poisoned: false,
            observer,
        };
        Ok((journal, read.events))
    }

    /// Writes an event and syncs it; only then may the caller act upon it.
    ///
    /// # Errors
    /// It is not on disk, and the journal is as before; or, when not even that could be had, refuses all further appends.
    pub fn append(&mut self, update: UpdateId, kind: EventKind) -> Result<Event, JournalError> {
        // The disk may be well again.
        self.poisoned = self.poisoned && self.file.truncate(self.length).is_err();
        if self.poisoned {
            return Err(JournalError::Poisoned {
                path: self.path.clone(),
            });
        }
        self.observe(Moment::Before(self.next));
        let event = Event {
            number: self.next,
            at: Timestamp::now(),
            update,
            kind,
        };
        let json = serde_json::to_string(&event).map_err(|source| JournalError::Io {
            path: self.path.clone(),
            source: source.into(),
        })?;
        let chain = chain(&self.chain, json.as_bytes());
        let line = format!("{chain} {json}\n");
        if let Err(source) = self.file.append(line.as_bytes()) {
            // Take back what may have been written in part; a journal with an unknown tail must not be appended to.
            self.poisoned = self.file.truncate(self.length).is_err();
            return Err(JournalError::Io {
                path: self.path.clone(),
                source,
            });
        }
        self.length += line.len() as u64;
        self.chain = chain;
        self.next += 1;
        self.observe(Moment::After(event.number));
        Ok(event)
    }

    fn observe(&self, moment: Moment) {
        if let Some(observer) = &self.observer {
            observer(moment);
        }
    }
}

struct Records {
    events: Vec<Event>,
    length: u64,
    chain: String,
}

/// Reads whole records; a damaged or torn *last* line ends the reading, one before it is an error (its number).
fn read_records(bytes: &[u8]) -> Result<Records, usize> {
    let mut read = Records {
        events: Vec::new(),
        length: 0,
        chain: String::new(),
    };
    let mut rest = bytes;
    let mut number = 0;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        number += 1;
        match read_record(&rest[..end], &read.chain) {
            Some((chain, event)) if event.number == read.events.len() as u64 + 1 => {
                read.chain = chain;
                read.events.push(event);
                read.length += end as u64 + 1;
            }
            // A sector of the last line may not have reached the disk although the line's end did.
            _ if end + 1 == rest.len() && !holds_more(rest, &read.chain) => return Ok(read),
            _ => return Err(number),
        }
        rest = &rest[end + 1..];
    }
    match holds_more(rest, &read.chain) {
        true => Err(number + 1),
        false => Ok(read),
    }
}

/// Whether what looks like the last line is a whole record with another one after it: only the end of its line is damaged. Cutting
/// it off would lose a record that was acted upon. An append that was torn leaves at most one byte after its record: the line's end.
fn holds_more(line: &[u8], before: &str) -> bool {
    let is_record = |end: usize| line[end] == b'}' && read_record(&line[..=end], before).is_some();
    (0..line.len().saturating_sub(2)).any(is_record)
}

fn read_record(line: &[u8], before: &str) -> Option<(String, Event)> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let json = &line[space + 1..];
    let chain = chain(before, json);
    if chain.as_bytes() != &line[..space] {
        return None;
    }
    Some((chain, serde_json::from_slice(json).ok()?))
}

fn chain(before: &str, json: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(before)
        .chain_update(json)
        .finalize();
    hex::encode(&digest[..16])
}

/// See `outside.rs`.
#[cfg(any(test, fuzzing))]
pub(crate) fn outside(data: &[u8]) {
    let [torn, bytes @ ..] = data else { return };
    if let Ok(read) = read_records(bytes) {
        let length = usize::try_from(read.length).expect("no longer than what was read");
        let again = read_records(&bytes[..length]).map(|again| again.events);
        assert_eq!(again.as_ref(), Ok(&read.events));
        crate::outside::history(&read.events);
    }
    let mut events: Vec<Event> = Vec::new();
    let (mut file, mut before) = (Vec::new(), String::new());
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(mut event) = serde_json::from_slice::<Event>(line) else {
            continue;
        };
        event.number = events.len() as u64 + 1;
        let json = serde_json::to_vec(&event).expect("an event can be written");
        before = chain(&before, &json);
        file.extend_from_slice(before.as_bytes());
        file.push(b' ');
        file.extend_from_slice(&json);
        file.push(b'\n');
        events.push(event);
    }
    let read = read_records(&file).map(|read| read.events);
    assert_eq!(read.as_ref(), Ok(&events));
    let cut = file.len() * usize::from(*torn) / 256;
    let whole = file[..cut].iter().filter(|byte| **byte == b'\n').count();
    let read = read_records(&file[..cut]).map(|read| read.events);
    assert_eq!(read.as_deref(), Ok(&events[..whole]));
    crate::outside::history(&events);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str) -> EventKind {
        EventKind::StepStarted {
            step: name.to_owned(),
        }
    }

    fn journal_of(names: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let (mut journal, events) = Journal::open(&path, None).unwrap();
        assert!(events.is_empty());
        for name in names {
            journal.append(1, step(name)).unwrap();
        }
        (dir, path)
    }

    #[test]
    fn events_come_back_in_order_and_are_counted_on() {
        let (_dir, path) = journal_of(&["check", "download"]);
        let (mut journal, events) = Journal::open(&path, None).unwrap();
        assert_eq!(
            events.iter().map(|event| event.number).collect::<Vec<_>>(),
            [1, 2]
        );
        assert_eq!(journal.append(1, step("hold")).unwrap().number, 3);
    }

    #[test]
    fn a_tail_torn_at_any_byte_loses_only_the_last_record() {
        let (_dir, path) = journal_of(&["check", "download"]);
        let whole = std::fs::read(&path).unwrap();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for cut in first..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (_, events) = Journal::open(&path, None).unwrap();
            assert_eq!(events.len(), 1, "cut at {cut}");
            assert_eq!(std::fs::metadata(&path).unwrap().len(), first as u64);
        }
    }

    #[test]
    fn damage_before_the_last_record_is_an_error() {
        let (_dir, path) = journal_of(&["check", "download", "hold"]);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[60] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(
            Journal::open(&path, None),
            Err(JournalError::Damaged { line: 1, .. })
        ));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_and_what_is_read_is_read_again(
            bytes: Vec<u8>,
            lines in proptest::collection::vec("[0-9a-f]{0,32} ?[ -~]{0,40}", 0..5),
        ) {
            for bytes in [bytes, lines.join("\n").into_bytes()] {
                if let Ok(read) = read_records(&bytes) {
                    let again = read_records(&bytes[..read.length as usize]);
                    assert_eq!(again.map(|again| again.events), Ok(read.events));
                }
            }
        }

        #[test]
        fn a_changed_byte_is_noticed_or_costs_the_last_record(place: proptest::sample::Index, flip in 1..=255_u8) {
            let mut bytes = Vec::new();
            let (mut before, mut whole) = (String::new(), Vec::new());
            for number in 1..=3 {
                let kind = step("check");
                let event = Event { number, at: Timestamp::UNIX_EPOCH, update: 1, kind };
                let json = serde_json::to_string(&event).unwrap();
                before = chain(&before, json.as_bytes());
                bytes.extend(format!("{before} {json}\n").bytes());
                whole.push((event, bytes.len() - 1));
            }
            let place = place.index(bytes.len());
            bytes[place] ^= flip;
            if let Ok(read) = read_records(&bytes) {
                assert!(read.events.iter().eq(whole[..2].iter().map(|(event, _)| event)));
            }
        }
    }

    #[test]
    fn a_damaged_end_of_a_line_before_the_last_is_an_error_and_cuts_nothing_off() {
        let (_dir, path) = journal_of(&["check", "download", "hold"]);
        let whole = std::fs::read(&path).unwrap();
        let ends: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
        for (line, end) in (1..).zip(&ends[..2]) {
            let mut bytes = whole.clone();
            bytes[*end] = 0;
            for length in [bytes.len(), bytes.len() - 1, bytes.len() - 20] {
                std::fs::write(&path, &bytes[..length]).unwrap();
                let opened = Journal::open(&path, None);
                assert!(
                    matches!(opened, Err(JournalError::Damaged { line: found, .. }) if found == line),
                    "line {line}, {length} bytes"
                );
                assert_eq!(std::fs::read(&path).unwrap(), bytes[..length]);
            }
        }
        // That of the last one is a torn append.
        let mut bytes = whole;
        bytes[ends[2]] = 0;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Journal::open(&path, None).unwrap().1.len(), 2);
    }

    #[test]
    fn a_line_taken_out_is_noticed() {
        let (_dir, path) = journal_of(&["check", "download", "hold"]);
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        std::fs::write(&path, format!("{}\n{}\n", lines[0], lines[2])).unwrap();
        let (_, events) = Journal::open(&path, None).unwrap();
        assert_eq!(events.len(), 1, "the third line does not follow the first");
    }
}
