//! A rehearsal's forecast in words, beside what it came to, and how good the forecasts have been.

use obnova_engine::api::{Forecast, ForecastTraffic, Outcome, UpdateSummary};
use obnova_text::{Lang, Text, decimal};

use crate::format;

/// Waiting for requests under way that is shorter is not spoken of.
const WORTH_A_WORD_MS: u64 = 100;

/// A forecast, each part in words.
pub struct Foretold {
    /// How long requests will wait.
    pub blackout: String,
    /// From the shortest to the longest that is likely.
    pub spread: String,
    /// How much of it is waiting for requests under way, where that is worth a word.
    pub drain: Option<String>,
    /// How long the way back takes.
    pub way_back: String,
    /// Disk that it takes.
    pub disk: String,
    /// What people will see.
    pub traffic: String,
    /// Whether their requests wait; else they see the maintenance page.
    pub holds: bool,
    /// After how long everything is undone.
    pub deadline: String,
}

impl Foretold {
    /// In the reader's language.
    pub fn new(t: &Text, forecast: &Forecast) -> Foretold {
        let lang = t.lang();
        let holds = forecast.traffic == ForecastTraffic::Hold;
        Foretold {
            blackout: format::took(forecast.blackout_ms, lang),
            spread: spread(forecast, lang),
            drain: (forecast.drain_ms >= WORTH_A_WORD_MS)
                .then(|| format::took(forecast.drain_ms, lang)),
            way_back: format::took(forecast.way_back_ms, lang),
            disk: format::bytes(forecast.disk_bytes, lang),
            traffic: t.get(match holds {
                true => "forecast-traffic-hold",
                false => "forecast-traffic-page",
            }),
            holds,
            deadline: format::running(forecast.deadline_s.saturating_mul(1000), lang),
        }
    }
}

/// From the shortest to the longest that is likely; the unit once where both have the same.
fn spread(forecast: &Forecast, lang: Lang) -> String {
    let shortest = format::took(forecast.blackout_min_ms, lang);
    let longest = format::took(forecast.blackout_max_ms, lang);
    if shortest == longest {
        return longest;
    }
    match (shortest.split_once('\u{a0}'), longest.split_once('\u{a0}')) {
        (Some((number, unit)), Some((_, other))) if unit == other => {
            format!("{number}–{longest}")
        }
        _ => format!("{shortest} – {longest}"),
    }
}

/// A forecast beside what it came to.
pub struct Compared {
    /// How long requests were to wait, and between what.
    pub foretold: Foretold,
    /// How long they did.
    pub actual: String,
    /// How far the two are apart, in words.
    pub error: String,
    /// Whether it lay within what was likely.
    pub is_within: bool,
}

impl Compared {
    /// Of an update that was finished and had a forecast. One that was undone has none: its pause has the way back in it.
    pub fn of(t: &Text, update: &UpdateSummary) -> Option<Compared> {
        let (forecast, actual) = finished(update)?;
        Some(Compared {
            foretold: Foretold::new(t, forecast),
            actual: format::took(actual, t.lang()),
            error: error_words(t, forecast.blackout_ms, actual),
            is_within: is_within(forecast, actual),
        })
    }
}

fn finished(update: &UpdateSummary) -> Option<(&Forecast, u64)> {
    let forecast = update.forecast.as_ref()?;
    match (update.outcome, update.blackout_ms) {
        (Outcome::Completed, Some(actual)) => Some((forecast, actual)),
        _ => None,
    }
}

fn is_within(forecast: &Forecast, actual: u64) -> bool {
    (forecast.blackout_min_ms..=forecast.blackout_max_ms).contains(&actual)
}

fn error_words(t: &Text, forecast: u64, actual: u64) -> String {
    let by = format::took(actual.abs_diff(forecast), t.lang());
    let percent = percent(error(forecast, actual), t.lang());
    let args = [("by", by.as_str()), ("percent", percent.as_str())];
    match actual.cmp(&forecast) {
        std::cmp::Ordering::Greater => t.with("forecast-longer", &args),
        std::cmp::Ordering::Less => t.with("forecast-shorter", &args),
        std::cmp::Ordering::Equal => t.get("forecast-exact"),
    }
}

/// By how many per cent of the forecast the two are apart.
fn error(forecast: u64, actual: u64) -> f64 {
    actual.abs_diff(forecast) as f64 * 100.0 / forecast.max(1) as f64
}

fn percent(value: f64, lang: Lang) -> String {
    let digits = usize::from(value < 9.95);
    format!("{}\u{a0}%", decimal(value, digits, lang))
}

