//! `docs/proof.md`: what was done and what came of it, from the results of one run or of several.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::campaign::Done;
use crate::planted::Planted;
use crate::round::Scenario;
use crate::table::{self, seconds};

/// A run, the first line of its results.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// When it began.
    pub began: Timestamp,
    /// What was called.
    pub command: String,
    /// Its seed.
    pub seed: u64,
    /// Processors.
    pub processors: usize,
    /// The kernel.
    pub kernel: String,
    /// Changes to the disk of undisturbed updates, by application and update: all, and records of the journal.
    pub changes: BTreeMap<String, (usize, usize, u64)>,
}

/// A line of a file of results.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// What follows is of this run.
    Run(Run),
    /// A round.
    Done(Box<Done>),
}

/// Adds a line to a file of results.
///
/// # Errors
/// It cannot be written.
pub fn add(file: &Path, entry: &Entry) -> Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .with_context(|| file.display().to_string())?;
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    Ok(file.write_all(&line)?)
}

/// Reads files of results and writes what they say.
///
/// # Errors
/// One cannot be read, or the document not be written.
pub fn write(document: &Path, results: &[PathBuf]) -> Result<()> {
    let (mut runs, mut done) = (Vec::new(), Vec::new());
    for file in results {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        for line in text.lines() {
            match serde_json::from_str(line)? {
                Entry::Run(run) => runs.push(run),
                Entry::Done(one) => done.push(*one),
            }
        }
    }
    std::fs::write(document, text(&runs, &done)?)?;
    Ok(())
}

/// Characters of a violation that are shown; the rest is in its round's folder.
const LONGEST_REASON: usize = 120;

const HEAD: &str = "# Old or new, never between: what was tried

Written by the crash harness from its results. Run it yourself: `cargo xtask crash` (needs root; `--help` tells the rest).

A round is a whole life of an installation: engine, Administration Centre, front, the CRM (or Tryton, a real ERP) and its
database server as real processes, a vendor's repository over HTTP, a mail server, 21 people to be told, and clients that send some
16 requests a second (one to Tryton), half of them writes. An administrator installs a version (or goes back from one), and one to three faults strike: at a change to the disk,
before or after it is made, or at any instant up to 1.1 times the duration of an undisturbed update; later faults strike while the
installation recovers from the earlier ones. Nothing is repaired by hand: what died is started again, as systemd would.

After each round all of this must hold:

- database (every row and the schema), data files with modes and times, program, and the version that answers are exactly those
  from before, or exactly those that an undisturbed update leads to; Desktops are told that version;
- it serves, and every write that was acknowledged to a client is there, once (but for those acknowledged by the application while its
  file system was read-only: there the system confirms a sync that it does not make);
- the journal reads, the update ended at most once, and as the system looks;
- every person was told each state exactly once (a mail whose taking the mail server could not confirm may come again under the
  same Message-ID);
- nothing is left: processes, mounts, temporary files, databases and copies that nobody keeps, requests that wait.

";

fn text(runs: &[Run], done: &[Done]) -> Result<String> {
    let mut text = HEAD.to_owned();
    let (planted, done): (Vec<Done>, Vec<Done>) = done
        .iter()
        .cloned()
        .partition(|one| one.round.planted.is_some());
    let (listed, random): (Vec<Done>, Vec<Done>) =
        done.into_iter().partition(|one| one.round.is_listed);
    let violations = |done: &[Done]| {
        done.iter()
            .filter(|one| !one.outcome.violations.is_empty())
            .count()
    };
    let _ = writeln!(
        text,
        "**{} random rounds with {} violations; {} rounds at listed moments with {} violations.**\n",
        random.len(),
        violations(&random),
        listed.len(),
        violations(&listed)
    );
    text += "## Random rounds\n\nA round counts for each fault that struck in it. The time to serve again is that from the fault to the first good answer to a\nrequest sent after it (after the healing, for faults during which nobody can be answered).\n\n";
    text += &table::markdown(&table::lines(&random));
    text += "\n## Listed moments\n\nA fault before or after a change to the disk, records of the journal among them, taken from the list of all changes of an undisturbed\nupdate (`--enumerate`) and of recoveries from seven kills in each (`--recovery`): all of them, or every n-th with a number, as far as the\nrun came.\n\n";
    text += &listed_text(&listed);
    let violated = random
        .iter()
        .chain(&listed)
        .filter(|one| !one.outcome.violations.is_empty());
    for one in violated {
        let first = one.outcome.violations.first().map_or("", String::as_str);
        let first: String = first.chars().take(LONGEST_REASON).collect();
        let _ = writeln!(
            text,
            "- violated in {} (seed {}): {first}",
            one.round, one.round.seed
        );
    }
    text += "\n## Defects that were planted\n\nThe harness must find them: behind a switch that only it has, each of these was broken.\n\n| defect | rounds | found in |\n|---|---:|---:|\n";
    for defect in Planted::ALL {
        let of: Vec<&Done> = planted
            .iter()
            .filter(|one| one.round.planted == Some(defect))
            .collect();
        let found = of
            .iter()
            .filter(|one| !one.outcome.violations.is_empty())
            .count();
        let _ = writeln!(text, "| {} | {} | {found} |", defect.title(), of.len());
    }
    text += "\n## The runs\n\n";
    for run in runs {
        let _ = writeln!(
            text,
            "- {}, seed {}, {} processors, Linux {}: `{}`",
            run.began.strftime("%Y-%m-%d %H:%M UTC"),
            run.seed,
            run.processors,
            run.kernel,
            run.command
        );
        for (what, (changes, records, took)) in &run.changes {
            let _ = writeln!(
                text,
                "  - {what}: undisturbed {}, {changes} changes to the disk, {records} of them records",
                seconds(*took)
            );
        }
    }
    Ok(text)
}

fn listed_text(listed: &[Done]) -> String {
    let mut by: BTreeMap<(String, Scenario, String), Vec<&Done>> = BTreeMap::new();
    let mut never_came = 0;
    for one in listed {
        let outcome = &one.outcome;
        // Another recovery may be over sooner than the one that was measured.
        if outcome.struck() < one.round.strikes.len() && outcome.violations.is_empty() {
            never_came += 1;
            continue;
        }
        let faults = one.round.strikes.iter().map(|strike| strike.fault.as_str());
        let faults: Vec<&str> = faults.collect();
        let key = (
            one.round.app.name(),
            one.round.scenario,
            faults.join(", and while recovering "),
        );
        by.entry(key).or_default().push(one);
    }
    let mut text = String::from(
        "| application | update | fault | moments | ended old | ended new | worst time to serve again | violations |\n\
         |---|---|---|---:|---:|---:|---:|---:|\n",
    );
    for ((app, scenario, fault), of) in by {
        let of: Vec<Done> = of.into_iter().cloned().collect();
        let lines = table::lines(&of);
        let Some(all) = lines.last() else { continue };
        let _ = writeln!(
            text,
            "| {app} | {} | {fault} | {} | {} | {} | {} | {} |",
            scenario.title(),
            all.rounds,
            all.old,
            all.new,
            seconds(all.worst_ms),
            all.violations
        );
    }
    let _ = writeln!(
        text,
        "\nRounds whose last moment never came, not counted above: {never_came}.\n"
    );
    text
}
