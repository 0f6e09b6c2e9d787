//! The journal reads from beginning to end, and what it adds up to is what is there.

use anyhow::{Result, anyhow};
use obnova_engine::api::{Answer, EventKind, Outcome, Request};

use crate::life::Facts;
use crate::round::End;

/// Looks.
///
/// # Errors
/// The engine does not tell.
pub fn look(facts: &Facts<'_>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for (index, event) in facts.events.iter().enumerate() {
        if event.number != index as u64 + 1 {
            found.push(format!("record {} has number {}", index + 1, event.number));
        }
    }
    let new = facts
        .events
        .iter()
        .filter(|event| event.number > facts.last_event);
    let ends = new.filter(|event| {
        matches!(
            event.kind,
            EventKind::Completed { .. } | EventKind::RolledBack { .. }
        )
    });
    let completed = ends
        .clone()
        .filter(|event| matches!(event.kind, EventKind::Completed { .. }))
        .count();
    let (ends, is_new) = (ends.count(), facts.end == End::New);
    if ends > 1 {
        found.push(format!("the update ended {ends} times"));
    }
    if (completed == 1) != is_new {
        found.push(format!(
            "it says completed {completed} times, and {} is installed",
            facts.now["installed"]
        ));
    }
    let Answer::History { updates } = facts.world.ask(&Request::History)? else {
        return Err(anyhow!("no history"));
    };
    if updates
        .iter()
        .any(|update| update.outcome == Outcome::Running)
    {
        found.push("an update is open".to_owned());
    }
    Ok(found)
}
