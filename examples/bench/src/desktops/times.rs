//! How long many things took.

use serde::Serialize;

/// Milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Times {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) most: f64,
}

impl Times {
    /// Of microseconds.
    pub(crate) fn of(mut all: Vec<u32>) -> Self {
        all.sort_unstable();
        let at = |part: f64| {
            let place = (all.len().saturating_sub(1)) as f64 * part;
            let took = all.get(place.round() as usize);
            took.map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
        };
        Self {
            p50: at(0.5),
            p99: at(0.99),
            most: at(1.0),
        }
    }
}
