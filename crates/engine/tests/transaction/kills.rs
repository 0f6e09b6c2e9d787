//! The engine is killed before and after every record of the journal: of an update, and of one that is undone. The next engine must
//! end old or new, serving, with nothing left over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use obnova_engine::Moment;
use obnova_testkit::cases::Case;

use crate::fixture::{Deed, Try, Was};
use crate::reverts::{Updated, updated};

/// The cases.
pub const CASES: &[Case] = &[
    (
        "killed_at_every_record_of_an_update_it_ends_old_or_new",
        update,
    ),
    (
        "killed_at_every_record_of_an_undone_update_it_ends_old",
        undone,
    ),
    (
        "cut_off_from_power_at_every_record_of_the_undoing_it_ends_old",
        power_cut,
    ),
    (
        "killed_at_every_record_of_a_way_back_it_ends_before_or_after_it",
        way_back,
    ),
];

/// The record that says that the migration of 1.2.0 has failed.
pub const UNDOING: u64 = 19;

/// Tries at a time.
const WORKERS: usize = 4;

/// Which end a try had.
#[derive(Debug, Default)]
pub struct Ends {
    /// The version before serves.
    pub old: u32,
    /// The new version serves.
    pub new: u32,
}

fn update() -> Result<String> {
    let ends = every_record("1.1.0", 1, Deed::Die)?;
    ensure!(
        ends.old > 20 && ends.new >= 6,
        "{ends:?}: too few moments were tried for this to mean anything"
    );
    Ok(format!("{} ended old, {} new", ends.old, ends.new))
}

fn undone() -> Result<String> {
    let ends = every_record("1.2.0", 1, Deed::Die)?;
    ensure!(ends.new == 0, "{ends:?}");
    ensure!(
        ends.old > 40,
        "{ends:?}: too few moments were tried for this to mean anything"
    );
    Ok(format!("{} ended old", ends.old))
}

fn power_cut() -> Result<String> {
    let ends = every_record("1.2.0", UNDOING, Deed::PowerCut)?;
    ensure!(ends.new == 0, "{ends:?}");
    ensure!(
        ends.old > 20,
        "{ends:?}: too few moments were tried for this to mean anything"
    );
    Ok(format!("{} ended old", ends.old))
}

fn way_back() -> Result<String> {
    let ends = every(1, &one_way_back)?;
    ensure!(
        ends.old > 20 && ends.new >= 6,
        "{ends:?}: too few moments were tried for this to mean anything"
    );
    Ok(format!("{} ended before, {} after it", ends.old, ends.new))
}

fn every_record(version: &str, first: u64, deed: Deed) -> Result<Ends> {
    every(first, &|moment| one(version, moment, deed))
}

/// Tries every moment, a few at a time: most of a try is waiting.
pub fn every(first: u64, one: &(dyn Fn(Moment) -> Result<Option<bool>> + Sync)) -> Result<Ends> {
    let ends = Mutex::new(Ends::default());
    let next = AtomicU64::new(0);
    let last = AtomicU64::new(u64::MAX);
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let moment_number = next.fetch_add(1, Ordering::Relaxed);
                if moment_number >= last.load(Ordering::Relaxed) {
                    return Ok(());
                }
                let record = moment_number / 2 + first;
                let moment = if moment_number.is_multiple_of(2) {
                    Moment::Before(record)
                } else {
                    Moment::After(record)
                };
                let end = one(moment).with_context(|| format!("killed {moment:?}"))?;
                let mut ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
                match end {
                    Some(true) => ends.new += 1,
                    Some(false) => ends.old += 1,
                    // There is no such record: all have been tried.
                    None => drop(last.fetch_min(moment_number, Ordering::Relaxed)),
                }
            }
        };
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .map_err(|_| anyhow::anyhow!("a try panicked"))?
        })
    })?;
    Ok(ends.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// `Some(true)` new, `Some(false)` old, `None` when the engine was never killed.
fn one(version: &str, moment: Moment, deed: Deed) -> Result<Option<bool>> {
    let mut it = Try::new()?;
    it.start_to(Some((moment, deed)))?;
    it.write("before")?;
    let before = it.now()?;
    it.check()?;
    it.install(version)?;
    if !it.killed()? {
        it.end()?;
        return Ok(None);
    }
    it.start(None)?;
    let state = it.settled()?;
    let now = it.now()?;
    let is_new = state.installed.to_string() == version;
    match is_new {
        true => expect_new(&it, &now, version)?,
        false => before.expect_same(&now)?,
    }
    // It can be used on: a write, and the same update once more.
    it.write("after")?;
    it.end()?;
    Ok(Some(is_new))
}

/// Looks that everything is as after the update to this version.
pub fn expect_new(it: &Try, now: &Was, version: &str) -> Result<()> {
    let data = std::fs::read_to_string(it.state_dir().join("data/schema.txt"))?;
    ensure!(
        data == "schema 2\n",
        "the data files are not migrated: {data}"
    );
    let now = format!("{now:?}");
    ensure!(now.contains("step_2"), "the database is not migrated");
    ensure!(
        now.contains(&format!("version: {version:?}")),
        "it does not serve {version}"
    );
    Ok(())
}

/// The same for going back from 1.1.0; records are counted from where that begins.
fn one_way_back(moment: Moment) -> Result<Option<bool>> {
    let Updated { mut it, old, new } = updated()?;
    let last = it.state()?.last_event;
    it.kill_engine()?;
    let moment = match moment {
        Moment::Before(record) => Moment::Before(last + record),
        Moment::After(record) => Moment::After(last + record),
    };
    it.start(Some(moment))?;
    it.settled()?;
    it.ask_back(1)?;
    if !it.killed()? {
        it.end()?;
        return Ok(None);
    }
    it.start(None)?;
    let is_back = it.settled()?.installed.to_string() == "1.0.0";
    if is_back {
        old.expect_same(&it.now()?)?;
    } else {
        new.expect_same(&it.now()?)?;
        let plan = it.revert_plan()?;
        ensure!(
            plan.update == 1 && plan.obstacles.is_empty(),
            "the copy is no good any more: {plan:?}"
        );
    }
    it.write("after")?;
    it.end()?;
    Ok(Some(is_back))
}
