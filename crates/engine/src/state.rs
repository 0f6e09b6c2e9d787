//! What the journal's events add up to: a pure function of them, and the only place that says which event may follow which.

use jiff::Timestamp;
use semver::Version;

use crate::api::{
    Event, EventKind, Forecast, Outcome, Problem, StepState, StepStatus, UpdateId, UpdateKind,
    UpdateSummary,
};
use crate::steps;

/// All updates so far, oldest first.
#[derive(Debug, Default, Clone)]
pub struct History {
    updates: Vec<Update>,
}

/// One update.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Its number.
    pub id: UpdateId,
    /// From which version.
    pub from: Version,
    /// To which version.
    pub to: Version,
    /// Versions that follow in the same click.
    pub then: Vec<Version>,
    /// Which one of the click's versions this is, from 1.
    pub hop: u32,
    /// Who asked.
    pub actor: String,
    /// Whether it leads on or back.
    pub kind: UpdateKind,
    /// What a rehearsal said it would take.
    pub forecast: Option<Forecast>,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Whether it goes forwards, back, or nowhere any more.
    pub direction: Direction,
    /// The steps begun so far, in order.
    pub steps: Vec<Step>,
    /// Why it is or was undone.
    pub problem: Option<Problem>,
    /// Milliseconds in which requests were held.
    pub blackout_ms: Option<u64>,
}

/// Where an update is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the new version.
    Forwards,
    /// To the state before.
    Back,
    /// It has arrived at the new version.
    Completed,
    /// It has arrived at the state before.
    RolledBack,
}

/// A step that was begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub status: StepStatus,
    /// Whether it failed.
    pub failed: bool,
    /// When it was begun.
    pub began: Timestamp,
    /// Milliseconds it took to do, once done.
    pub took_ms: Option<u64>,
}

/// The event does not follow from those before.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("event {number} ({what}) does not follow from those before it")]
pub struct Illegal {
    /// The event's number.
    pub number: u64,
    /// What it is.
    pub what: &'static str,
}

impl History {
    /// The history that these events add up to.
    ///
    /// # Errors
    /// An event does not follow from those before.
    pub fn of(events: &[Event]) -> Result<History, Illegal> {
        let mut history = History::default();
        for event in events {
            history.apply(event)?;
        }
        Ok(history)
    }

    /// Takes the next event in.
    ///
    /// # Errors
    /// It does not follow; nothing is changed.
    pub fn apply(&mut self, event: &Event) -> Result<(), Illegal> {
        if let EventKind::UpdateStarted {
            from,
            to,
            then,
            hop,
            actor,
            kind,
            forecast,
        } = &event.kind
        {
            if self.open().is_some() || event.update != self.next_id() {
                return Err(Illegal {
                    number: event.number,
                    what: "update_started",
                });
            }
            self.updates.push(Update {
                id: event.update,
                from: from.clone(),
                to: to.clone(),
                then: then.clone(),
                hop: *hop,
                actor: actor.clone(),
                kind: *kind,
                forecast: forecast.clone(),
                started: event.at,
                finished: None,
                direction: Direction::Forwards,
                steps: Vec::new(),
                problem: None,
                blackout_ms: None,
            });
            return Ok(());
        }
        let illegal = |what| Illegal {
            number: event.number,
            what,
        };
        match self.updates.last_mut() {
            Some(update) if update.id == event.update && update.is_open() => {
                update.apply(event).map_err(illegal)
            }
            _ => Err(illegal("an event outside an update")),
        }
    }

    /// The update that has not ended, if there is one.
    pub fn open(&self) -> Option<&Update> {
        self.updates.last().filter(|update| update.is_open())
    }

    /// The last update, when it is done and versions of the same click are to follow that have not been begun.
    pub fn unfinished_click(&self) -> Option<&Update> {
        self.updates
            .last()
            .filter(|update| update.direction == Direction::Completed && !update.then.is_empty())
    }

    /// All updates, oldest first.
    pub fn updates(&self) -> &[Update] {
        &self.updates
    }

    /// The number that the next update gets.
    pub fn next_id(&self) -> UpdateId {
        self.updates.last().map_or(1, |update| update.id + 1)
    }

    /// The last update that was finished: the one that led to the installed version.
    pub fn last_completed(&self) -> Option<&Update> {
        let mut updates = self.updates.iter().rev();
        updates.find(|update| update.direction == Direction::Completed)
    }

    /// Whether this version's last update here was undone. Ways back say nothing about a version.
    pub fn failed_before(&self, version: &Version) -> bool {
        let last = self
            .updates
            .iter()
            .rev()
            .find(|update| update.to == *version && update.kind.is_install());
        last.is_some_and(|update| update.direction == Direction::RolledBack)
    }
}

