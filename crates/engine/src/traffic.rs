//! Orders to the fronts, and their reports.
//!
//! An order is in force for an update only when every connected front has reported it. A front that was just started lets
//! nothing through until it has an order. One that has lost the engine keeps its last order, and comes back within a
//! second: for so long after a front has gone, and after the engine's own start, no front being there proves nothing.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use semver::Version;

use crate::api::{FrontState, HoldLimits, TrafficMode, TrafficOrder, TrafficReport};
use crate::rehearsal::Drain;

/// A living front that lost the engine is back within this time.
const RETURN: Duration = Duration::from_millis(1200);

/// Instants of which it is remembered how long requests under way took to finish.
const DRAINS: usize = 60;

/// The order of the moment and who has it.
pub struct Traffic {
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    order: TrafficOrder,
    fronts: HashMap<u64, Option<TrafficReport>>,
    next_front: u64,
    /// Until when a front may be alive that has an older order and is not connected.
    strays_until: Instant,
    /// Milliseconds in which requests under way have finished, at some instants lately, oldest first.
    drains: VecDeque<u64>,
}

impl Traffic {
    /// Holds, until told otherwise.
    pub fn holding(limits: HoldLimits) -> Traffic {
        let order = TrafficOrder {
            sequence: 1,
            mode: TrafficMode::Hold { limits, to: None },
        };
        Traffic {
            inner: Mutex::new(Inner {
                order,
                fronts: HashMap::new(),
                next_front: 1,
                strays_until: Instant::now() + RETURN,
                drains: VecDeque::new(),
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, mode: TrafficMode) -> u64 {
        let mut inner = self.lock();
        if inner.order.mode != mode {
            inner.order = TrafficOrder {
                sequence: inner.order.sequence + 1,
                mode,
            };
            self.changed.notify_all();
        }
        inner.order.sequence
    }

    /// Lets requests through to this address.
    pub fn pass(&self, upstream: SocketAddr) {
        self.order(TrafficMode::Pass { upstream });
    }

    /// Holds new requests and waits until those under way are answered, or until `patience` is over. Returns how many are
    /// still under way; `progress` is told while it waits.
    pub fn hold(
        &self,
        limits: HoldLimits,
        to: Option<Version>,
        patience: Duration,
        progress: &dyn Fn(u64),
    ) -> u64 {
        let sequence = self.order(TrafficMode::Hold { limits, to });
        let until = Instant::now() + patience;
        let mut inner = self.lock();
        loop {
            let under_way = inner.under_way(sequence);
            let left = until.saturating_duration_since(Instant::now());
            match under_way {
                Some(0) => return 0,
                _ if left.is_zero() => return under_way.unwrap_or(0),
                _ => {}
            }
            progress(under_way.unwrap_or(0));
            inner = match self
                .changed
                .wait_timeout(inner, left.min(Duration::from_millis(200)))
            {
                Ok((inner, _)) => inner,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Where requests go, if they are let through.
    pub fn upstream(&self) -> Option<SocketAddr> {
        match self.lock().order.mode {
            TrafficMode::Pass { upstream } => Some(upstream),
            TrafficMode::Hold { .. } => None,
        }
    }

    /// A front has connected; the number names it.
    pub fn connect(&self) -> u64 {
        let mut inner = self.lock();
        let front = inner.next_front;
        inner.next_front += 1;
        inner.fronts.insert(front, None);
        front
    }

    /// A front has gone: whatever was under way in it has gone with it.
    pub fn disconnect(&self, front: u64) {
        let mut inner = self.lock();
        if inner.fronts.remove(&front).is_some() {
            inner.strays_until = Instant::now() + RETURN;
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// A front says how it stands.
    pub fn report(&self, front: u64, report: TrafficReport) {
        let mut inner = self.lock();
        if let Some(entry) = inner.fronts.get_mut(&front) {
            *entry = Some(report);
            inner.drains.extend(report.drain_ms);
            let many = inner.drains.len().saturating_sub(DRAINS);
            inner.drains.drain(..many);
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// How long holding would have had to wait for requests under way lately; nothing while no front has said so.
    pub(crate) fn drain(&self) -> Option<Drain> {
        let mut known: Vec<u64> = self.lock().drains.iter().copied().collect();
        known.sort_unstable();
        Some(Drain {
            usual_ms: *known.get(known.len() / 2)?,
            longest_ms: *known.last()?,
        })
    }

    /// The next order after the one with this number; `None` when none comes within `patience` or the front is gone.
    pub fn next_order(&self, front: u64, after: u64, patience: Duration) -> Option<TrafficOrder> {
        let inner = self.lock();
        let waiting =
            |inner: &mut Inner| inner.order.sequence <= after && inner.fronts.contains_key(&front);
        let (inner, _) = self
            .changed
            .wait_timeout_while(inner, patience, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        (inner.order.sequence > after && inner.fronts.contains_key(&front))
            .then(|| inner.order.clone())
    }

    /// How many fronts are connected.
    pub fn fronts(&self) -> usize {
        self.lock().fronts.len()
    }

    /// How every connected front stands.
    pub fn states(&self) -> Vec<FrontState> {
        let inner = self.lock();
        let passes = matches!(inner.order.mode, TrafficMode::Pass { .. });
        let sequence = inner.order.sequence;
        let state = |report: &Option<TrafficReport>| FrontState {
            passes: passes && report.is_some_and(|report| report.sequence == sequence),
            held: report.map_or(0, |report| report.held),
        };
        inner.fronts.values().map(state).collect()
    }

    /// Whether this front is still counted.
    pub fn is_connected(&self, front: u64) -> bool {
        self.lock().fronts.contains_key(&front)
    }
}

impl Inner {
    /// Requests under way in all fronts, or `None` while one of them has not reported the order, or may be about to come back.
    fn under_way(&self, sequence: u64) -> Option<u64> {
        if Instant::now() < self.strays_until {
            return None;
        }
        let reports = self
            .fronts
            .values()
            .map(|report| report.filter(|report| report.sequence >= sequence));
        reports
            .map(|report| report.map(|report| report.in_flight))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(50);

    /// Past the time in which stray fronts may come back.
    fn settled() -> Traffic {
        let traffic = Traffic::holding(HoldLimits::default());
        traffic.lock().strays_until = Instant::now();
        traffic.pass("127.0.0.1:1".parse().unwrap());
        traffic
    }

    fn hold(traffic: &Traffic, patience: Duration) -> u64 {
        traffic.hold(HoldLimits::default(), None, patience, &|_| ())
    }

    #[test]
    fn without_a_front_holding_is_at_once_in_force() {
        assert_eq!(hold(&settled(), Duration::from_secs(60)), 0);
    }

    #[test]
    fn a_front_that_has_just_gone_may_be_alive_and_is_waited_for() {
        let traffic = settled();
        let front = traffic.connect();
        traffic.disconnect(front);
        let began = Instant::now();
        assert_eq!(hold(&traffic, Duration::from_secs(60)), 0);
        assert!(began.elapsed() >= RETURN - QUICK);
    }

    #[test]
    fn holding_waits_for_a_front_that_has_not_reported() {
        let traffic = settled();
        let front = traffic.connect();
        let started = Instant::now();
        traffic.hold(HoldLimits::default(), None, QUICK, &|_| ());
        assert!(started.elapsed() >= QUICK);
        let sequence = traffic.next_order(front, 0, QUICK).unwrap().sequence;
        traffic.report(
            front,
            TrafficReport {
                sequence,
                in_flight: 3,
                held: 0,
                drain_ms: None,
            },
        );
        assert_eq!(traffic.hold(HoldLimits::default(), None, QUICK, &|_| ()), 3);
        traffic.report(
            front,
            TrafficReport {
                sequence,
                in_flight: 0,
                held: 9,
                drain_ms: None,
            },
        );
        assert_eq!(
            traffic.hold(
                HoldLimits::default(),
                None,
                Duration::from_secs(60),
                &|_| ()
            ),
            0
        );
    }

    #[test]
    fn a_front_passes_when_it_has_said_so_of_this_very_order() {
        let traffic = settled();
        let front = traffic.connect();
        let told = |passes, held| vec![FrontState { passes, held }];
        let say = |sequence, held| {
            let report = TrafficReport {
                sequence,
                in_flight: 0,
                held,
                drain_ms: None,
            };
            traffic.report(front, report);
        };
        assert_eq!(traffic.states(), told(false, 0));
        let sequence = traffic.next_order(front, 0, QUICK).unwrap().sequence;
        say(sequence, 7);
        assert_eq!(traffic.states(), told(true, 7));
        hold(&traffic, QUICK);
        say(sequence, 0);
        assert_eq!(traffic.states(), told(false, 0));
        say(sequence + 1, 0);
        assert_eq!(traffic.states(), told(false, 0));
        traffic.disconnect(front);
        assert_eq!(traffic.states(), Vec::new());
    }

    #[test]
    fn a_report_about_an_older_order_does_not_count() {
        let traffic = settled();
        let front = traffic.connect();
        let sequence = traffic.next_order(front, 0, QUICK).unwrap().sequence;
        traffic.report(
            front,
            TrafficReport {
                sequence,
                in_flight: 0,
                held: 0,
                drain_ms: None,
            },
        );
        let started = Instant::now();
        traffic.hold(HoldLimits::default(), None, QUICK, &|_| ());
        assert!(started.elapsed() >= QUICK);
    }
}
