//! Many rounds: which, several at a time, and what they add up to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng, SeedableRng};

use crate::app::{App, Sources};
use crate::control::Change;
use crate::faults;
use crate::life::{self, Order};
use crate::listed::{self, Recovery};
use crate::moment::{Moment, When};
use crate::place;
use crate::planted::Planted;
use crate::prepared;
use crate::round::{Outcome, Reference, Round, Scenario, Strike};

/// A life that takes longer has been forgotten by everybody; with the CRM.
const LONGEST_LIFE: Duration = Duration::from_secs(600);
/// How folders begin in which a version is laid down.
const STAGING: &str = ".staging-";
/// Faults in one life at most.
const MOST_STRIKES: usize = 3;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The application.
    pub app: App,
    /// The updates.
    pub scenarios: Vec<Scenario>,
    /// The faults to choose from.
    pub faults: Vec<String>,
    /// Where everything random comes from.
    pub seed: u64,
    /// Random rounds.
    pub rounds: u64,
    /// Every change to the disk besides, or every n-th: 1 is all.
    pub enumerate: Option<usize>,
    /// And every change, or every n-th, that recovering from a kill makes.
    pub recovery: Option<usize>,
    /// Rounds that are lived as they were.
    pub repeat: Vec<Round>,
    /// A defect.
    pub planted: Option<Planted>,
    /// Where prepared installations and failed rounds go.
    pub directory: PathBuf,
    /// What applications are made of.
    pub sources: Sources,
}

/// A round and what came of it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Done {
    /// The round.
    pub round: Round,
    /// What came of it.
    pub outcome: Outcome,
    /// The folder of a failed round.
    pub folder: Option<PathBuf>,
}

/// A prepared application with its undisturbed updates.
pub struct Ready {
    prepared: PathBuf,
    references: BTreeMap<Scenario, Reference>,
    /// For [`Plan::recovery`].
    recoveries: BTreeMap<Scenario, Vec<Recovery>>,
}

impl Ready {
    /// What an undisturbed update is like.
    ///
    /// # Errors
    /// It was not prepared.
    pub(crate) fn reference(&self, scenario: Scenario) -> Result<&Reference> {
        self.references.get(&scenario).context("a reference")
    }

    /// How recoveries go.
    pub(crate) fn recoveries(&self, scenario: Scenario) -> &[Recovery] {
        self.recoveries.get(&scenario).map_or(&[], Vec::as_slice)
    }

    /// How many changes to the disk an undisturbed update makes, and how many of them are records of the journal.
    pub fn changes(&self, scenario: Scenario) -> (usize, usize) {
        let changes = self.references.get(&scenario).map(|it| &it.changes);
        let records = changes.map_or(0, |changes| {
            changes.iter().filter(|change| change.is_record()).count()
        });
        (changes.map_or(0, Vec::len), records)
    }

    /// Numbers of those changes that do not lay down the new version's files: of Tryton, thousands of files all alike.
    fn changes_but_files(&self, scenario: Scenario) -> Vec<u64> {
        let changes = self.references.get(&scenario).map(|it| &it.changes);
        let is_a_file = |change: &Change| {
            let mut parts = change.path.components();
            parts.any(|part| part.as_os_str().to_string_lossy().starts_with(STAGING))
        };
        let numbered = (1..).zip(changes.into_iter().flatten());
        numbered
            .filter(|(_, change)| !is_a_file(change))
            .map(|(number, _)| number)
            .collect()
    }

    /// How long an undisturbed update takes, milliseconds.
    pub fn took_ms(&self, scenario: Scenario) -> u64 {
        self.references.get(&scenario).map_or(0, |it| it.took_ms)
    }
}

/// Prepares what these plans need, `parallel` applications at a time; several plans may share one.
///
/// # Errors
/// As [`ready`].
pub fn all_ready(plans: Vec<Plan>, parallel: usize) -> Result<Vec<(Plan, Ready)>> {
    let mut firsts: BTreeMap<App, &Plan> = BTreeMap::new();
    for plan in &plans {
        firsts.entry(plan.app.clone()).or_insert(plan);
    }
    let firsts: Vec<&Plan> = firsts.into_values().collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            while let Some(plan) = firsts.get(next.fetch_add(1, Ordering::Relaxed)) {
                eprintln!("preparing {}", plan.app.name());
                ready(plan)?;
            }
            Ok(())
        };
        let workers: Vec<_> = (0..parallel.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .map_err(|_| anyhow::anyhow!("preparing panicked"))?
        })
    })?;
    // Now it is there for each.
    plans
        .into_iter()
        .map(|plan| {
            let ready = ready(&plan)?;
            Ok((plan, ready))
        })
        .collect()
}