impl Update {
    /// Whether it has not ended.
    pub fn is_open(&self) -> bool {
        matches!(self.direction, Direction::Forwards | Direction::Back)
    }

    /// The step with this name, if it was begun.
    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }

    fn apply(&mut self, event: &Event) -> Result<(), &'static str> {
        use Direction::{Back, Completed, Forwards, RolledBack};
        let running = self
            .steps
            .iter()
            .position(|step| step.status == StepStatus::Running);
        match (&event.kind, self.direction) {
            (EventKind::StepStarted { step }, Forwards) => self.begin(step, event.at),
            (EventKind::StepFinished { step, took_ms, .. }, Forwards) => match running {
                Some(at) if self.steps[at].name == *step => {
                    self.steps[at].status = StepStatus::Done;
                    self.steps[at].took_ms = Some(*took_ms);
                    Ok(())
                }
                _ => Err("step_finished"),
            },
            (EventKind::StepFailed { step, problem }, Forwards) => {
                if let Some(at) = running {
                    if self.steps[at].name != *step {
                        return Err("step_failed");
                    }
                    self.steps[at].status = StepStatus::Failed;
                    self.steps[at].failed = true;
                }
                self.problem = Some(problem.clone());
                self.direction = Back;
                Ok(())
            }
            (EventKind::UndoStarted { step }, Back) => self.undo(step, StepStatus::Undoing),
            (EventKind::UndoFinished { step, .. }, Back) => self.undo(step, StepStatus::Undone),
            (EventKind::Completed { blackout_ms }, Forwards) if running.is_none() => {
                self.end(Completed, event.at, *blackout_ms);
                Ok(())
            }
            (
                EventKind::RolledBack {
                    problem,
                    blackout_ms,
                },
                Back,
            ) if self
                .steps
                .iter()
                .all(|step| step.status == StepStatus::Undone) =>
            {
                self.problem = Some(problem.clone());
                self.end(RolledBack, event.at, *blackout_ms);
                Ok(())
            }
            _ => Err("an event that does not fit the update's direction"),
        }
    }

    fn end(&mut self, direction: Direction, at: Timestamp, blackout_ms: u64) {
        self.direction = direction;
        self.finished = Some(at);
        self.blackout_ms = Some(blackout_ms);
    }

    /// A step may begin again after a crash while rolling forwards: it is repeatable.
    fn begin(&mut self, name: &str, at: Timestamp) -> Result<(), &'static str> {
        let known = self.step(name).is_some();
        match self.steps.last_mut() {
            Some(last) if last.name == name && last.status != StepStatus::Done => {
                last.status = StepStatus::Running;
                return Ok(());
            }
            Some(last) if last.status != StepStatus::Done => return Err("step_started"),
            _ if known => return Err("step_started"),
            _ => {}
        }
        self.steps.push(Step {
            name: name.to_owned(),
            status: StepStatus::Running,
            failed: false,
            began: at,
            took_ms: None,
        });
        Ok(())
    }

    /// Steps are undone in the reverse order of their beginning.
    fn undo(&mut self, name: &str, status: StepStatus) -> Result<(), &'static str> {
        let last = self
            .steps
            .iter_mut()
            .rev()
            .find(|step| step.status != StepStatus::Undone);
        match last {
            Some(step) if step.name == name => {
                step.status = status;
                Ok(())
            }
            _ => Err("undo"),
        }
    }

    /// For lists and pages: all steps, in order.
    pub fn step_states(&self) -> Vec<StepState> {
        let state = |name: &&str| match self.step(name) {
            Some(step) => StepState {
                step: step.name.clone(),
                status: step.status,
                failed: step.failed,
                took_ms: step.took_ms,
            },
            None => StepState {
                step: (*name).to_owned(),
                status: StepStatus::Waiting,
                failed: false,
                took_ms: None,
            },
        };
        steps::names(self.kind).iter().map(state).collect()
    }

    /// For lists and pages.
    pub fn summary(&self) -> UpdateSummary {
        UpdateSummary {
            update: self.id,
            from: self.from.clone(),
            to: self.to.clone(),
            then: self.then.clone(),
            actor: self.actor.clone(),
            started: self.started,
            finished: self.finished,
            outcome: match self.direction {
                Direction::Forwards | Direction::Back => Outcome::Running,
                Direction::Completed => Outcome::Completed,
                Direction::RolledBack => Outcome::RolledBack,
            },
            blackout_ms: self.blackout_ms,
            steps: self.step_states(),
            problem: self.problem.clone(),
            kind: self.kind,
            forecast: self.forecast.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
