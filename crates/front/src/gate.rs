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

use crate::pace::Turn;
use crate::upstream::Upstream;

/// Nobody is held longer than a day, whatever the settings say; it also keeps times within what the clock can count.
const LONGEST_HOLD: Duration = Duration::from_secs(86_400);

/// Lets requests through or keeps them, as ordered.
pub(crate) struct Gate {
    inner: Mutex<Inner>,
    /// Wakes the held ones at every order.
    turned: watch::Sender<()>,
    /// Wakes the reporter when numbers change while holding, and when nobody waits any more.
    moved: Notify,
    /// Wakes the reporter when a sample has ended.
    sampled: Notify,
}

struct Inner {
    mode: Mode,
    numbers: Numbers,
    held_bytes: u64,
    /// The front is ending: nobody is kept any more.
    closed: bool,
    /// Requests let through so far: the number of the next one.
    entered: u64,
    /// Requests in flight that would never end by themselves.
    endless: u64,
    sample: Option<Sample>,
    /// How the last sample ended.
    drained: Option<Duration>,
}

/// The requests that were in flight at one instant and may end by themselves: how long they take is how long holding would have had
/// to wait for them.
struct Sample {
    began: Instant,
    /// Those with a number below this one.
    before: u64,
    /// How many of them are still in flight.
    left: u64,
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
    number: u64,
    is_endless: bool,
    /// Kept by one that was held, until it is answered.
    turn: Option<Turn>,
}

/// A request that waits. It counts as held until this is dropped.
struct Place {
    gate: Arc<Gate>,
    bytes: u64,
}

enum Attempt {
    Passed(Flight),
    /// It has waited and may pass, but not all who have at once.
    Queues {
        upstream: Arc<Upstream>,
        turned: watch::Receiver<()>,
    },
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
                entered: 0,
                endless: 0,
                sample: None,
                drained: None,
            }),
            turned: watch::Sender::new(()),
            moved: Notify::new(),
            sampled: Notify::new(),
        })
    }

    /// Lets a request through, now or when the next order allows it; `bytes` of its body count towards the limit.
    ///
    /// # Errors
    /// It would wait for longer than allowed, or too many wait already.
    pub(crate) async fn enter(self: &Arc<Self>, bytes: u64) -> Result<Flight, Refusal> {
        let arrived = Instant::now();
        let mut place: Option<Place> = None;
        let mut turn: Option<Turn> = None;
        loop {
            match self.attempt(bytes, place.is_some(), &mut turn) {
                Attempt::Passed(flight) => return Ok(flight),
                Attempt::Queues {
                    upstream,
                    mut turned,
                } => {
                    tokio::select! {
                        got = upstream.pace().turn() => turn = got,
                        _ = turned.changed() => {}
                    }
                }
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
    fn attempt(self: &Arc<Self>, bytes: u64, has_place: bool, turn: &mut Option<Turn>) -> Attempt {
        let mut inner = self.lock();
        let (limits, reason) = match &inner.mode {
            Mode::Pass(upstream) => {
                let upstream = Arc::clone(upstream);
                if has_place
                    && !turn
                        .as_ref()
                        .is_some_and(|turn| turn.is_of(upstream.pace()))
                {
                    let turned = self.turned.subscribe();
                    return Attempt::Queues { upstream, turned };
                }
                inner.numbers.in_flight += 1;
                let number = inner.entered;
                inner.entered += 1;
                return Attempt::Passed(Flight {
                    gate: Arc::clone(self),
                    upstream,
                    number,
                    is_endless: false,
                    turn: turn.take(),
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

    /// Begins to time how long those take to finish that are in flight now, while requests pass. One that is still being timed
    /// ends with what it has come to.
    pub(crate) fn begin_sample(&self) {
        let mut inner = self.lock();
        if let Some(last) = inner.sample.take() {
            inner.drained = Some(last.began.elapsed());
        }
        if matches!(inner.mode, Mode::Pass(_)) {
            let left = inner.numbers.in_flight - inner.endless;
            inner.sample = Some(Sample {
                began: Instant::now(),
                before: inner.entered,
                left,
            });
            inner.settle_sample();
        }
        if inner.drained.is_some() {
            self.sampled.notify_one();
        }
    }

    /// Waits until a sample has ended: how long it took.
    pub(crate) async fn sampled(&self) -> Duration {
        loop {
            let drained = self.lock().drained.take();
            match drained {
                Some(drained) => return drained,
                None => self.sampled.notified().await,
            }
        }
    }

    /// Waits until nobody waits any more.
    pub(crate) async fn all_let_go(&self) -> Numbers {
        loop {
            let numbers = self.numbers();
            if numbers.held == 0 {
                return numbers;
            }
            self.moved.notified().await;
        }
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
        // Those of another order are none of this.
        self.sample = None;
        Some(std::mem::replace(&mut self.mode, mode))
    }

    /// A request does not count any more, if it did.
    fn leave_sample(&mut self, number: u64) {
        if let Some(sample) = &mut self.sample
            && number < sample.before
        {
            sample.left -= 1;
            self.settle_sample();
        }
    }

    fn settle_sample(&mut self) {
        if let Some(sample) = self.sample.take_if(|sample| sample.left == 0) {
            self.drained = Some(sample.began.elapsed());
        }
    }
}

impl Flight {
    /// Where it was let through to.
    pub(crate) fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    /// It will not end by itself: nobody would wait for it, and those that were held do not have to.
    pub(crate) fn set_endless(&mut self) {
        self.turn = None;
        if std::mem::replace(&mut self.is_endless, true) {
            return;
        }
        let mut inner = self.gate.lock();
        inner.endless += 1;
        inner.leave_sample(self.number);
        if inner.drained.is_some() {
            self.gate.sampled.notify_one();
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut inner = self.gate.lock();
        inner.numbers.in_flight -= 1;
        match self.is_endless {
            true => inner.endless -= 1,
            false => inner.leave_sample(self.number),
        }
        if inner.drained.is_some() {
            self.gate.sampled.notify_one();
        }
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
        if matches!(inner.mode, Mode::Hold { .. }) || inner.numbers.held == 0 {
            self.gate.moved.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
