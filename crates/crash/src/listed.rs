//! Rounds at listed moments: before and after every change to the disk that an update makes, and that recovering from a kill makes.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::campaign::{self, Plan, Ready};
use crate::faults;
use crate::moment::{Moment, When};
use crate::round::{Reference, Round, Scenario, Strike};

/// The engine is killed at so many moments spread over an update, and each recovery is disturbed at all of its own.
const RECOVERIES: u64 = 7;
/// What makes recovering necessary.
const FIRST: &str = "kill-engine";

/// A recovery from one kill.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recovery {
    /// Before which change to the disk the engine was killed.
    killed_before: u64,
    /// How many changes recovering made then.
    changes: u64,
}

/// The file of measured recoveries in the prepared directory.
pub fn recoveries_name(scenario: Scenario) -> String {
    format!("recoveries-{}.json", scenario.name())
}

/// Lives an update with one kill, several times, and sees how much each recovery does.
///
/// # Errors
/// A life could not be begun.
pub fn recoveries(
    plan: &Plan,
    scenario: Scenario,
    reference: &Reference,
    prepared: &Path,
) -> Result<Vec<Recovery>> {
    let mut measured = Vec::new();
    for part in 1..=RECOVERIES {
        let killed_before = (reference.changes.len() as u64 * part / (RECOVERIES + 1)).max(1);
        let round = Round {
            seed: part,
            app: plan.app.clone(),
            scenario,
            strikes: vec![first(killed_before)],
            planted: None,
            is_listed: true,
        };
        let name = format!("recovery-{}-{}-{part}", plan.app.name(), scenario.name());
        let folder = plan.directory.join(name);
        // What it may break will be broken, and told, by the rounds themselves.
        let outcome = campaign::live(&round, prepared, &folder, &|| false)?.unwrap_or_default();
        measured.push(Recovery {
            killed_before,
            changes: outcome.changes,
        });
        std::fs::remove_dir_all(folder)?;
    }
    Ok(measured)
}

fn first(number: u64) -> Strike {
    Strike {
        moment: Moment::Change {
            number,
            when: When::Before,
        },
        fault: FIRST.to_owned(),
    }
}

/// One fault before and after every change. A sync changes nothing that a killed process could miss, and stands for itself only
/// where the power is cut.
///
/// # Errors
/// A fault is unknown.
pub fn of_update(
    plan: &Plan,
    ready: &Ready,
    scenario: Scenario,
    step: usize,
) -> Result<Vec<Round>> {
    let reference = ready.reference(scenario)?;
    let mut moments = Vec::new();
    for fault in &plan.faults {
        let fault = faults::named(fault)?;
        if fault.is_slow() {
            continue;
        }
        let loses_unsynced = fault.needs().volume.is_some();
        for (index, change) in reference.changes.iter().enumerate() {
            if change.kind == "sync" && !loses_unsynced {
                continue;
            }
            for when in [When::Before, When::After] {
                let number = index as u64 + 1;
                moments.push(vec![Strike {
                    moment: Moment::Change { number, when },
                    fault: fault.name().to_owned(),
                }]);
            }
        }
    }
    chosen(plan, scenario, moments, step)
}

/// A kill, and one more fault before and after every change that recovering from it makes.
///
/// # Errors
/// A fault is unknown.
pub fn of_recovery(
    plan: &Plan,
    ready: &Ready,
    scenario: Scenario,
    step: usize,
) -> Result<Vec<Round>> {
    let mut moments = Vec::new();
    for fault in &plan.faults {
        if faults::named(fault)?.is_slow() {
            continue;
        }
        for recovery in ready.recoveries(scenario) {
            for number in 1..=recovery.changes {
                for when in [When::Before, When::After] {
                    let second = Strike {
                        moment: Moment::Change { number, when },
                        fault: fault.clone(),
                    };
                    moments.push(vec![first(recovery.killed_before), second]);
                }
            }
        }
    }
    chosen(plan, scenario, moments, step)
}

/// Every `step`-th of them: another choice with every seed.
fn chosen(
    plan: &Plan,
    scenario: Scenario,
    moments: Vec<Vec<Strike>>,
    step: usize,
) -> Result<Vec<Round>> {
    let step = step.max(1);
    let begin = usize::try_from(plan.seed % step as u64)?;
    let chosen = moments.into_iter().skip(begin).step_by(step);
    let round = |strikes| Round {
        seed: plan.seed,
        app: plan.app.clone(),
        scenario,
        strikes,
        planted: plan.planted,
        is_listed: true,
    };
    Ok(chosen.map(round).collect())
}
