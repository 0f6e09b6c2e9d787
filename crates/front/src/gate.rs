//! Who may go through, and when.
//!
//! **Why no request slips past an order.** Whether a request may pass is read, and the request is counted as in flight, in
//! one critical section of one mutex; an order is put in force, and the numbers that acknowledge it are read, in one
//! critical section of the same mutex. So every request comes either before the order, and is in the numbers that
//! acknowledge it, or after it, and is held. There is no third kind. A count only falls when its [`Flight`] is dropped,
//! which its holder does after it let go of the application.
//!
//! The critical sections are a handful of instructions without allocation (orders aside), so that the mutex costs less
//! than a lock-free scheme that would have to be proved.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use obnova_engine::api::{HoldLimits, TrafficMode, TrafficOrder};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use crate::upstream::Upstream;

/// Nobody is held longer than a day, whatever the settings say; it also keeps times within what the clock can count.
const LONGEST_HOLD: Duration = Duration::from_secs(86_400);

/// Lets requests through or keeps them, as ordered.
pub(crate) struct Gate {
    inner: Mutex<Inner>,
    /// Wakes the held ones at every order.
    turned: watch::Sender<()>,
    /// Wakes the reporter when numbers change while holding.
    moved: Notify,
}

struct Inner {
    mode: Mode,
    numbers: Numbers,
    held_bytes: u64,
    /// The front is ending: nobody is kept any more.
    closed: bool,
}

enum Mode {
    Pass(Arc<Upstream>),
    Hold { limits: HoldLimits, reason: Refusal },
}

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Numbers {
    /// Requests let through and not finished.
    pub(crate) in_flight: u64,
    /// Requests waiting.
    pub(crate) held: u64,
}

/// Why a request was not let through, once it may not wait (any longer).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The application is not up, or no order has come since the front started.
    Starting,
    /// An update to this version is running.
    Updating(String),
}

/// A request that was let through. It counts as in flight until this is dropped.
pub(crate) struct Flight {
    gate: Arc<Gate>,
    upstream: Arc<Upstream>,
}

/// A request that waits. It counts as held until this is dropped.
struct Place {
    gate: Arc<Gate>,
    bytes: u64,
}

enum Attempt {
    Passed(Flight),
    Waits {
        longest: Duration,
        turned: watch::Receiver<()>,
    },
    Refused(Refusal),
}

impl Gate {
    /// A gate that holds until the first order.
    pub(crate) fn new() -> Arc<Gate> {
        Arc::new(Gate {
            inner: Mutex::new(Inner {
                mode: Mode::Hold {
                    limits: HoldLimits::default(),
                    reason: Refusal::Starting,
                },
                numbers: Numbers::default(),
                held_bytes: 0,
                closed: false,
            }),
            turned: watch::Sender::new(()),
            moved: Notify::new(),
        })
    }

    /// Lets a request through, now or when the next order allows it; `bytes` of its body count towards the limit.
    ///
    /// # Errors
    /// It would wait for longer than allowed, or too many wait already.
    pub(crate) async fn enter(self: &Arc<Self>, bytes: u64) -> Result<Flight, Refusal> {
        let arrived = Instant::now();
        let mut place: Option<Place> = None;
        loop {
            match self.attempt(bytes, place.is_some()) {
                Attempt::Passed(flight) => return Ok(flight),
                Attempt::Refused(refusal) => return Err(refusal),
                Attempt::Waits {
                    longest,
                    mut turned,
                } => {
                    place.get_or_insert_with(|| Place {
                        gate: Arc::clone(self),
                        bytes,
                    });
                    let late = timeout_at(arrived + longest, turned.changed())
                        .await
                        .is_err();
                    if late && let Some(refusal) = self.refusal() {
                        return Err(refusal);
                    }
                }
            }
        }
    }

    /// One look at the order in force, and its consequence, as one indivisible act.
    fn attempt(self: &Arc<Self>, bytes: u64, has_place: bool) -> Attempt {
        let mut inner = self.lock();
        let (limits, reason) = match &inner.mode {
            Mode::Pass(upstream) => {
                let upstream = Arc::clone(upstream);
                inner.numbers.in_flight += 1;
                return Attempt::Passed(Flight {
                    gate: Arc::clone(self),
                    upstream,
                });
            }
            Mode::Hold { limits, reason } => (*limits, reason),
        };
        let full = inner.numbers.held >= limits.requests
            || inner.held_bytes.saturating_add(bytes) > limits.bytes;
        if inner.closed || limits.seconds == 0 || (full && !has_place) {
            return Attempt::Refused(reason.clone());
        }
        if !has_place {
            inner.numbers.held += 1;
            inner.held_bytes += bytes;
            self.moved.notify_one();
        }
        Attempt::Waits {
            longest: Duration::from_secs(limits.seconds).min(LONGEST_HOLD),
            turned: self.turned.subscribe(),
        }
    }

    /// Puts an order in force and says what was under way at that instant.
    pub(crate) fn apply(&self, order: &TrafficOrder) -> Numbers {
        let (replaced, numbers) = {
            let mut inner = self.lock();
            let replaced = inner.turn(&order.mode);
            (replaced, inner.numbers)
        };
        if let Some(Mode::Pass(old)) = replaced {
            old.end();
        }
        self.turned.send_replace(());
        numbers
    }

    /// What is under way.
    pub(crate) fn numbers(&self) -> Numbers {
        self.lock().numbers
    }

    /// Whether requests are being held.
    pub(crate) fn holds(&self) -> bool {
        matches!(self.lock().mode, Mode::Hold { .. })
    }

    /// Waits until the numbers change while holding.
    pub(crate) async fn moved(&self) {
        self.moved.notified().await;
    }

    /// Ends streams and tunnels that would never end by themselves, for the end of the front.
    pub(crate) fn cut_endless(&self) {
        if let Mode::Pass(upstream) = &self.lock().mode {
            upstream.cut();
        }
    }

    /// Refuses those that wait and all that would.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.turned.send_replace(());
    }

    /// Why requests are held, if they are.
    fn refusal(&self) -> Option<Refusal> {
        match &self.lock().mode {
            Mode::Pass(_) => None,
            Mode::Hold { reason, .. } => Some(reason.clone()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Takes the mode of a new order and returns the one that it replaces. The same address again while passing, which is
    /// what an engine says after a restart, replaces nothing: connections in use are good.
    fn turn(&mut self, ordered: &TrafficMode) -> Option<Mode> {
        let mode = match ordered {
            TrafficMode::Pass { upstream } => {
                if let Mode::Pass(now) = &self.mode
                    && now.address() == *upstream
                {
                    return None;
                }
                Mode::Pass(Upstream::new(*upstream))
            }
            TrafficMode::Hold { limits, to } => Mode::Hold {
                limits: *limits,
                reason: match to {
                    Some(version) => Refusal::Updating(version.to_string()),
                    None => Refusal::Starting,
                },
            },
        };
        Some(std::mem::replace(&mut self.mode, mode))
    }
}

impl Flight {
    /// Where it was let through to.
    pub(crate) fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut inner = self.gate.lock();
        inner.numbers.in_flight -= 1;
        if matches!(inner.mode, Mode::Hold { .. }) {
            self.gate.moved.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.gate.lock();
        inner.numbers.held -= 1;
        inner.held_bytes -= self.bytes;
        if matches!(inner.mode, Mode::Hold { .. }) {
            self.gate.moved.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
