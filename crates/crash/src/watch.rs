//! Counts the changes to the disk of one life, writes them down, and stops one of them at the moment of a fault.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use crate::control::{Answer, Change, Listener};
use crate::moment::When;
use crate::planted::Planted;

/// See the module.
pub struct Watch {
    inner: Mutex<Inner>,
}

struct Inner {
    log: File,
    count: u64,
    /// Counted from here.
    base: u64,
    armed: Option<Armed>,
    planted: Option<Planted>,
    /// Every change since the click, for counting runs.
    changes: Vec<Change>,
}

struct Armed {
    number: u64,
    when: When,
    reached: Sender<Reached>,
}

/// A process stands at the moment.
pub struct Reached {
    /// What it is about to do or has done.
    pub change: Change,
    go_on: Sender<()>,
}

impl Reached {
    /// Lets it go on, if it still lives.
    pub fn go_on(self) {
        let _ = self.go_on.send(());
    }
}

impl Watch {
    /// Begins to write into this file.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(log: &Path, planted: Option<Planted>) -> Result<Arc<Watch>> {
        let inner = Inner {
            log: File::create(log)?,
            count: 0,
            base: 0,
            armed: None,
            planted,
            changes: Vec::new(),
        };
        Ok(Arc::new(Watch {
            inner: Mutex::new(inner),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts from here on, and stops the process that comes to this change.
    pub fn arm(&self, at: Option<(u64, When)>) -> Receiver<Reached> {
        let (reached, receiver) = channel();
        let mut inner = self.lock();
        inner.base = inner.count;
        inner.armed = at.map(|(number, when)| Armed {
            number,
            when,
            reached,
        });
        inner.note("-- counted from here");
        receiver
    }

    /// Stops nobody any more.
    pub fn disarm(&self) {
        self.lock().armed = None;
    }

    /// Forgets the changes so far.
    pub fn clear(&self) {
        self.lock().changes.clear();
    }

    /// The changes since then.
    pub fn changes(&self) -> Vec<Change> {
        self.lock().changes.clone()
    }

    /// Writes a line between the changes.
    pub fn note(&self, text: &str) {
        self.lock().note(text);
    }

    fn stop_at(&self, number: u64, change: &Change) {
        let mut inner = self.lock();
        inner.note(&format!(
            "{number} {} {} {}",
            if change.when == When::Before {
                "before"
            } else {
                "after"
            },
            change.kind,
            change.path.display()
        ));
        let wanted = inner.base;
        let is_it =
            |armed: &mut Armed| number == wanted + armed.number && armed.when == change.when;
        let Some(armed) = inner.armed.take_if(is_it) else {
            return;
        };
        drop(inner);
        let (go_on, wait) = channel();
        let reached = Reached {
            change: change.clone(),
            go_on,
        };
        if armed.reached.send(reached).is_ok() {
            let _ = wait.recv();
        }
    }
}

impl Inner {
    fn note(&mut self, text: &str) {
        // For people who look into a failed round: nothing depends on it.
        let _ = writeln!(self.log, "{} {text}", jiff::Timestamp::now());
    }
}

impl Listener for Watch {
    fn before(&self, change: &Change) -> (u64, Answer) {
        let mut inner = self.lock();
        inner.count += 1;
        let number = inner.count;
        inner.changes.push(change.clone());
        let planted = inner.planted;
        drop(inner);
        self.stop_at(number, change);
        (
            number,
            planted.map_or(Answer::Go, |planted| planted.answer(change)),
        )
    }

    fn after(&self, number: u64, change: &Change) {
        self.stop_at(number, change);
    }
}
