//! What a rehearsal that passed says about the update: pure.

use std::collections::BTreeMap;

use crate::api::{Forecast, ForecastTraffic, RungFacts, Settings};
use crate::settings;
use crate::state::{Direction, History, Update};

/// The step that waits for requests under way.
const HOLD: &str = "hold";
/// A machine is never busier or quieter than by this much without anybody being surprised; per cent.
const LEAST_SPREAD: f64 = 25.0;
/// Milliseconds that it may take longer in any case.
const SLACK_MS: u64 = 500;
/// Updates whose error counts.
const REMEMBERED: usize = 5;
/// How far one strange update may widen the spread.
const WIDEST: (f64, f64) = (0.1, 10.0);

/// What was measured on the clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    /// Milliseconds by step.
    pub(crate) took_ms: BTreeMap<String, u64>,
    /// Milliseconds of undoing, by step.
    pub(crate) undone_ms: BTreeMap<String, u64>,
    /// How the clone's database was protected.
    pub(crate) rung: Option<String>,
    /// Bytes by which the migration made them grow.
    pub(crate) grown_bytes: u64,
}

impl Measured {
    /// Takes the figures of the way in which the original is protected, where that is another one than the clone's.
    pub(crate) fn protected_by(&mut self, original: &RungFacts) {
        let step = "protect_database".to_owned();
        if let Some(protect_ms) = original.protect_ms {
            self.took_ms.insert(step.clone(), protect_ms);
        }
        if let Some(restore_ms) = original.restore_ms {
            self.undone_ms.insert(step, restore_ms);
        }
    }
}

/// What lies in a blackout besides the steps that a rehearsal makes; measured elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Between {
    /// Milliseconds in which requests under way usually finish, and the longest lately, as the fronts have timed it.
    pub(crate) drain: Option<Drain>,
    /// Milliseconds that one record takes to reach the disk.
    pub(crate) record_ms: f64,
}

/// In how long all requests that are under way at an instant have finished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Drain {
    /// Milliseconds, usually.
    pub(crate) usual_ms: u64,
    /// Milliseconds, at the longest lately.
    pub(crate) longest_ms: u64,
}

impl Between {
    /// As a line of the log.
    pub(crate) fn spoken(&self) -> String {
        let drain = match self.drain {
            Some(drain) => format!(
                "requests under way finish in {} ms, at the longest in {} ms",
                drain.usual_ms, drain.longest_ms
            ),
            None => "no front has timed requests under way".to_owned(),
        };
        format!("{drain}; a record takes {:.1} ms", self.record_ms)
    }

    /// In an update with these settings, after those of this history: what the last ones took says more about the records than
    /// trying them does.
    fn of(&self, settings: &Settings, history: &History) -> (Drain, u64) {
        let limit = settings.hold.drain_seconds.saturating_mul(1000);
        let held = |update: &Update| update.step(HOLD)?.took_ms;
        let drain = self.drain.unwrap_or_else(|| {
            let mut known = lately(history, held);
            known.sort_unstable();
            Drain {
                usual_ms: median(&known).unwrap_or(0),
                longest_ms: known.last().copied().unwrap_or(0),
            }
        });
        let drain = Drain {
            usual_ms: drain.usual_ms.min(limit),
            longest_ms: drain.longest_ms.min(limit),
        };
        let mut known = lately(history, records);
        known.sort_unstable();
        let tried = || {
            times(
                u64::try_from(blackout_steps().len() * 2).unwrap_or(0),
                self.record_ms,
            )
        };
        (drain, median(&known).unwrap_or_else(tried))
    }
}

/// Milliseconds of a finished update's blackout that were spent in none of its steps: writing records, mostly.
fn records(update: &Update) -> Option<u64> {
    let steps = blackout_steps();
    let took = steps.iter().map(|name| update.step(name)?.took_ms);
    Some(
        update
            .blackout_ms?
            .saturating_sub(took.sum::<Option<u64>>()?),
    )
}

/// What the last updates that were finished say, newest first.
fn lately<T>(history: &History, of: impl Fn(&Update) -> Option<T>) -> Vec<T> {
    let finished =
        |update: &&Update| update.direction == Direction::Completed && update.kind.is_install();
    let updates = history.updates().iter().rev().filter(finished);
    updates.filter_map(of).take(REMEMBERED).collect()
}

/// Of values in rising order.
fn median(values: &[u64]) -> Option<u64> {
    values.get(values.len() / 2).copied()
}