/// How good the forecasts of all these updates were.
pub struct Accuracy {
    /// Every update that had one and was finished, in the order given: its number, versions, and the comparison.
    pub rows: Vec<(u64, String, Compared)>,
    /// The mean and the median error, and how many were within what was likely.
    pub words: String,
}

impl Accuracy {
    /// `None` while there is nothing to compare.
    pub fn of(t: &Text, updates: &[UpdateSummary]) -> Option<Accuracy> {
        let mut errors: Vec<f64> = updates
            .iter()
            .filter_map(finished)
            .map(|(forecast, actual)| error(forecast.blackout_ms, actual))
            .collect();
        if errors.is_empty() {
            return None;
        }
        errors.sort_by(f64::total_cmp);
        let rows: Vec<_> = updates
            .iter()
            .filter_map(|update| {
                let versions = format!("{} → {}", update.from, update.to);
                Some((update.update, versions, Compared::of(t, update)?))
            })
            .collect();
        let within = rows.iter().filter(|(.., row)| row.is_within).count();
        let words = t.with(
            "accuracy-words",
            &[
                ("count", &rows.len().to_string()),
                ("mean", &percent(mean(&errors), t.lang())),
                ("median", &percent(median(&errors), t.lang())),
                ("within", &within.to_string()),
            ],
        );
        Some(Accuracy { rows, words })
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Of values in rising order.
fn median(values: &[f64]) -> f64 {
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use semver::Version;

    use super::*;

    fn forecast(ms: u64) -> Forecast {
        Forecast {
            blackout_ms: ms,
            drain_ms: 0,
            blackout_min_ms: ms * 8 / 10,
            blackout_max_ms: ms * 2,
            way_back_ms: 300,
            disk_bytes: 12_000_000,
            traffic: ForecastTraffic::Hold,
            deadline_s: 10,
        }
    }

    fn update(forecast: Option<Forecast>, actual: u64, outcome: Outcome) -> UpdateSummary {
        UpdateSummary {
            update: 1,
            from: Version::new(1, 0, 0),
            to: Version::new(1, 1, 0),
            then: vec![],
            actor: String::new(),
            started: Timestamp::UNIX_EPOCH,
            finished: Some(Timestamp::UNIX_EPOCH),
            outcome,
            blackout_ms: Some(actual),
            steps: vec![],
            problem: None,
            kind: Default::default(),
            forecast,
        }
    }

    #[test]
    fn a_forecast_is_said_with_its_spread_and_the_unit_once() {
        let t = Text::of(Lang::En);
        let words = Foretold::new(t, &forecast(2_000));
        assert_eq!(words.blackout, "2.0\u{a0}s");
        assert_eq!(words.spread, "1.6–4.0\u{a0}s");
        assert_eq!(
            Foretold::new(t, &forecast(900)).spread,
            "720\u{a0}ms – 1.8\u{a0}s"
        );
        assert_eq!(
            Foretold::new(Text::of(Lang::Cs), &forecast(2_000)).spread,
            "1,6–4,0\u{a0}s"
        );
    }

    #[test]
    fn an_error_is_said_in_words_with_its_direction() {
        let t = Text::of(Lang::En);
        let compared = Compared::of(t, &update(Some(forecast(1_000)), 1_250, Outcome::Completed));
        let compared = compared.unwrap();
        assert!(compared.error.contains("250") && compared.error.contains("25\u{a0}%"));
        assert!(compared.is_within);
        let compared = Compared::of(t, &update(Some(forecast(1_000)), 500, Outcome::Completed));
        assert!(!compared.unwrap().is_within);
    }

    #[test]
    fn updates_that_were_undone_or_had_no_forecast_do_not_count() {
        let t = Text::of(Lang::En);
        let updates = [
            update(Some(forecast(1_000)), 9_000, Outcome::RolledBack),
            update(None, 1_000, Outcome::Completed),
        ];
        assert!(Accuracy::of(t, &updates).is_none());
    }

    #[test]
    fn mean_and_median_are_of_the_errors_without_their_direction() {
        let t = Text::of(Lang::En);
        let updates: Vec<_> = [1_100, 900, 1_400, 1_000]
            .map(|actual| update(Some(forecast(1_000)), actual, Outcome::Completed))
            .into();
        let accuracy = Accuracy::of(t, &updates).unwrap();
        assert_eq!(accuracy.rows.len(), 4);
        assert!(accuracy.words.contains("15\u{a0}%"), "{}", accuracy.words);
        assert!(accuracy.words.contains("10\u{a0}%"), "{}", accuracy.words);
    }
}