/// Prepares the application and lives every update undisturbed.
///
/// # Errors
/// It cannot be prepared, or an undisturbed update already breaks something.
fn ready(plan: &Plan) -> Result<Ready> {
    let prepared = plan.directory.join(format!("prepared-{}", plan.app.name()));
    let out = plan
        .directory
        .join(format!("preparing-{}", plan.app.name()));
    for directory in [&prepared, &out] {
        std::fs::create_dir_all(directory)?;
    }
    if !prepared.join(prepared::UPDATED).is_dir() {
        prepared::prepare(&prepared::Order {
            app: plan.app.clone(),
            directory: prepared.clone(),
            out,
            sources: plan.sources.clone(),
        })?;
        std::fs::remove_dir_all(prepared.join("work")).ok();
    }
    let (mut references, mut recoveries) = (BTreeMap::new(), BTreeMap::new());
    for scenario in &plan.scenarios {
        let file = prepared.join(life::reference_name(*scenario));
        if !file.is_file() {
            let round = Round {
                seed: 0,
                app: plan.app.clone(),
                scenario: *scenario,
                strikes: Vec::new(),
                planted: None,
                is_listed: false,
            };
            let folder = plan
                .directory
                .join(format!("{}-{}", plan.app.name(), scenario.name()));
            let outcome = live(&round, &prepared, &folder, &|| false)?.unwrap_or_default();
            ensure!(
                outcome.violations.is_empty(),
                "an undisturbed update {} breaks this already: {}; see {}",
                scenario.title(),
                outcome.violations.join("; "),
                folder.display()
            );
            std::fs::copy(folder.join("out/reference.json"), &file)?;
            std::fs::remove_dir_all(folder)?;
        }
        let reference: Reference = serde_json::from_slice(&std::fs::read(&file)?)?;
        if plan.recovery.is_some() {
            let file = prepared.join(listed::recoveries_name(*scenario));
            if !file.is_file() {
                let measured = listed::recoveries(plan, *scenario, &reference, &prepared)?;
                std::fs::write(&file, serde_json::to_vec(&measured)?)?;
            }
            recoveries.insert(*scenario, serde_json::from_slice(&std::fs::read(&file)?)?);
        }
        references.insert(*scenario, reference);
    }
    Ok(Ready {
        prepared,
        references,
        recoveries,
    })
}

/// Every round of the plan.
///
/// # Errors
/// A name is wrong.
fn rounds(plan: &Plan, ready: &Ready) -> Result<Vec<Round>> {
    let mut rounds = plan.repeat.clone();
    if let Some(step) = plan.enumerate {
        for scenario in &plan.scenarios {
            rounds.extend(listed::of_update(plan, ready, *scenario, step)?);
        }
    }
    if let Some(step) = plan.recovery {
        for scenario in &plan.scenarios {
            rounds.extend(listed::of_recovery(plan, ready, *scenario, step)?);
        }
    }
    for number in 0..plan.rounds {
        rounds.push(random(plan, ready, plan.seed.wrapping_add(number))?);
    }
    Ok(rounds)
}

fn random(plan: &Plan, ready: &Ready, seed: u64) -> Result<Round> {
    let mut random = StdRng::seed_from_u64(seed);
    let scenario = *plan
        .scenarios
        .choose_weighted(&mut random, |scenario| scenario.weight())
        .context("no update")?;
    let strikes = match random.random_range(0..10) {
        0..5 => 1,
        5..8 => 2,
        _ => MOST_STRIKES,
    };
    let took = ready.took_ms(scenario);
    let (changes, but_files) = (
        ready.changes(scenario).0 as u64,
        ready.changes_but_files(scenario),
    );
    loop {
        let strikes: Vec<Strike> = (0..strikes)
            .map(|index| {
                let fault = plan.faults.choose(&mut random).cloned().unwrap_or_default();
                Strike {
                    moment: match index {
                        0 => first_moment(&mut random, changes, &but_files, took),
                        _ => later_moment(&mut random, but_files.len() as u64 / 2, took / 2),
                    },
                    fault,
                }
            })
            .collect();
        if fit(&plan.app, &strikes)? {
            return Ok(Round {
                seed,
                app: plan.app.clone(),
                scenario,
                strikes,
                planted: plan.planted,
                is_listed: false,
            });
        }
    }
}

/// Whether these can be in one life.
fn fit(app: &App, strikes: &[Strike]) -> Result<bool> {
    let mut needs = app.needs();
    for strike in strikes {
        match needs.and(faults::named(&strike.fault)?.needs()) {
            Ok(both) => needs = both,
            Err(_) => return Ok(false),
        }
    }
    Ok(true)
}

