//! The result for people.

use super::blackout::Blackout;
use super::rungs::Costs;
use super::{Measured, TARGETS};
use crate::spread::Spread;

/// Steps while requests are held, in order.
const HELD: [&str; 9] = [
    "hold",
    "stop",
    "protect_database",
    "protect_files",
    "migrate",
    "switch",
    "start",
    "verify",
    "release_traffic",
];

pub(crate) fn print(measured: &Measured) {
    let size = measured.size as f64 / f64::from(1 << 20);
    println!(
        "PostgreSQL, {size:.0} MiB; seconds: the median (least to most) of {}",
        measured.repetitions
    );
    if !measured.baselines.is_empty() {
        println!();
    }
    for it in &measured.baselines {
        println!(
            "{:<8} pg_dump -Fd -j2 -Z1 {:>8.2}   pg_restore -j2 {:>8.2}",
            it.place, it.pg_dump_seconds, it.pg_restore_seconds
        );
    }
    if !measured.rungs.is_empty() {
        println!(
            "\n{:<8} {:<12} {:>22} {:>22} {:>22} {:>13}  targets",
            "place", "rung", "prepare", "protect", "return", "/ pg_restore"
        );
    }
    for it in &measured.rungs {
        println!(
            "{:<8} {:<12} {:>22} {:>22} {:>22} {:>13.4}  {}",
            it.place,
            it.rung,
            spread(&it.prepare_seconds),
            spread(&it.protect_seconds),
            spread(&it.return_seconds),
            it.return_to_pg_restore,
            verdict(it, measured.size)
        );
    }
    if !measured.blackouts.is_empty() {
        println!(
            "\n{:<8} {:<12} {:>22} {:>22} {:>22} {:>8} {:>7}  target",
            "place", "rung", "held by Obnova", "as clients saw it", "by hand", "added", "failed"
        );
    }
    for it in &measured.blackouts {
        println!(
            "{:<8} {:<12} {:>22} {:>22} {:>22} {:>8.2} {:>7}  {}",
            it.place,
            it.rung,
            spread(&it.held_seconds),
            spread(&it.longest_gap_seconds),
            spread(&it.by_hand_seconds),
            it.added_seconds,
            it.failed,
            match &it.problem {
                Some(problem) => not_measured(problem),
                None => word(it.added_seconds <= TARGETS.added_seconds).to_owned(),
            }
        );
        println!("         {}", steps(it));
    }
}

fn steps(blackout: &Blackout) -> String {
    let told = HELD.iter().filter_map(|name| {
        let took = blackout.steps.get(*name)?;
        Some(format!("{name} {:.2}", took.median()))
    });
    told.collect::<Vec<_>>().join(", ")
}

fn spread(figures: &Spread) -> String {
    let (least, most) = figures.ends();
    match figures.0.len() {
        0 => "-".to_owned(),
        1 => format!("{least:.2}"),
        _ => format!("{:.2} ({least:.2} to {most:.2})", figures.median()),
    }
}

fn verdict(costs: &Costs, size: u64) -> String {
    if let Some(problem) = &costs.problem {
        return not_measured(problem);
    }
    let mut verdicts = Vec::new();
    if ["file_system", "standby"].contains(&costs.rung) {
        let held = costs.protect_seconds.median() <= TARGETS.protect_seconds;
        verdicts.push(format!("protect {}", word(held)));
    }
    if costs.rung != "dump" && size >= TARGETS.return_size {
        let held = costs.return_to_pg_restore <= TARGETS.return_to_pg_restore;
        verdicts.push(format!("return {}", word(held)));
    }
    verdicts.join(", ")
}

fn not_measured(problem: &str) -> String {
    format!(
        "not measured: {}",
        problem.lines().next().unwrap_or_default()
    )
}

fn word(held: bool) -> &'static str {
    if held { "held" } else { "MISSED" }
}
