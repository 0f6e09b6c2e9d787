//! The engine is killed before and after every record of the journal: of an update, and of one that is undone. The next engine must
//! end old or new, serving, with nothing left over.

use anyhow::{Context, Result, ensure};
use obnova_engine::Moment;

use crate::Case;
use crate::fixture::Try;

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
];

/// Which end a try had.
#[derive(Debug, Default)]
struct Ends {
    old: u32,
    new: u32,
}

fn update() -> Result<String> {
    let ends = every_record("1.1.0")?;
    ensure!(
        ends.old > 20 && ends.new >= 6,
        "{ends:?}: too few moments were tried for this to mean anything"
    );
    Ok(format!("{} ended old, {} new", ends.old, ends.new))
}

fn undone() -> Result<String> {
    let ends = every_record("1.2.0")?;
    ensure!(ends.new == 0, "{ends:?}");
    ensure!(
        ends.old > 40,
        "{ends:?}: too few moments were tried for this to mean anything"
    );
    Ok(format!("{} ended old", ends.old))
}

fn every_record(version: &str) -> Result<Ends> {
    let mut ends = Ends::default();
    for number in 1.. {
        for moment in [Moment::Before(number), Moment::After(number)] {
            match one(version, moment).with_context(|| format!("killed {moment:?}"))? {
                Some(true) => ends.new += 1,
                Some(false) => ends.old += 1,
                // There is no such record: all have been tried.
                None => return Ok(ends),
            }
        }
    }
    Ok(ends)
}

/// `Some(true)` new, `Some(false)` old, `None` when the engine was never killed.
fn one(version: &str, moment: Moment) -> Result<Option<bool>> {
    let mut it = Try::new()?;
    it.start(Some(moment))?;
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
    if is_new {
        let data = std::fs::read_to_string(it.state_dir().join("data/schema.txt"))?;
        ensure!(
            data == "schema 2\n",
            "the data files are not migrated: {data}"
        );
        ensure!(
            format!("{now:?}").contains("step_2"),
            "the database is not migrated"
        );
        ensure!(
            format!("{now:?}").contains(&format!("version: {version:?}")),
            "it does not serve {version}"
        );
    } else {
        before.expect_same(&now)?;
    }
    // It can be used on: a write, and the same update once more.
    it.write("after")?;
    it.end()?;
    Ok(Some(is_new))
}
