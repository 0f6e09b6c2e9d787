//! What many rounds add up to, for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::campaign::Done;
use crate::round::End;

/// A line of the table.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Line {
    /// Application and rung.
    pub app: String,
    /// The fault, or all.
    pub fault: String,
    /// Rounds in which it struck.
    pub rounds: usize,
    /// Of these, ended as before.
    pub old: usize,
    /// Of these, ended as after the update.
    pub new: usize,
    /// Of these, with a violation.
    pub violations: usize,
    /// From the fault to the first good answer to a request sent after it, milliseconds: half of them took at most so long.
    pub median_ms: u64,
    /// The longest.
    pub worst_ms: u64,
    #[serde(skip)]
    times: Vec<u64>,
}

/// A line for each application and fault, and one for each application in all.
pub fn lines(done: &[Done]) -> Vec<Line> {
    let mut lines: BTreeMap<(String, String), Line> = BTreeMap::new();
    for one in done {
        let mut names: Vec<&str> = one
            .round
            .strikes
            .iter()
            .take(one.outcome.struck().max(1))
            .map(|strike| strike.fault.as_str())
            .collect();
        let times = &one.outcome.serve_again_ms;
        for (name, time) in names.iter().zip(times) {
            line(&mut lines, one, name).times.push(*time);
        }
        line(&mut lines, one, "~").times.extend(times);
        names.push("~");
        names.sort_unstable();
        names.dedup();
        for name in names {
            let line = line(&mut lines, one, name);
            line.rounds += 1;
            line.violations += usize::from(!one.outcome.violations.is_empty());
            match one.outcome.end {
                Some(End::Old) => line.old += 1,
                Some(End::New) => line.new += 1,
                None => {}
            }
        }
    }
    let mut lines: Vec<Line> = lines.into_values().collect();
    for line in &mut lines {
        line.times.sort_unstable();
        line.worst_ms = line.times.last().copied().unwrap_or(0);
        line.median_ms = line.times.get(line.times.len() / 2).copied().unwrap_or(0);
    }
    lines
}

fn line<'a>(
    lines: &'a mut BTreeMap<(String, String), Line>,
    one: &Done,
    fault: &str,
) -> &'a mut Line {
    let app = one.round.app.name();
    lines
        .entry((app.clone(), fault.to_owned()))
        .or_insert_with(|| Line {
            app,
            fault: if fault == "~" { "all rounds" } else { fault }.to_owned(),
            ..Line::default()
        })
}

/// As Markdown.
pub fn markdown(lines: &[Line]) -> String {
    let mut text = String::from(
        "| application | fault | rounds | ended old | ended new | serves again, median | worst | violations |\n\
         |---|---|---:|---:|---:|---:|---:|---:|\n",
    );
    for line in lines {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            line.app,
            line.fault,
            line.rounds,
            line.old,
            line.new,
            seconds(line.median_ms),
            seconds(line.worst_ms),
            line.violations
        );
    }
    text
}

/// For people.
pub fn seconds(milliseconds: u64) -> String {
    format!("{}.{:02} s", milliseconds / 1000, milliseconds % 1000 / 10)
}
