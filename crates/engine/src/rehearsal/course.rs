//! The course of a rehearsal on the clone: the steps of the update to each version on the way, then all the ways back, and whether
//! all is as before after each.
//!
//! The steps are those of [`crate::steps`] themselves; only their journal is another one: words to the engine. A crash here needs no
//! recovery, since nothing of the clone is kept.

use std::time::{Duration, Instant};

use semver::Version;

use crate::api::{Problem, RehearsalOutcome};
use crate::database::Database;
use crate::problem;
use crate::rehearsal::compare::Files;
use crate::rehearsal::words::{Speaker, Word};
use crate::rehearsal::{COMPARE, WAY_BACK, update_steps};
use crate::step::{Context, Step};

/// Tries of a step of the way back. In an update there is no end to them; here one that does not succeed soon is the result.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// The step after whose way forwards, and before whose way back, nobody works with the data.
const STOP: &str = "stop";

/// How a rehearsal ended.
pub(super) struct End {
    /// How.
    pub(super) outcome: RehearsalOutcome,
    /// Why, unless it passed.
    pub(super) problem: Option<Problem>,
    /// The version that failed.
    pub(super) failed: Option<Version>,
}

impl End {
    /// It could not be made; that says nothing about any version.
    pub(super) fn not_made(problem: Problem) -> End {
        End {
            outcome: RehearsalOutcome::NotMade,
            problem: Some(problem),
            failed: None,
        }
    }

    fn failed(problem: Problem, version: &Version) -> End {
        End {
            outcome: RehearsalOutcome::Failed,
            problem: Some(problem),
            failed: Some(version.clone()),
        }
    }
}

/// One version of the walk: what was begun of its update.
struct Hop<'a> {
    cx: &'a Context<'a>,
    begun: Vec<&'static dyn Step>,
    was: Option<Was>,
}

/// Why a version's update does not go on.
enum Stopped {
    /// It fails.
    Failed(Problem),
    /// It cannot be told whether all is as before later.
    Blind(Problem),
}

/// What all that counts was at one moment.
struct Was {
    database: String,
    files: Files,
}

impl Was {
    fn now(cx: &Context) -> Result<Was, Problem> {
        let files = Files::of(&cx.installation.data.directories).map_err(|error| {
            Problem::new(problem::SYSTEM)
                .arg("path", cx.installation.data_dir().display())
                .detail(error)
        })?;
        Ok(Was {
            database: cx.database.fingerprint()?,
            files,
        })
    }

    fn differences(&self, later: &Was) -> Vec<String> {
        let mut found = self.files.differences(&later.files);
        if self.database != later.database {
            let (before, after) = (&self.database, &later.database);
            found.insert(0, format!("the database: {before} before, {after} after"));
        }
        found
    }
}

/// Runs the course on a clone on which the version before serves: the update to one version after another, each of which finds what
/// the one before has left, as in one click; then back from the last to the first, so that every way back is from where its update
/// really ends.
pub(super) fn run(hops: &[Context], speaker: &Speaker) -> End {
    let mut tried: Vec<Hop> = Vec::new();
    let mut failure = None;
    for cx in hops {
        speaker.say(&Word::Version {
            version: cx.to.clone(),
        });
        let before = size(cx);
        let mut hop = Hop {
            cx,
            begun: Vec::new(),
            was: None,
        };
        let result = hop.forwards(speaker);
        tried.push(hop);
        speaker.say(&Word::Grown {
            bytes: size(cx).saturating_sub(before),
        });
        match result {
            Ok(()) => {}
            Err(Stopped::Blind(problem)) => return End::not_made(problem),
            Err(Stopped::Failed(problem)) => {
                failure = Some((problem, cx.to));
                break;
            }
        }
    }
    match (failure, way_back(&tried, speaker)) {
        (None, Ok(())) => End {
            outcome: RehearsalOutcome::Passed,
            problem: None,
            failed: None,
        },
        (Some((problem, version)), Ok(())) | (None, Err((problem, version))) => {
            End::failed(problem, version)
        }
        // A version that fails is one thing; one that cannot be left again is worse.
        (Some((failure, failed)), Err((problem, version))) => {
            let both = [(&problem, version), (&failure, failed)].map(|(it, version)| {
                let detail = it.detail.as_deref().unwrap_or_default();
                format!("{version}: {}: {detail}", it.code)
            });
            End::failed(problem.detail(both.join("\n")), version)
        }
    }
}

