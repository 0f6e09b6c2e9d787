//! What was acknowledged to a client is there, once; nothing is there twice.

use std::time::Instant;

use anyhow::Result;

use crate::life::Facts;
use crate::load::{self, Shot};
use crate::round::{End, Scenario};

/// Looks.
///
/// # Errors
/// The application does not tell.
pub fn look(facts: &Facts<'_>) -> Result<Vec<String>> {
    let prefix = load::prefix("during");
    let stored = facts
        .world
        .block_on(facts.world.clients().stored(&prefix))?;
    let mut found = Vec::new();
    let lost_until = lost_by_design_until(facts);
    let must_be_there = |shot: &Shot| {
        let is_in_vain = |(from, to): &(Instant, Instant)| shot.done >= *from && shot.sent <= *to;
        lost_until.is_none_or(|until| shot.sent >= until) && !facts.in_vain.iter().any(is_in_vain)
    };
    let acknowledged = facts
        .shots
        .iter()
        .filter(|shot| shot.is_ok && must_be_there(shot))
        .filter_map(|shot| shot.write.as_ref());
    let lost: Vec<&String> = acknowledged
        .filter(|reference| !stored.contains_key(*reference))
        .collect();
    if !lost.is_empty() {
        found.push(format!("{} were lost: {lost:?}", lost.len()));
    }
    let twice: Vec<_> = stored.iter().filter(|(_, times)| **times > 1).collect();
    if !twice.is_empty() {
        found.push(format!("there more than once: {twice:?}"));
    }
    Ok(found)
}

/// Going back loses what was written since the update, as is told before. What is written once the older version answers stays.
fn lost_by_design_until(facts: &Facts<'_>) -> Option<Instant> {
    if facts.round.scenario != Scenario::Revert || facts.end == End::Old {
        return None;
    }
    let old = facts
        .shots
        .iter()
        .filter(|shot| shot.version.as_deref() == Some(facts.round.version()));
    Some(old.map(|shot| shot.done).min().unwrap_or_else(Instant::now))
}
