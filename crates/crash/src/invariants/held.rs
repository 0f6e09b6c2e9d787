//! Nobody waits any more: every request was answered, or broken off when its process was killed, in less time than one is held;
//! and the front itself says that it lets requests through and keeps none.

use std::time::{Duration, Instant};

use anyhow::Result;
use obnova_engine::api::FrontState;

use crate::life::Facts;

/// A front that has lost its engine is back within a second and says how it stands; on a busy machine later.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks.
///
/// # Errors
/// The engine does not answer.
pub fn look(facts: &Facts<'_>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let waited: Vec<Duration> = facts
        .shots
        .iter()
        .filter(|shot| shot.timed_out)
        .map(|shot| shot.done - shot.sent)
        .collect();
    if !waited.is_empty() {
        found.push(format!(
            "{} requests were never answered: {waited:?}",
            waited.len()
        ));
    }
    let until = Instant::now() + PATIENCE;
    loop {
        let still = in_fronts(&facts.world.state()?.fronts);
        if still.is_empty() || Instant::now() > until {
            found.extend(still);
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// What is wrong with what the fronts say of themselves. There is one, and a killed one's connection ends with it.
fn in_fronts(fronts: &[FrontState]) -> Vec<String> {
    match fronts {
        [front] if front.passes && front.held == 0 => Vec::new(),
        [front] if !front.passes => vec!["the front does not let requests through".to_owned()],
        [front] => vec![format!("the front still keeps {} requests", front.held)],
        fronts => vec![format!("{} fronts instead of one", fronts.len())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_front_that_lets_requests_through_and_keeps_none_is_right() {
        let front = |passes, held| FrontState { passes, held };
        assert_eq!(in_fronts(&[front(true, 0)]), Vec::<String>::new());
        for wrong in [
            &[][..],
            &[front(false, 0)],
            &[front(true, 1)],
            &[front(true, 0), front(true, 0)],
        ] {
            assert_eq!(in_fronts(wrong).len(), 1, "{wrong:?}");
        }
    }
}
