//! The rounds of one trial: one version before, one database.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_engine::api::{Outcome, UpdateSummary};
use obnova_engine::{Contents, Moment};
use obnova_release::{Description, Trial};
use semver::Version;

use super::breaking::Deed;
use super::place::{Installed, failed};
use super::subject::Subject;
use super::{Progress, Wanted};

/// The shortest time that an update and its undoing are given, whatever the undisturbed one took.
const LEAST_PATIENCE: Duration = Duration::from_secs(120);

/// One way to break an update off.
#[derive(Debug, Clone, Copy)]
struct Break {
    /// The record, counted from the beginning of the update.
    record: u64,
    after: bool,
    deed: Deed,
}

struct Course<'a> {
    installed: &'a Installed,
    to: &'a Version,
    before: Contents,
    trial: Trial,
}

/// Fills the installation, runs the update once in peace, and then breaks it off at every moment.
pub(super) fn run(
    installed: &Installed,
    wanted: &Wanted,
    description: &Description,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Trial> {
    let mut subject = Subject::of(installed.state(), Duration::from_secs(24 * 3600))?;
    fill(&mut subject, installed, wanted)?;
    let before = at_rest(&mut subject, installed)?;
    let trial = Trial {
        from: installed.from.clone(),
        database: installed.database().product(),
        rounds: 0,
        ended_before: 0,
        ended_after: 0,
        worst_blackout_ms: 0,
        worst_way_back_ms: 0,
    };
    let mut course = Course {
        installed,
        to: &description.version,
        before,
        trial,
    };
    let (records, took) = course.in_peace(&mut subject)?;
    drop(subject);
    let patience = LEAST_PATIENCE.max(took * 20);
    let breaks = chosen(every(records), wanted.rounds);
    let all = u32::try_from(breaks.len()).unwrap_or(u32::MAX);
    for it in breaks {
        progress(Progress {
            from: &installed.from,
            database: &course.trial.database,
            done: course.trial.rounds,
            all,
        });
        let mut subject = Subject::of(installed.state(), patience)?;
        course
            .round(&mut subject, it)
            .with_context(|| it.to_string())?;
    }
    Ok(course.trial)
}

/// Has the vendor's program put data into it.
fn fill(subject: &mut Subject, installed: &Installed, wanted: &Wanted) -> Result<()> {
    subject.start()?;
    let address = subject.address()?;
    if let Some(sample) = &wanted.sample {
        let database = installed.database();
        let status = Command::new(std::path::absolute(sample)?)
            .env("OBNOVA_APPLICATION", format!("http://{address}"))
            .env("OBNOVA_DATABASE", database.url())
            .env("OBNOVA_DATA", installed.installation.data_dir())
            .env("OBNOVA_VERSION", installed.from.to_string())
            .envs(database.env())
            .status()
            .with_context(|| sample.display().to_string())?;
        ensure!(status.success(), "{} ended with {status}", sample.display());
    }
    subject.stop()
}

/// What the installation holds when nothing runs: the same after another start and stop, or nothing could be compared.
fn at_rest(subject: &mut Subject, installed: &Installed) -> Result<Contents> {
    let mut looks = Vec::new();
    for _ in 0..2 {
        subject.start()?;
        subject.settled()?;
        subject.stop()?;
        looks.push(contents(installed)?);
    }
    let [one, two] = looks.try_into().map_err(|_| anyhow::anyhow!("two looks"))?;
    let differences = one.differences(&two);
    ensure!(
        differences.is_empty(),
        "version {} changes its data whenever it starts, so that nothing can be compared: {}",
        installed.from,
        differences.join("; ")
    );
    Ok(two)
}

fn contents(installed: &Installed) -> Result<Contents> {
    Contents::of(&installed.installation).map_err(|problem| failed(&problem))
}

impl Course<'_> {
    /// The update without any trouble, and the way back. Gives back how many records it wrote, and how long it took.
    fn in_peace(&mut self, subject: &mut Subject) -> Result<(u64, Duration)> {
        subject.start()?;
        subject.settled()?;
        subject.look()?;
        let first = subject.state()?.last_event;
        let since = Instant::now();
        subject.install(self.to)?;
        let state = subject.settled()?;
        let update = state.last_update.context("no update was made")?;
        ensure!(
            update.outcome == Outcome::Completed,
            "the update fails without any trouble: {}",
            reason(&update)
        );
        let records = state.last_event - first;
        let took = since.elapsed();
        self.note_blackout(&update);
        self.way_back(subject, &update)?;
        Ok((records, took))
    }

    /// One round: the update broken off, the engine started again, and what came of it.
    fn round(&mut self, subject: &mut Subject, it: Break) -> Result<()> {
        subject.start()?;
        let first = subject.settled()?.last_event;
        subject.stop()?;
        let number = first + 1 + it.record;
        let moment = match it.after {
            true => Moment::After(number),
            false => Moment::Before(number),
        };
        subject.start_to_break(moment, it.deed)?;
        subject.settled()?;
        subject.look()?;
        subject.install(self.to)?;
        if subject.ends_or_settles()? {
            if it.deed == Deed::Everything {
                // Once more, while it recovers.
                subject.start_to_break(Moment::After(number + 1), it.deed)?;
                if subject.ends_or_settles()? {
                    subject.start()?;
                }
            } else {
                subject.start()?;
            }
        } else {
            ensure!(it.deed.spares_engine(), "there was no such moment");
        }
        let state = subject.settled()?;
        let update = state.last_update.context("no update was made")?;
        self.trial.rounds += 1;
        match update.outcome {
            Outcome::RolledBack if state.installed == self.installed.from => {
                self.trial.ended_before += 1;
                let waited = update.blackout_ms.unwrap_or(0);
                self.trial.worst_way_back_ms = self.trial.worst_way_back_ms.max(waited);
                self.expect_before(subject)
            }
            Outcome::Completed if state.installed == *self.to => {
                self.trial.ended_after += 1;
                self.way_back(subject, &update)
            }
            // Killed before the first record: nothing had begun.
            _ if it.record == 0 && state.installed == self.installed.from => {
                self.trial.ended_before += 1;
                self.expect_before(subject)
            }
            other => bail!("it ended {other:?} with {} installed", state.installed),
        }
    }

    /// Returns to the version before, which must be exactly what it was.
    fn way_back(&mut self, subject: &mut Subject, update: &UpdateSummary) -> Result<()> {
        subject.revert(update.update)?;
        let state = subject.settled()?;
        let back = state.last_update.context("no way back was made")?;
        ensure!(
            back.outcome == Outcome::Completed && state.installed == self.installed.from,
            "the way back failed: {}",
            reason(&back)
        );
        self.expect_before(subject)
    }

    fn expect_before(&self, subject: &mut Subject) -> Result<()> {
        subject.stop()?;
        let differences = self.before.differences(&contents(self.installed)?);
        ensure!(
            differences.is_empty(),
            "it is not what it was before: {}",
            differences.join("; ")
        );
        Ok(())
    }

    fn note_blackout(&mut self, update: &UpdateSummary) {
        let blackout = update.blackout_ms.unwrap_or(0);
        self.trial.worst_blackout_ms = self.trial.worst_blackout_ms.max(blackout);
    }
}

