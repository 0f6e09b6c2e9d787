//! Runs the steps of one update, and undoes them: the journal is written before every act.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::api::{Event, EventKind, Problem, StepStatus, UpdateId};
use crate::hub::Hub;
use crate::journal::JournalError;
use crate::problem;
use crate::recovery::POINT_OF_NO_RETURN;
use crate::report;
use crate::reserve;
use crate::state::{Direction, Update};
use crate::step::{Context, Step, chain};
use crate::steps;

/// Longest pause between two tries of something that must succeed in the end.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How an update ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The new version serves.
    Completed,
    /// All is as before.
    RolledBack,
    /// The engine is to end; the next one goes on from the journal.
    Interrupted,
}

/// Runs all steps, or those that an interrupted update has not finished; undoes everything when one fails before the point
/// of no return.
pub fn forwards(hub: &Hub, cx: &mut Context, deadline: Duration) -> End {
    // By this engine, with requests held ever since.
    let mut verified = false;
    for step in steps::of(cx.kind) {
        if status(hub, cx.update, *step) == Some(StepStatus::Done) {
            if step.name() == POINT_OF_NO_RETURN
                && let Err(problem) = step.run(cx)
            {
                // It is looked after again once the rest is done.
                tracing::error!(
                    code = problem.code,
                    detail = problem.detail,
                    "not serving yet"
                );
            }
            continue;
        }
        let past_return = is_past_return(hub);
        match run(hub, cx, *step) {
            Ok(()) => {}
            Err(_) if cx.cancelled.load(Ordering::Relaxed) => return End::Interrupted,
            // The new version may end after its checks and before the first request: then all can still be undone, by the
            // engine that has held requests all the time and knows that none was let through.
            Err(problem)
                if past_return
                    || is_past_return(hub) && !(verified && cx.traffic.upstream().is_none()) =>
            {
                if !insist(hub, cx, *step, problem) {
                    return End::Interrupted;
                }
            }
            Err(problem) if is_past_return(hub) => {
                // What is on disk so far tells the next engine to finish the update. That must be taken back before anything
                // is undone: otherwise it would start the new version over data that has been returned.
                let failed = EventKind::StepFailed {
                    step: step.name().to_owned(),
                    problem: told(cx, problem),
                };
                return match must(cx, || hub.append(cx.update, failed.clone())) {
                    true => back(hub, cx, None),
                    false => End::Interrupted,
                };
            }
            Err(problem) => {
                return back(hub, cx, Some((*step, problem)));
            }
        }
        verified |= step.name() == "verify";
        if step.name() == "hold" {
            cx.deadline = Some(Instant::now() + deadline);
        }
        if step.name() == POINT_OF_NO_RETURN {
            cx.deadline = None;
        }
    }
    reserve::give_back_all(&cx.installation.state_dir);
    let blackout_ms = blackout(hub, cx.update, true);
    match must(cx, || {
        hub.append(cx.update, EventKind::Completed { blackout_ms })
    }) {
        true => End::Completed,
        false => End::Interrupted,
    }
}

/// A problem as it is kept for ever, shown on pages and mailed: what programs printed may have secrets in it.
fn told(cx: &Context, mut problem: Problem) -> Problem {
    let redact = |text: String| report::redact(cx.installation, cx.database.secrets(), &text);
    problem.detail = problem.detail.take().map(redact);
    problem
}

/// Undoes every step that was begun, newest first, trying each until it is undone. Traffic is held until the version before
/// serves again.
///
/// A journal that cannot be written does not keep the version before from coming back: its records are made up for at the
/// end. Should the engine die before that, all of this is done again, which is harmless, since `hold` puts the protected
/// copies out of reach before it lets requests through.
pub fn back(hub: &Hub, cx: &Context, failure: Option<(&dyn Step, Problem)>) -> End {
    let mut records = Records {
        hub,
        update: cx.update,
        owed: Vec::new(),
    };
    let problem = match failure {
        Some((step, problem)) => {
            let problem = told(cx, problem);
            tracing::warn!(
                update = cx.update,
                step = step.name(),
                code = problem.code,
                "the update is undone"
            );
            records.write(EventKind::StepFailed {
                step: step.name().to_owned(),
                problem: problem.clone(),
            });
            problem
        }
        None => hub
            .with_history(|history| history.open().and_then(|update| update.problem.clone()))
            .unwrap_or_else(|| Problem::new(problem::INTERRUPTED)),
    };
    reserve::give_back_all(&cx.installation.state_dir);
    for step in begun(hub, cx) {
        let name = step.name().to_owned();
        let began = Instant::now();
        records.write(EventKind::UndoStarted { step: name.clone() });
        let undo = || {
            reserve::give_up_last(&cx.installation.state_dir);
            step.undo(cx)
        };
        if !must(cx, undo) {
            return End::Interrupted;
        }
        records.write(EventKind::UndoFinished {
            step: name,
            took_ms: milliseconds(began),
        });
    }
    let blackout_ms = blackout(hub, cx.update, false);
    records.write(EventKind::RolledBack {
        problem,
        blackout_ms,
    });
    if !must(cx, || records.settle()) {
        return End::Interrupted;
    }
    // Used up; a failed attempt to remove it is made good by the next update's `clean`.
    steps::clean::throw_away(cx.database, &cx.used());
    // There is one only where the update came no further than to prepare it.
    steps::clean::throw_away(cx.database, &cx.protected());
    End::RolledBack
}