/// What the update will take. `needed` are the bytes that an update needs at most, but for what its migration adds.
pub(crate) fn foretell(
    measured: &Measured,
    settings: &Settings,
    history: &History,
    between: &Between,
    needed: u64,
) -> Forecast {
    let took = |step: &&str| measured.took_ms.get(*step).copied().unwrap_or(0);
    let (drain, records_ms) = between.of(settings, history);
    let steps_ms = blackout_steps().iter().map(took).sum::<u64>();
    let blackout_ms = steps_ms + drain.usual_ms + records_ms;
    // What is undone after requests are let through again is nobody's loss.
    let undone = |step: &&str| measured.undone_ms.get(*step).copied().unwrap_or(0);
    let (least, most) = spread(history);
    let waits_more = drain.longest_ms.saturating_sub(drain.usual_ms);
    let blackout_max_ms = times(blackout_ms, most).max(blackout_ms + SLACK_MS) + waits_more;
    let mut forecast = Forecast {
        blackout_ms,
        drain_ms: drain.usual_ms,
        blackout_min_ms: times(blackout_ms, least),
        blackout_max_ms,
        way_back_ms: blackout_steps().iter().map(undone).sum(),
        disk_bytes: needed + measured.grown_bytes,
        traffic: match blackout_max_ms <= settings.hold.seconds.saturating_mul(1000) {
            true => ForecastTraffic::Hold,
            false => ForecastTraffic::MaintenancePage,
        },
        deadline_s: 0,
    };
    forecast.deadline_s = settings::deadline(settings, Some(&forecast)).as_secs();
    forecast
}

/// What the updates of one click will take together: requests are held in each of them, and nothing between.
pub(crate) fn together(forecasts: &[Forecast]) -> Option<Forecast> {
    let mut all = forecasts.first()?.clone();
    for forecast in &forecasts[1..] {
        all.blackout_ms += forecast.blackout_ms;
        all.drain_ms += forecast.drain_ms;
        all.blackout_min_ms += forecast.blackout_min_ms;
        all.blackout_max_ms += forecast.blackout_max_ms;
        // Only the one that fails is undone.
        all.way_back_ms = all.way_back_ms.max(forecast.way_back_ms);
        all.disk_bytes += forecast.disk_bytes;
        all.deadline_s = all.deadline_s.max(forecast.deadline_s);
        if forecast.traffic == ForecastTraffic::MaintenancePage {
            all.traffic = ForecastTraffic::MaintenancePage;
        }
    }
    Some(all)
}

/// The steps that are made while requests are held.
fn blackout_steps() -> Vec<&'static str> {
    let names = crate::steps::SERVER.iter().map(|step| step.name());
    names
        .skip_while(|name| *name != HOLD)
        .take_while(|name| *name != crate::recovery::POINT_OF_NO_RETURN)
        .collect()
}

