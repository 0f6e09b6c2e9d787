//! What a rehearsal means for an offer, and whether it still counts: pure.

use jiff::{Timestamp, ToSpan};
use semver::Version;

use crate::api::{Expired, Problem, Rehearsal, RehearsalOutcome, RehearsalSettings};
use crate::problem;

/// Growth below this many bytes is none, however small the data: what takes time is not the data then.
const LITTLE_GROWTH: u64 = 16 << 20;

/// What decides whether a rehearsal counts.
pub(crate) struct Judge<'a> {
    /// The installed version.
    pub(crate) installed: &'a Version,
    /// The versions that lead to it now, where that is known.
    pub(crate) route: Option<&'a [Version]>,
    /// How long it counts.
    pub(crate) settings: &'a RehearsalSettings,
    /// The present.
    pub(crate) now: Timestamp,
    /// Bytes of database and data files; asked for only when all else would let it count.
    pub(crate) data_bytes: &'a dyn Fn() -> u64,
}

impl Judge<'_> {
    /// Why it does not count any more, if so.
    pub(crate) fn expired(&self, rehearsal: &Rehearsal) -> Option<Expired> {
        if rehearsal.from != *self.installed {
            return Some(Expired::Version);
        }
        if self.route.is_some_and(|route| *route != rehearsal.route()) {
            return Some(Expired::Route);
        }
        let days = i64::from(self.settings.valid_days);
        let until = rehearsal.finished.checked_add((days * 24).hours());
        if until.is_ok_and(|until| until < self.now) {
            return Some(Expired::Age);
        }
        if rehearsal.outcome == RehearsalOutcome::NotMade {
            return None;
        }
        let percent = u64::from(self.settings.growth_percent);
        let growth = (rehearsal.data_bytes.saturating_mul(percent) / 100).max(LITTLE_GROWTH);
        let limit = rehearsal.data_bytes.saturating_add(growth);
        ((self.data_bytes)() > limit).then_some(Expired::Growth)
    }
}

/// The obstacle that a rehearsal is to installing its version, if it is one.
pub(crate) fn blocking(rehearsal: &Rehearsal) -> Option<Problem> {
    let stands = rehearsal.outcome == RehearsalOutcome::Failed && rehearsal.expired.is_none();
    stands.then(|| {
        let why = rehearsal.problem.as_ref().map(|problem| {
            let detail = problem.detail.as_deref().unwrap_or_default();
            format!("{}: {detail}", problem.code)
        });
        let version = rehearsal.failed.as_ref().unwrap_or(&rehearsal.version);
        let obstacle = Problem::new(problem::REHEARSAL_FAILED).arg("version", version);
        match why {
            Some(why) => obstacle.detail(why),
            None => obstacle,
        }
    })
}

/// Whether an administrator may install in spite of this obstacle.
pub(crate) fn is_insistable(obstacle: &Problem) -> bool {
    [problem::FAILED_BEFORE, problem::REHEARSAL_FAILED].contains(&obstacle.code.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Hop, Isolation};

    const NOON: i64 = 1_700_000_000;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(NOON + hours * 3600).unwrap()
    }

    fn rehearsal(outcome: RehearsalOutcome) -> Rehearsal {
        Rehearsal {
            version: Version::new(1, 1, 0),
            from: Version::new(1, 0, 0),
            started: at(0),
            finished: at(0),
            actor: "obnova".to_owned(),
            outcome,
            steps: vec![],
            problem: Some(Problem::new("unhealthy").detail("503")),
            walk: vec![],
            failed: None,
            forecast: None,
            isolation: Isolation::Network,
            data_bytes: 1 << 30,
            expired: None,
        }
    }

    fn expired(hours: i64, installed: Version, bytes: u64) -> Option<Expired> {
        let judge = Judge {
            installed: &installed,
            route: None,
            settings: &RehearsalSettings::default(),
            now: at(hours),
            data_bytes: &|| bytes,
        };
        judge.expired(&rehearsal(RehearsalOutcome::Passed))
    }

    #[test]
    fn it_expires_by_version_age_and_growth() {
        let old = Version::new(1, 0, 0);
        let gibibyte: u64 = 1 << 30;
        assert_eq!(expired(1, old.clone(), gibibyte), None);
        assert_eq!(
            expired(7 * 24 + 1, old.clone(), gibibyte),
            Some(Expired::Age)
        );
        assert_eq!(expired(1, old.clone(), gibibyte * 119 / 100), None);
        let grown = gibibyte * 121 / 100;
        assert_eq!(expired(1, old, grown), Some(Expired::Growth));
        let other = Version::new(1, 0, 5);
        assert_eq!(expired(1, other, gibibyte), Some(Expired::Version));
    }

    #[test]
    fn one_that_went_another_way_does_not_count() {
        let installed = Version::new(1, 0, 0);
        let (stop, last) = (Version::new(1, 0, 5), Version::new(1, 1, 0));
        let mut walked = rehearsal(RehearsalOutcome::Passed);
        let expired = |walked: &Rehearsal, route: &[Version]| {
            let judge = Judge {
                installed: &installed,
                route: Some(route),
                settings: &RehearsalSettings::default(),
                now: at(1),
                data_bytes: &|| 0,
            };
            judge.expired(walked)
        };
        let (straight, around) = ([last.clone()], [stop.clone(), last.clone()]);
        assert_eq!(expired(&walked, &straight), None);
        assert_eq!(expired(&walked, &around), Some(Expired::Route));
        walked.walk = around
            .iter()
            .map(|version| Hop {
                version: version.clone(),
                steps: vec![],
                forecast: None,
            })
            .collect();
        assert_eq!(expired(&walked, &around), None);
        assert_eq!(expired(&walked, &straight), Some(Expired::Route));
    }

    #[test]
    fn only_a_failed_one_that_counts_stands_in_the_way() {
        let mut failed = rehearsal(RehearsalOutcome::Failed);
        let obstacle = blocking(&failed).unwrap();
        assert!(is_insistable(&obstacle));
        assert_eq!(obstacle.detail.unwrap(), "unhealthy: 503");
        failed.expired = Some(Expired::Age);
        assert_eq!(blocking(&failed), None);
        assert_eq!(blocking(&rehearsal(RehearsalOutcome::NotMade)), None);
        assert_eq!(blocking(&rehearsal(RehearsalOutcome::Passed)), None);
    }
}
