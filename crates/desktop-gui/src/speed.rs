//! How fast a download goes, and how long it still takes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What is older than this says nothing about now.
const WINDOW: Duration = Duration::from_secs(5);
/// Before this nothing is said: the first pieces come from a buffer.
const FIRST: Duration = Duration::from_millis(400);

/// Measures by what was there in the last seconds.
#[derive(Debug, Default)]
pub(crate) struct Speed {
    seen: VecDeque<(Instant, u64)>,
}

impl Speed {
    /// So much is here now.
    pub(crate) fn at(&mut self, now: Instant, done: u64) {
        // What was here from an earlier run was not downloaded now.
        if self.seen.back().is_some_and(|(_, before)| *before > done) {
            self.seen.clear();
        }
        self.seen.push_back((now, done));
        while self.seen.len() > 2 && now.duration_since(self.seen[0].0) > WINDOW {
            self.seen.pop_front();
        }
    }

    /// Bytes a second.
    pub(crate) fn bytes_per_second(&self, now: Instant) -> Option<u64> {
        let (first, before) = self.seen.front()?;
        let (_, done) = self.seen.back()?;
        let time = now.duration_since(*first);
        match time > FIRST && done > before {
            true => Some(((done - before) as f64 / time.as_secs_f64()) as u64),
            false => None,
        }
    }

    /// How long the rest takes if it goes on so.
    pub(crate) fn left(&self, now: Instant, total: u64) -> Option<Duration> {
        let speed = self.bytes_per_second(now).filter(|speed| *speed > 0)?;
        let (_, done) = self.seen.back()?;
        Some(Duration::from_secs(
            total.saturating_sub(*done).div_ceil(speed),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_what_happens_now() {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut speed = Speed::default();
        speed.at(at(0.0), 1_000_000);
        assert_eq!(speed.bytes_per_second(at(0.1)), None);
        speed.at(at(1.0), 2_000_000);
        assert_eq!(speed.bytes_per_second(at(1.0)), Some(1_000_000));
        assert_eq!(
            speed.left(at(1.0), 12_000_000),
            Some(Duration::from_secs(10))
        );
        // It stalls: the speed falls with the time.
        assert_eq!(speed.bytes_per_second(at(4.0)), Some(250_000));
        for second in 5..15 {
            speed.at(at(f64::from(second)), 2_000_000 + second as u64 * 100);
        }
        assert!(speed.bytes_per_second(at(14.0)).unwrap() < 200);
    }

    #[test]
    fn a_download_that_begins_anew_is_measured_anew() {
        let start = Instant::now();
        let mut speed = Speed::default();
        speed.at(start, 5_000_000);
        speed.at(start + Duration::from_secs(1), 0);
        speed.at(start + Duration::from_secs(2), 1000);
        assert_eq!(
            speed.bytes_per_second(start + Duration::from_secs(2)),
            Some(1000)
        );
    }
}