/// Within the update and a little after it. Of the changes to the disk, half of the time any, half of the time one that does more than
/// lay down one more file.
fn first_moment(random: &mut StdRng, changes: u64, but_files: &[u64], took_ms: u64) -> Moment {
    let chosen = but_files.choose(random).copied();
    match (random.random_range(0..4), chosen) {
        (0, _) => change(random, 1..=changes.max(1)),
        (1, Some(number)) => change(random, number..=number),
        (1, None) => change(random, 1..=1),
        _ => instant(random, took_ms),
    }
}

/// Soon after the one before, since recovering is what it disturbs; that lays down few files.
fn later_moment(random: &mut StdRng, changes: u64, took_ms: u64) -> Moment {
    match random.random_bool(0.5) {
        true => change(random, 1..=changes.max(1)),
        false => instant(random, took_ms),
    }
}

fn change(random: &mut StdRng, numbers: std::ops::RangeInclusive<u64>) -> Moment {
    Moment::Change {
        number: random.random_range(numbers),
        when: match random.random_bool(0.5) {
            true => When::Before,
            false => When::After,
        },
    }
}

fn instant(random: &mut StdRng, took_ms: u64) -> Moment {
    Moment::Instant {
        after_ms: random.random_range(0..=took_ms * 11 / 10),
    }
}

/// How rounds are lived.
pub struct Pace<'a> {
    /// No new round is begun after this.
    pub until: Option<Instant>,
    /// No new round is begun while there is such a file.
    pub pause: Option<PathBuf>,
    /// Rounds at a time.
    pub parallel: usize,
    /// Hears of each round as soon as it is over: the how manieth it is, how many there are, and what came of it.
    pub told: &'a (dyn Fn(usize, usize, &Done) + Sync),
}

/// Lives the rounds of all plans, several at a time, and of all plans alike: wherever it is broken off, each has had its share.
///
/// # Errors
/// A life could not be begun.
pub fn run(plans: &[(Plan, Ready)], pace: &Pace<'_>) -> Result<Vec<Done>> {
    static FOLDERS: AtomicU64 = AtomicU64::new(0);
    let turns = turns(plans)?;
    let (next, over) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // A defect that was found need not be found again.
    let is_found: Vec<AtomicBool> = plans.iter().map(|_| AtomicBool::new(false)).collect();
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                while pace.pause.as_ref().is_some_and(|file| file.exists()) {
                    std::thread::sleep(Duration::from_secs(1));
                }
                let is_late = pace.until.is_some_and(|until| Instant::now() > until);
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some((of, round)) = turns.get(index).filter(|_| !is_late) else {
                    return Ok(());
                };
                let (plan, ready) = &plans[*of];
                let is_over = || is_found[*of].load(Ordering::Relaxed);
                if is_over() {
                    continue;
                }
                let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
                let folder = plan.directory.join(format!("round-{number}"));
                let Some(outcome) = live(round, &ready.prepared, &folder, &is_over)? else {
                    std::fs::remove_dir_all(&folder)?;
                    continue;
                };
                let has_failed = !outcome.violations.is_empty();
                if has_failed && plan.planted.is_some() {
                    is_found[*of].store(true, Ordering::Relaxed);
                }
                if !has_failed {
                    std::fs::remove_dir_all(&folder)?;
                }
                let one = Done {
                    round: round.clone(),
                    outcome,
                    folder: has_failed.then_some(folder),
                };
                (pace.told)(over.fetch_add(1, Ordering::Relaxed) + 1, turns.len(), &one);
                done.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(one);
            }
        };
        let workers: Vec<_> = (0..pace.parallel.max(1))
            .map(|_| scope.spawn(work))
            .collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .map_err(|_| anyhow::anyhow!("a round panicked"))?
        })
    })?;
    Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The rounds of all plans, each with its plan's place, in an order in which every plan is as far as the others at any time.
fn turns(plans: &[(Plan, Ready)]) -> Result<Vec<(usize, Round)>> {
    let mut turns = Vec::new();
    for (of, (plan, ready)) in plans.iter().enumerate() {
        let rounds = rounds(plan, ready)?;
        let all = rounds.len() as u64;
        for (number, round) in (0..).zip(rounds) {
            // How far the plan is with it, in millionths.
            turns.push((1_000_000 * (2 * number + 1) / (2 * all), of, round));
        }
    }
    turns.sort_by_key(|(far, of, _)| (*far, *of));
    Ok(turns
        .into_iter()
        .map(|(_, of, round)| (of, round))
        .collect())
}

/// Faults that an application can suffer.
pub fn faults_of(app: &App) -> Vec<String> {
    faults::all()
        .iter()
        .filter(|fault| fault.suits(app) && app.needs().and(fault.needs()).is_ok())
        .map(|fault| fault.name().to_owned())
        .collect()
}

