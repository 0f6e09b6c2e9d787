//! The journal, what its events add up to, and those who follow it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::api::{Event, EventKind, Line, Problem, Progress, UpdateId};
use crate::journal::{Journal, JournalError, Observer};
use crate::problem;
use crate::state::History;
use crate::step::chain;

/// The one place where events are made.
pub struct Hub {
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    journal: Journal,
    events: Vec<Event>,
    /// When those with these numbers were made, as far as this process made them.
    made: HashMap<u64, Instant>,
    history: History,
    progress: Option<Progress>,
    /// Counts changes of `progress`.
    progress_number: u64,
    closed: bool,
}

/// Where a follower stands.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    event: u64,
    progress: u64,
}

impl Position {
    /// After the event with this number.
    pub fn after(event: u64) -> Position {
        Position { event, progress: 0 }
    }
}

impl Hub {
    /// Opens the journal and folds it.
    ///
    /// # Errors
    /// `system`: it cannot be read, or is damaged.
    pub fn open(path: &Path, observer: Option<Observer>) -> Result<Hub, Problem> {
        let system = |detail: String| {
            Problem::new(problem::SYSTEM)
                .arg("path", path.display())
                .detail(detail)
        };
        let (journal, events) =
            Journal::open(path, observer).map_err(|error| system(chain(&error)))?;
        let history = History::of(&events).map_err(|error| system(error.to_string()))?;
        let inner = Inner {
            journal,
            events,
            made: HashMap::new(),
            history,
            progress: None,
            progress_number: 0,
            closed: false,
        };
        Ok(Hub {
            inner: Mutex::new(inner),
            changed: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Journals an event; when this returns it is on disk, and only then followers see it.
    ///
    /// # Errors
    /// It is not on disk: the caller must not act.
    pub fn append(&self, update: UpdateId, kind: EventKind) -> Result<Event, JournalError> {
        let mut inner = self.lock();
        let event = inner.journal.append(update, kind)?;
        if let Err(illegal) = inner.history.apply(&event) {
            // A defect of ours: the engine asked for what the state machine refuses.
            tracing::error!(%illegal, "the journal holds an event that does not follow");
        }
        inner.made.insert(event.number, Instant::now());
        inner.events.push(event.clone());
        inner.progress = None;
        inner.progress_number += 1;
        self.changed.notify_all();
        Ok(event)
    }

    /// Tells followers how far the running step is.
    pub fn progress(&self, progress: Progress) {
        let mut inner = self.lock();
        inner.progress = Some(progress);
        inner.progress_number += 1;
        self.changed.notify_all();
    }

    /// How far the running step is.
    pub fn current_progress(&self) -> Option<Progress> {
        self.lock().progress.clone()
    }

    /// Works with what the events add up to.
    pub fn with_history<T>(&self, work: impl FnOnce(&History) -> T) -> T {
        work(&self.lock().history)
    }

    /// The events of one update.
    pub fn events_of(&self, update: UpdateId) -> Vec<Event> {
        self.lock()
            .events
            .iter()
            .filter(|event| event.update == update)
            .cloned()
            .collect()
    }

    /// Time from one event to another, or until now. Their dates count only where no process knows better: the clock may have
    /// jumped in between.
    pub fn between(&self, from: &Event, to: Option<&Event>) -> Duration {
        let inner = self.lock();
        let made = |event: &Event| inner.made.get(&event.number).copied();
        let end = to.map_or_else(|| Some(Instant::now()), made);
        if let (Some(from), Some(end)) = (made(from), end) {
            return end.saturating_duration_since(from);
        }
        let end = to.map_or_else(jiff::Timestamp::now, |event| event.at);
        Duration::try_from(end.duration_since(from.at)).unwrap_or_default()
    }

    /// The number of the newest event.
    pub fn last_event(&self) -> u64 {
        self.lock().events.last().map_or(0, |event| event.number)
    }

    /// What came after `position`, which is moved on; waits for it up to `patience`. `None` when the engine ends.
    pub fn after(&self, position: &mut Position, patience: Duration) -> Option<Vec<Line>> {
        let here = *position;
        let nothing_new = |inner: &mut Inner| {
            !inner.closed
                && inner.events.len() as u64 <= here.event
                && inner.progress_number <= here.progress
        };
        let (inner, _) = self
            .changed
            .wait_timeout_while(self.lock(), patience, nothing_new)
            .unwrap_or_else(PoisonError::into_inner);
        if inner.closed {
            return None;
        }
        let seen = usize::try_from(here.event)
            .unwrap_or(usize::MAX)
            .min(inner.events.len());
        let mut lines: Vec<Line> = inner.events[seen..]
            .iter()
            .cloned()
            .map(Line::Event)
            .collect();
        if inner.progress_number > here.progress {
            lines.extend(inner.progress.clone().map(Line::Progress));
        }
        *position = Position {
            event: inner.events.len().max(seen) as u64,
            progress: inner.progress_number,
        };
        Some(lines)
    }

    /// Lets every follower go.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}