impl Hop<'_> {
    fn forwards(&mut self, speaker: &Speaker) -> Result<(), Stopped> {
        for step in update_steps() {
            self.begun.push(step);
            forwards(self.cx, speaker, step).map_err(Stopped::Failed)?;
            if step.name() == STOP {
                self.was = Some(Was::now(self.cx).map_err(Stopped::Blind)?);
            }
        }
        Ok(())
    }

    /// Milliseconds that undoing it takes. Whether all is as before is looked at when everything is but that nobody works with it:
    /// the version before may write as soon as it serves. That look is no part of the way back's time.
    fn back(&self, speaker: &Speaker) -> Result<Back, Problem> {
        speaker.say(&Word::Back {
            version: self.cx.to.clone(),
        });
        let mut back = Back {
            took_ms: 0,
            compared: Ok(0),
        };
        for step in self.begun.iter().rev() {
            if step.name() == STOP {
                let compare = |was| compare(self.cx, was);
                back.compared = self.was.as_ref().map_or(Ok(0), compare);
            }
            let began = Instant::now();
            undo(self.cx, *step)?;
            let took_ms = milliseconds(began);
            back.took_ms += took_ms;
            speaker.say(&Word::Undone {
                step: step.name().to_owned(),
                took_ms,
            });
        }
        Ok(back)
    }
}

/// A version's update that was undone.
struct Back {
    took_ms: u64,
    /// Milliseconds that it took to compare, if all is as before.
    compared: Result<u64, Problem>,
}

/// Bytes of database and data files.
fn size(cx: &Context) -> u64 {
    data_bytes(cx.database, &cx.installation.data.directories)
}

/// Bytes of a database and data files.
pub(crate) fn data_bytes(database: &dyn Database, directories: &[std::path::PathBuf]) -> u64 {
    let files = crate::files::Files {
        directories,
        except: &[],
    };
    database.size() + files.size()
}

fn forwards(cx: &Context, speaker: &Speaker, step: &dyn Step) -> Result<(), Problem> {
    let name = step.name().to_owned();
    speaker.say(&Word::Started { step: name.clone() });
    let began = Instant::now();
    match step.run(cx) {
        Ok(detail) => {
            let took_ms = milliseconds(began);
            speaker.say(&Word::Finished {
                step: name,
                took_ms,
                detail,
            });
            Ok(())
        }
        Err(problem) => {
            speaker.say(&Word::Failed {
                step: name,
                problem: problem.clone(),
            });
            Err(problem)
        }
    }
}

/// Undoes what was begun, newest first; a failure with the version that cannot be left.
fn way_back<'a>(tried: &[Hop<'a>], speaker: &Speaker) -> Result<(), (Problem, &'a Version)> {
    let said = |step: &str, problem: Problem| {
        speaker.say(&Word::Failed {
            step: step.to_owned(),
            problem: problem.clone(),
        });
        problem
    };
    let start = |step: &str| {
        speaker.say(&Word::Started {
            step: step.to_owned(),
        });
    };
    let finish = |step: &str, took_ms| {
        speaker.say(&Word::Finished {
            step: step.to_owned(),
            took_ms,
            detail: None,
        });
    };
    start(WAY_BACK);
    let (mut took_ms, mut compared_ms) = (0, 0);
    let mut differs = None;
    for hop in tried.iter().rev() {
        let back = hop
            .back(speaker)
            .map_err(|problem| (said(WAY_BACK, problem), hop.cx.to))?;
        took_ms += back.took_ms;
        match back.compared {
            Ok(took_ms) => compared_ms += took_ms,
            // What differs after the first way back differs after the others too.
            Err(problem) => differs = differs.or(Some((problem, hop.cx.to))),
        }
    }
    finish(WAY_BACK, took_ms);
    start(COMPARE);
    match differs {
        Some((problem, version)) => Err((said(COMPARE, problem), version)),
        None => {
            finish(COMPARE, compared_ms);
            Ok(())
        }
    }
}

fn undo(cx: &Context, step: &dyn Step) -> Result<(), Problem> {
    let mut tries = 1;
    loop {
        match step.undo(cx) {
            Err(problem) if tries == TRIES => return Err(problem),
            Err(problem) => {
                eprintln!("{} could not be undone: {problem:?}", step.name());
                tries += 1;
                std::thread::sleep(PAUSE);
            }
            Ok(()) => return Ok(()),
        }
    }
}

/// Milliseconds it took.
fn compare(cx: &Context, was: &Was) -> Result<u64, Problem> {
    let began = Instant::now();
    let differences = was.differences(&Was::now(cx)?);
    match differences.is_empty() {
        true => Ok(milliseconds(began)),
        false => Err(Problem::new(problem::REHEARSAL_DIFFERS)
            .arg("version", cx.to)
            .detail(differences.join("\n"))),
    }
}

pub(super) fn milliseconds(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
