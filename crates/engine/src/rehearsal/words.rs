//! What engine and worker say to each other: a task, a file; and words, a line of JSON each.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::api::{Isolation, Problem, RehearsalOutcome, Unit};
use crate::durable;

/// What a worker is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    /// The installed version.
    pub(crate) from: Version,
    /// The versions to be tried, one after another; the last one is what it is all for.
    pub(crate) route: Vec<Version>,
    /// Bytes of disk that the clone may take.
    pub(crate) disk_bytes: u64,
    /// Go on also where the clone cannot be cut off from the network.
    pub(crate) unisolated: bool,
    /// Seconds that the command that neutralises the data may take.
    pub(crate) neutralise_seconds: u32,
    /// Runs [`crate::launch::run`].
    pub(crate) launcher: Vec<String>,
    /// Runs [`crate::rehearsal::work`].
    pub(crate) worker: Vec<String>,
}

impl Task {
    /// Reads it.
    pub(crate) fn read(path: &Path) -> io::Result<Task> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }

    /// Writes it.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        durable::write(path, &serde_json::to_vec(self)?, 0o600)
    }
}

/// What a worker says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "word", rename_all = "snake_case")]
pub(crate) enum Word {
    /// Whether the clone is cut off from the network.
    Isolation {
        /// How.
        isolation: Isolation,
    },
    /// Bytes of database and data files that were copied.
    Data {
        /// How many.
        bytes: u64,
    },
    /// The update to this version begins; what is said from here on is about that.
    Version {
        /// Which.
        version: Version,
    },
    /// The update to this version is undone; what is said from here on is about that.
    Back {
        /// Which.
        version: Version,
    },
    /// A step has begun.
    Started {
        /// Its name.
        step: String,
    },
    /// How far it is.
    Progress {
        /// How much is done, in `unit`s.
        done: u64,
        /// How much there is in all; 0 when not known.
        total: u64,
        /// What is counted.
        unit: Unit,
    },
    /// It has ended well.
    Finished {
        /// Its name.
        step: String,
        /// Milliseconds.
        took_ms: u64,
        /// What was done.
        detail: Option<String>,
    },
    /// It has failed.
    Failed {
        /// Its name.
        step: String,
        /// Why.
        problem: Problem,
    },
    /// A step has been undone, which is part of the way back.
    Undone {
        /// Its name.
        step: String,
        /// Milliseconds.
        took_ms: u64,
    },
    /// How the clone's database is protected; not always as the original's can be.
    Rung {
        /// Its name.
        rung: String,
    },
    /// Something for the log.
    Note {
        /// Technical English.
        text: String,
    },
    /// Bytes by which database and data files grew through the migration.
    Grown {
        /// How many.
        bytes: u64,
    },
    /// The last word.
    End {
        /// How the rehearsal ended.
        outcome: RehearsalOutcome,
        /// Why, unless it passed.
        problem: Option<Problem>,
        /// The version that failed.
        failed: Option<Version>,
    },
}

impl Word {
    /// As a line of the log, if it is worth one.
    pub(crate) fn spoken(&self) -> Option<String> {
        let of = |problem: &Problem| {
            let detail = problem.detail.as_deref().unwrap_or_default();
            format!("{}: {detail}", problem.code)
        };
        match self {
            Word::Isolation { isolation } => Some(match isolation {
                Isolation::Network => "cut off: a network of its own, loopback only".to_owned(),
                Isolation::None => "WARNING: not cut off from the network".to_owned(),
            }),
            Word::Version { version } => Some(format!("--- the update to {version}")),
            Word::Back { version } => Some(format!("--- the way back from {version}")),
            Word::Data { bytes } => Some(format!("database and data files: {bytes} bytes")),
            Word::Grown { bytes } => Some(format!("grown by {bytes} bytes")),
            Word::Undone { step, took_ms } => Some(format!("{step} undone in {took_ms} ms")),
            Word::Rung { rung } => Some(format!("the clone's database is protected by {rung}")),
            Word::Note { text } => Some(text.clone()),
            Word::Started { step } => Some(format!("{step} begins")),
            Word::Progress { .. } => None,
            Word::Finished {
                step,
                took_ms,
                detail,
            } => {
                let detail = detail.as_deref().unwrap_or_default();
                Some(format!("{step} done in {took_ms} ms {detail}"))
            }
            Word::Failed { step, problem } => Some(format!("{step} FAILED {}", of(problem))),
            Word::End {
                outcome,
                problem,
                failed,
            } => {
                let why = problem.as_ref().map(of).unwrap_or_default();
                let who = failed.as_ref().map(Version::to_string).unwrap_or_default();
                Some(format!("{outcome:?} {who} {why}"))
            }
        }
    }
}

/// Says words.
pub(crate) struct Speaker {
    file: std::sync::Mutex<File>,
}

impl Speaker {
    /// Goes on where an earlier speaker ended.
    pub(crate) fn open(path: &Path) -> io::Result<Speaker> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Speaker {
            file: std::sync::Mutex::new(file),
        })
    }

    /// Says one. An engine that does not hear it any more has ended, and then so do we.
    pub(crate) fn say(&self, word: &Word) {
        use std::io::Write;
        let Ok(mut line) = serde_json::to_vec(word) else {
            return;
        };
        line.push(b'\n');
        let mut file = self
            .file
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Err(error) = file.write_all(&line) {
            eprintln!("a word is lost: {error}");
        }
    }
}

/// Hears words, as they come.
pub(crate) struct Reader {
    path: PathBuf,
    at: u64,
}

impl Reader {
    /// From the first one.
    pub(crate) fn of(path: PathBuf) -> Reader {
        Reader { path, at: 0 }
    }

    /// The words since the last call; a line that is only half there waits for the next one.
    pub(crate) fn hear(&mut self) -> Vec<Word> {
        let Ok(mut file) = File::open(&self.path) else {
            return Vec::new();
        };
        let mut bytes = Vec::new();
        let read = file
            .seek(SeekFrom::Start(self.at))
            .and_then(|_| file.read_to_end(&mut bytes));
        if read.is_err() {
            return Vec::new();
        }
        let whole = bytes.iter().rposition(|byte| *byte == b'\n');
        let whole = whole.map_or(0, |last| last + 1);
        self.at += whole as u64;
        bytes[..whole]
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_heard_once_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("words");
        let mut reader = Reader::of(path.clone());
        assert!(reader.hear().is_empty());
        let speaker = Speaker::open(&path).unwrap();
        let word = Word::Grown { bytes: 7 };
        speaker.say(&word);
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"{\"word\":"))
            .unwrap();
        assert_eq!(reader.hear(), std::slice::from_ref(&word));
        assert!(reader.hear().is_empty());
        std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|mut file| std::io::Write::write_all(&mut file, b"\"grown\",\"bytes\":7}\n"))
            .unwrap();
        assert_eq!(reader.hear(), [word]);
    }
}
