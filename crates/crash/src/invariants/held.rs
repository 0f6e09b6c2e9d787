//! Nobody waits any more: every request was answered, or broken off when its process was killed, in less time than one is held.

use std::time::Duration;

use crate::life::Facts;

/// Looks.
pub fn look(facts: &Facts<'_>) -> Vec<String> {
    let waited: Vec<Duration> = facts
        .shots
        .iter()
        .filter(|shot| shot.timed_out)
        .map(|shot| shot.done - shot.sent)
        .collect();
    match waited.is_empty() {
        true => Vec::new(),
        false => vec![format!(
            "{} requests were never answered: {waited:?}",
            waited.len()
        )],
    }
}