/// Lives one round in a process of its own. Of a round that failed, everything is kept in `folder`. Nothing comes of one that
/// was given up because `is_over`.
pub(crate) fn live(
    round: &Round,
    prepared: &Path,
    folder: &Path,
    is_over: &dyn Fn() -> bool,
) -> Result<Option<Outcome>> {
    let (world, out) = (folder.join("world"), folder.join("out"));
    if folder.exists() {
        // Of an earlier run.
        std::fs::remove_dir_all(folder)?;
    }
    for directory in [&world, &out] {
        std::fs::create_dir_all(directory)?;
    }
    let order = Order {
        round: round.clone(),
        world: world.clone(),
        out: out.clone(),
        prepared: prepared.to_owned(),
    };
    std::fs::write(out.join("round.json"), serde_json::to_vec_pretty(&order)?)?;
    let log = std::fs::File::create(out.join("harness.log"))?;
    let mut child = place::command(&["life", &serde_json::to_string(&order)?])?
        .stdin(std::process::Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    let until = Instant::now() + round.app.patience(LONGEST_LIFE);
    let mut is_given_up = false;
    while child.try_wait()?.is_none() {
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            break;
        }
        if !is_given_up && is_over() {
            // It ends by itself, so that its volume and its processes go in order.
            std::fs::write(out.join(place::GIVEN_UP), "")?;
            is_given_up = true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    if is_given_up {
        return Ok(None);
    }
    let outcome = match std::fs::read(out.join("result.json")) {
        Ok(bytes) => serde_json::from_slice(&bytes)?,
        Err(_) => Outcome {
            violations: vec![format!(
                "the harness did not end well: {}",
                std::fs::read_to_string(out.join("harness.log"))?
            )],
            ..Outcome::default()
        },
    };
    std::fs::remove_file(out.join("changes.sock")).ok();
    Ok(Some(outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(seed: u64) -> Plan {
        let app = App::named("crm-sqlite", None).unwrap();
        Plan {
            scenarios: Scenario::ALL.to_vec(),
            faults: faults_of(&app),
            app,
            seed,
            rounds: 40,
            enumerate: None,
            recovery: None,
            repeat: Vec::new(),
            planted: None,
            directory: PathBuf::new(),
            sources: Sources::default(),
        }
    }

    /// As it was measured: an update of so many milliseconds. What is measured is never twice the same.
    fn measured(took_ms: u64) -> Ready {
        let reference = || Reference {
            took_ms,
            ..Reference::default()
        };
        Ready {
            prepared: PathBuf::new(),
            references: Scenario::ALL
                .into_iter()
                .map(|scenario| (scenario, reference()))
                .collect(),
            recoveries: BTreeMap::new(),
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_rounds_and_a_round_of_a_run_has_a_seed_of_its_own() {
        let ready = measured(3000);
        let all = rounds(&planned(7), &ready).unwrap();
        assert_eq!(all, rounds(&planned(7), &ready).unwrap());
        assert_ne!(all, rounds(&planned(8), &ready).unwrap());
        for (number, round) in (0..).zip(&all) {
            assert_eq!(round.seed, 7 + number);
            let alone = rounds(&planned(round.seed), &ready).unwrap();
            assert_eq!(alone.first(), Some(round));
        }
    }

    #[test]
    fn on_a_slower_machine_a_seed_strikes_with_the_same_faults_at_the_same_part_of_the_update() {
        let one = rounds(&planned(7), &measured(3000)).unwrap();
        let slower = rounds(&planned(7), &measured(6000)).unwrap();
        let mut instants = 0;
        for (one, slower) in one.iter().zip(&slower) {
            assert_eq!(one.scenario, slower.scenario);
            assert_eq!(one.strikes.len(), slower.strikes.len());
            for (one, slower) in one.strikes.iter().zip(&slower.strikes) {
                assert_eq!(one.fault, slower.fault);
                match (one.moment, slower.moment) {
                    (Moment::Instant { after_ms: one }, Moment::Instant { after_ms: slower }) => {
                        instants += 1;
                        assert!(slower.abs_diff(2 * one) <= 2, "{one} ms and {slower} ms");
                    }
                    (one, slower) => assert_eq!(one, slower),
                }
            }
        }
        assert!(instants > 20, "{instants}");
    }

    #[test]
    fn a_round_that_is_repeated_is_lived_as_it_was() {
        let ready = measured(3000);
        let before = rounds(&planned(7), &ready).unwrap().remove(3);
        let written = serde_json::to_string(&before).unwrap();
        let mut plan = planned(0);
        plan.rounds = 0;
        plan.repeat = vec![serde_json::from_str(&written).unwrap()];
        assert_eq!(rounds(&plan, &measured(9000)).unwrap(), [before]);
    }
}
