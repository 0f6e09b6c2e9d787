//! When a rehearsal begins by itself: pure.

use jiff::civil::{DateTime, Time};
use jiff::{SignedDuration, Timestamp};

use crate::api::{Rehearsal, RehearsalOutcome};

/// One that could not be made is tried again by itself after this time, not at once and for ever.
const PAUSE: SignedDuration = SignedDuration::from_hours(24);

/// Knows which daily hour has struck.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// This machine's clock at the last look.
    seen: Option<DateTime>,
    /// The hour has struck, and nothing has come of it yet.
    is_due: bool,
}

impl Schedule {
    /// Looks at this machine's clock. Whether the daily rehearsal is due, now or since an earlier look, until [`Schedule::done`].
    pub(crate) fn look(&mut self, now: DateTime, daily_at: Option<Time>) -> bool {
        let Some(at) = daily_at else {
            self.done();
            self.seen = Some(now);
            return false;
        };
        let strikes = now.date().to_datetime(at);
        // After a night's sleep the hour of today may have passed between two looks, or that of yesterday.
        if self
            .seen
            .is_some_and(|seen| seen < strikes && strikes <= now)
        {
            self.is_due = true;
        }
        self.seen = Some(now);
        self.is_due
    }

    /// It has been begun, or there is nothing to rehearse.
    pub(crate) fn done(&mut self) {
        self.is_due = false;
    }
}

/// Whether a version with this newest rehearsal is to be rehearsed as soon as it is found.
pub(crate) fn is_wanting(newest: Option<&Rehearsal>, now: Timestamp) -> bool {
    match newest {
        None => true,
        Some(rehearsal) if rehearsal.expired.is_some() => true,
        Some(rehearsal) if rehearsal.outcome == RehearsalOutcome::NotMade => {
            // Either way: it may have been made by a clock that has been set back since.
            now.duration_since(rehearsal.finished).abs() > PAUSE
        }
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    #[test]
    fn the_daily_hour_strikes_once_a_day() {
        let mut schedule = Schedule::default();
        let at = Some(time(2, 30, 0, 0));
        let day = |day, hour, minute| date(2026, 11, day).at(hour, minute, 0, 0);
        // An engine that starts after the hour waits for the next one.
        assert!(!schedule.look(day(1, 14, 0), at));
        assert!(!schedule.look(day(2, 2, 29), at));
        assert!(schedule.look(day(2, 2, 30), at));
        // Busy so far.
        assert!(schedule.look(day(2, 2, 31), at));
        schedule.done();
        assert!(!schedule.look(day(2, 2, 32), at));
        assert!(schedule.look(day(3, 9, 0), at));
        assert!(!schedule.look(day(3, 9, 1), None));
    }
}
