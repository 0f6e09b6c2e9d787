//! When a program that stays looks at the server again.

use std::time::Duration;

use rand::Rng;

use crate::desktop::Desktop;

/// Minutes between two looks where the policy says nothing.
const USUAL_MINUTES: u32 = 60;
/// How soon after a look that failed the next one is; doubled with every further one.
const FIRST_REPEAT: Duration = Duration::from_secs(60);

/// When to look at the server again. Thousands of computers that are switched on at eight must not ask in step, so each
/// time is longer or shorter by up to a tenth.
#[derive(Debug)]
pub struct Schedule {
    usual: Duration,
    failures: u32,
}

impl Desktop {
    /// A schedule as the policy wants it. The first look is due at once.
    pub fn schedule(&self) -> Schedule {
        let minutes = self.policy.check_minutes.unwrap_or(USUAL_MINUTES).max(1);
        Schedule::every(Duration::from_secs(u64::from(minutes) * 60))
    }
}

impl Schedule {
    /// One with this time between two looks.
    pub fn every(usual: Duration) -> Self {
        Self { usual, failures: 0 }
    }

    /// How long to wait after a look that worked, or did not.
    pub fn after(&mut self, worked: bool) -> Duration {
        self.failures = match worked {
            true => 0,
            false => self.failures + 1,
        };
        let pause = match self.failures {
            0 => self.usual,
            failures => {
                let doubled = FIRST_REPEAT * 2_u32.saturating_pow((failures - 1).min(16));
                doubled.min(self.usual)
            }
        };
        pause.mul_f64(rand::rng().random_range(0.9..1.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_does_not_answer_is_asked_sooner_and_then_ever_more_rarely() {
        let mut schedule = Schedule::every(Duration::from_secs(3600));
        let within = |pause: Duration, usual: f64| {
            let minutes = pause.as_secs_f64() / 60.0;
            assert!(
                (usual * 0.89..=usual * 1.11).contains(&minutes),
                "{minutes} instead of about {usual}"
            );
        };
        within(schedule.after(true), 60.0);
        for usual in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
            within(schedule.after(false), usual);
        }
        within(schedule.after(true), 60.0);
        within(schedule.after(false), 1.0);
    }
}