/// The least and the most that an update is likely to take, as parts of its forecast: by what the last ones took.
fn spread(history: &History) -> (f64, f64) {
    let errors = lately(history, |update| {
        let forecast = update.forecast.as_ref()?.blackout_ms.max(1);
        Some(update.blackout_ms? as f64 / forecast as f64)
    });
    let start = (1.0 - LEAST_SPREAD / 100.0, 1.0 + LEAST_SPREAD / 100.0);
    let (least, most) = errors.into_iter().fold(start, |(least, most), error| {
        (error.min(least), error.max(most))
    });
    (least.max(WIDEST.0), most.min(WIDEST.1))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // neither negative nor anywhere near the end
fn times(milliseconds: u64, by: f64) -> u64 {
    (milliseconds as f64 * by).round() as u64
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use semver::Version;

    use super::*;
    use crate::api::{Event, EventKind, HoldLimits};

    fn settings() -> Settings {
        Settings {
            channel: "stable".to_owned(),
            hold: HoldLimits::default(),
            blackout_deadline_s: None,
            rehearsal: Default::default(),
            keep: Default::default(),
        }
    }

    fn measured(migrate_ms: u64) -> Measured {
        let steps = [("stop", 100), ("migrate", migrate_ms), ("verify", 200)];
        let all = steps
            .into_iter()
            .chain([("way_back", 900), ("clone", 5000)]);
        Measured {
            took_ms: all.map(|(step, ms)| (step.to_owned(), ms)).collect(),
            undone_ms: [("stop".to_owned(), 900), ("prepare".to_owned(), 70)].into(),
            rung: Some("copy".to_owned()),
            grown_bytes: 7,
        }
    }

    /// A finished update that took `blackout_ms` where `forecast` had said 1000.
    fn history(forecast: &Forecast, blackout_ms: u64) -> History {
        let forecast = Forecast {
            blackout_ms: 1000,
            ..forecast.clone()
        };
        let kinds = [
            EventKind::UpdateStarted {
                from: Version::new(1, 0, 0),
                to: Version::new(1, 1, 0),
                then: vec![],
                hop: 1,
                actor: String::new(),
                kind: Default::default(),
                forecast: Some(forecast),
            },
            EventKind::Completed { blackout_ms },
        ];
        let events: Vec<Event> = (1..)
            .zip(kinds)
            .map(|(number, kind)| Event {
                number,
                at: Timestamp::UNIX_EPOCH,
                update: 1,
                kind,
            })
            .collect();
        History::of(&events).unwrap()
    }

    #[test]
    fn the_blackout_is_what_happens_while_requests_are_held() {
        let forecast = foretell(
            &measured(700),
            &settings(),
            &History::default(),
            &Between::default(),
            100,
        );
        assert_eq!(forecast.blackout_ms, 1000);
        assert_eq!(
            (forecast.blackout_min_ms, forecast.blackout_max_ms),
            (750, 1500)
        );
        assert_eq!((forecast.way_back_ms, forecast.disk_bytes), (900, 107));
        assert_eq!(forecast.traffic, ForecastTraffic::Hold);
        assert_eq!(forecast.deadline_s, 60);
    }

    #[test]
    fn a_better_way_to_protect_the_original_counts() {
        let mut measured = measured(700);
        let steps = &mut measured.took_ms;
        steps.insert("protect_database".to_owned(), 20_000);
        measured.protected_by(&RungFacts {
            rung: "file_system".to_owned(),
            why_not: None,
            chosen: true,
            protect_ms: Some(800),
            restore_ms: Some(1_000),
            disk_bytes: None,
            measured: None,
        });
        let forecast = foretell(
            &measured,
            &settings(),
            &History::default(),
            &Between::default(),
            0,
        );
        assert_eq!((forecast.blackout_ms, forecast.way_back_ms), (1_800, 1_900));
    }

    #[test]
    fn what_may_last_longer_than_requests_are_held_shows_the_maintenance_page() {
        let forecast = foretell(
            &measured(50_000),
            &settings(),
            &History::default(),
            &Between::default(),
            0,
        );
        assert!(forecast.blackout_ms < 60_000 && forecast.blackout_max_ms > 60_000);
        assert_eq!(forecast.traffic, ForecastTraffic::MaintenancePage);
        assert_eq!(forecast.deadline_s, 151);
    }

    #[test]
    fn forecasts_that_were_wrong_before_widen_the_spread() {
        let quiet = foretell(
            &measured(700),
            &settings(),
            &History::default(),
            &Between::default(),
            0,
        );
        let slow = foretell(
            &measured(700),
            &settings(),
            &history(&quiet, 3000),
            &Between::default(),
            0,
        );
        assert_eq!((slow.blackout_min_ms, slow.blackout_max_ms), (750, 3000));
        let quick = foretell(
            &measured(700),
            &settings(),
            &history(&quiet, 500),
            &Between::default(),
            0,
        );
        assert_eq!((quick.blackout_min_ms, quick.blackout_max_ms), (500, 1500));
    }
    #[test]
    fn waiting_for_requests_under_way_and_records_on_disk_are_part_of_it() {
        let drain = Drain {
            usual_ms: 300,
            longest_ms: 2_000,
        };
        let between = Between {
            drain: Some(drain),
            record_ms: 2.0,
        };
        let forecast = foretell(
            &measured(700),
            &settings(),
            &History::default(),
            &between,
            0,
        );
        let records = blackout_steps().len() as u64 * 4;
        assert_eq!(forecast.blackout_ms, 1_000 + 300 + records);
        assert_eq!(forecast.drain_ms, 300);
        assert_eq!(forecast.blackout_max_ms, forecast.blackout_ms + 500 + 1_700);
        // However long requests take, they are not waited for any longer than this.
        let mut settings = settings();
        settings.hold.drain_seconds = 0;
        let forecast = foretell(&measured(700), &settings, &History::default(), &between, 0);
        assert_eq!(forecast.drain_ms, 0);
        assert_eq!(forecast.blackout_max_ms, forecast.blackout_ms + 500);
    }

    #[test]
    fn several_versions_take_what_each_of_them_takes() {
        let one = foretell(
            &measured(700),
            &settings(),
            &History::default(),
            &Between::default(),
            100,
        );
        let two = foretell(
            &measured(50_000),
            &settings(),
            &History::default(),
            &Between::default(),
            100,
        );
        let both = together(&[one.clone(), two.clone()]).unwrap();
        assert_eq!(both.blackout_ms, one.blackout_ms + two.blackout_ms);
        assert_eq!(both.traffic, ForecastTraffic::MaintenancePage);
        assert_eq!((both.way_back_ms, both.deadline_s), (900, two.deadline_s));
        assert!(together(&[]).is_none());
    }
}