fn reason(update: &UpdateSummary) -> String {
    match &update.problem {
        Some(problem) => format!("{:#}", failed(problem)),
        None => format!("{:?}", update.outcome),
    }
}

fn every(records: u64) -> Vec<Break> {
    let moments = (0..records).flat_map(|record| [(record, false), (record, true)]);
    moments
        .flat_map(|(record, after)| {
            Deed::ALL.into_iter().map(move |deed| Break {
                record,
                after,
                deed,
            })
        })
        .collect()
}

/// At most so many, spread over all.
fn chosen(all: Vec<Break>, most: Option<u32>) -> Vec<Break> {
    let most = most.map_or(all.len(), |most| most as usize).max(1);
    if all.len() <= most {
        return all;
    }
    (0..most).map(|n| all[n * all.len() / most]).collect()
}

impl std::fmt::Display for Break {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let when = if self.after { "after" } else { "before" };
        let deed = self.deed.name();
        write!(
            formatter,
            "{deed} killed {when} record {} of the update",
            self.record + 1
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_rounds_are_spread_over_all_moments() {
        let few = chosen(every(40), Some(12));
        assert_eq!(few.len(), 12);
        assert!(few.last().unwrap().record > 35);
        assert_eq!(chosen(every(2), None).len(), 12);
        let deeds: Vec<Deed> = chosen(every(40), Some(7))
            .iter()
            .map(|it| it.deed)
            .collect();
        assert!(deeds.contains(&Deed::Engine) && deeds.contains(&Deed::Everything));
    }
}