/// The steps to undo, newest first.
fn begun(hub: &Hub, cx: &Context) -> Vec<&'static dyn Step> {
    let undone = |step: &&&dyn Step| {
        matches!(
            status(hub, cx.update, **step),
            None | Some(StepStatus::Undone)
        )
    };
    steps::of(cx.kind)
        .iter()
        .rev()
        .filter(|step| !undone(step))
        .copied()
        .collect()
}

/// Records of an undoing, in order; what the journal refuses is owed.
struct Records<'a> {
    hub: &'a Hub,
    update: UpdateId,
    owed: Vec<EventKind>,
}

impl Records<'_> {
    fn write(&mut self, kind: EventKind) {
        self.owed.push(kind);
        if let Err(error) = self.settle() {
            tracing::error!(
                error = chain(&error),
                owed = self.owed.len(),
                "the journal cannot be written; undoing goes on"
            );
        }
    }

    fn settle(&mut self) -> Result<(), JournalError> {
        while let Some(kind) = self.owed.first() {
            self.hub.append(self.update, kind.clone())?;
            self.owed.remove(0);
        }
        Ok(())
    }
}

fn run(hub: &Hub, cx: &Context, step: &dyn Step) -> Result<(), Problem> {
    cx.may_go_on(step.name())?;
    reserve::give_back(&cx.installation.state_dir, step.name());
    let name = step.name().to_owned();
    let began = Instant::now();
    hub.append(cx.update, EventKind::StepStarted { step: name.clone() })
        .map_err(|error| journal(&error))?;
    let detail = step.run(cx)?;
    let took_ms = milliseconds(began);
    hub.append(
        cx.update,
        EventKind::StepFinished {
            step: name,
            took_ms,
            detail,
        },
    )
    .map_err(|error| journal(&error))?;
    Ok(())
}

/// Past the point of no return the only way is on: tries the step again until it succeeds or the engine is to end.
fn insist(hub: &Hub, cx: &Context, step: &dyn Step, mut problem: Problem) -> bool {
    let mut pause = Duration::from_millis(100);
    loop {
        tracing::error!(
            step = step.name(),
            code = problem.code,
            detail = problem.detail,
            "trying again"
        );
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
        if cx.cancelled.load(Ordering::Relaxed) {
            return false;
        }
        match run(hub, cx, step) {
            Ok(()) => return true,
            Err(again) => problem = again,
        }
    }
}

/// Tries until it succeeds, or the engine is to end (`false`): undoing and its records have no alternative.
fn must<T, E: std::fmt::Debug>(cx: &Context, mut act: impl FnMut() -> Result<T, E>) -> bool {
    let mut pause = Duration::from_millis(100);
    while let Err(error) = act() {
        tracing::error!(?error, "trying again");
        if cx.cancelled.load(Ordering::Relaxed) {
            return false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    true
}

fn status(hub: &Hub, update: UpdateId, step: &dyn Step) -> Option<StepStatus> {
    hub.with_history(|history| {
        let update = history.open().filter(|open| open.id == update)?;
        update.step(step.name()).map(|step| step.status)
    })
}

fn is_past_return(hub: &Hub) -> bool {
    let past = |update: &Update| {
        update.direction == Direction::Forwards && update.step(POINT_OF_NO_RETURN).is_some()
    };
    hub.with_history(|history| history.open().is_some_and(past))
}

/// Milliseconds in which requests were held: from the record of `hold` to that of letting them through again.
fn blackout(hub: &Hub, update: UpdateId, completed: bool) -> u64 {
    let events = hub.events_of(update);
    let holds =
        |event: &&Event| matches!(&event.kind, EventKind::StepStarted { step } if step == "hold");
    let lets_through = |event: &&Event| match &event.kind {
        EventKind::StepFinished { step, .. } => completed && step == POINT_OF_NO_RETURN,
        EventKind::UndoFinished { step, .. } => step == "hold",
        _ => false,
    };
    let Some(began) = events.iter().find(holds) else {
        return 0;
    };
    let blackout = hub.between(began, events.iter().find(lets_through));
    u64::try_from(blackout.as_millis()).unwrap_or(u64::MAX)
}

fn milliseconds(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn journal(error: &JournalError) -> Problem {
    Problem::new(problem::SYSTEM)
        .arg("path", "journal.jsonl")
        .detail(chain(error))
}
