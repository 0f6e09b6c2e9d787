//! The course of a rehearsal on the clone: the steps of an update, then the way back, then whether all is as before.
//!
//! The steps are those of [`crate::steps`] themselves; only their journal is another one: words to the engine. A crash here needs no
//! recovery, since nothing of the clone is kept.

use std::time::{Duration, Instant};

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

/// How a rehearsal ended, and why.
pub(super) type End = (RehearsalOutcome, Option<Problem>);

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

/// Runs the course on a clone on which the version before serves.
pub(super) fn run(cx: &Context, speaker: &Speaker) -> End {
    let mut begun: Vec<&'static dyn Step> = Vec::new();
    let mut was = None;
    let mut failure = None;
    let before = size(cx);
    for step in update_steps() {
        begun.push(step);
        match forwards(cx, speaker, step) {
            Ok(()) => {}
            Err(problem) => {
                failure = Some(problem);
                break;
            }
        }
        if step.name() == STOP {
            match Was::now(cx) {
                Ok(now) => was = Some(now),
                Err(problem) => return (RehearsalOutcome::NotMade, Some(problem)),
            }
        }
    }
    speaker.say(&Word::Grown {
        bytes: size(cx).saturating_sub(before),
    });
    let back = way_back(cx, speaker, &begun, was.as_ref());
    match (failure, back) {
        (None, Ok(())) => (RehearsalOutcome::Passed, None),
        (Some(problem), Ok(())) | (None, Err(problem)) => (RehearsalOutcome::Failed, Some(problem)),
        // A version that fails is one thing; one that cannot be left again is worse.
        (Some(failure), Err(problem)) => {
            let both = [&problem, &failure].map(|it| {
                let detail = it.detail.as_deref().unwrap_or_default();
                format!("{}: {detail}", it.code)
            });
            let problem = problem.detail(both.join("\n"));
            (RehearsalOutcome::Failed, Some(problem))
        }
    }
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

/// Undoes what was begun, newest first. Whether all is as before is looked at when everything is but that nobody works with it:
/// the version before may write as soon as it serves. That look is no part of the way back's time.
fn way_back(
    cx: &Context,
    speaker: &Speaker,
    begun: &[&'static dyn Step],
    was: Option<&Was>,
) -> Result<(), Problem> {
    let said = |step: &str, problem: Problem| {
        speaker.say(&Word::Failed {
            step: step.to_owned(),
            problem: problem.clone(),
        });
        problem
    };
    speaker.say(&Word::Started {
        step: WAY_BACK.to_owned(),
    });
    let mut took_ms = 0;
    let mut compared = Ok(0);
    for step in begun.iter().rev() {
        if step.name() == STOP {
            compared = was.map_or(Ok(0), |was| compare(cx, was));
        }
        let began = Instant::now();
        undo(cx, *step).map_err(|problem| said(WAY_BACK, problem))?;
        let took = milliseconds(began);
        took_ms += took;
        speaker.say(&Word::Undone {
            step: step.name().to_owned(),
            took_ms: took,
        });
    }
    speaker.say(&Word::Finished {
        step: WAY_BACK.to_owned(),
        took_ms,
        detail: None,
    });
    speaker.say(&Word::Started {
        step: COMPARE.to_owned(),
    });
    let took_ms = compared.map_err(|problem| said(COMPARE, problem))?;
    speaker.say(&Word::Finished {
        step: COMPARE.to_owned(),
        took_ms,
        detail: None,
    });
    Ok(())
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
