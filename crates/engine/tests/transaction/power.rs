//! The power goes before and after every record of the journal: every process dies, and what had not been synced never reached
//! the disk. The next engine must end old or new, with every byte of it there.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use obnova_engine::Moment;
use obnova_testkit::cases::Case;
use obnova_testkit::volume::{Kind, Volume};

use crate::fixture::{Deed, Try};
use crate::kills::{Ends, UNDOING, every, expect_new};

/// The cases.
pub const CASES: &[Case] = &[
    (
        "without_power_at_every_record_of_an_update_it_ends_old_or_new",
        update,
    ),
    (
        "without_power_at_every_record_of_the_undoing_it_ends_old",
        undone,
    ),
];

const BYTES: u64 = 2 << 30;

fn update() -> Result<String> {
    let ends = every_record(Kind::Ext4, "1.1.0", 1)?;
    ensure!(
        ends.old > 20 && ends.new >= 6,
        "{ends:?}: too few moments were tried for this to mean anything"
    );
    Ok(format!("{} ended old, {} new", ends.old, ends.new))
}

fn undone() -> Result<String> {
    let ends = every_record(Kind::Xfs, "1.2.0", UNDOING)?;
    ensure!(
        ends.new == 0 && ends.old > 20,
        "{ends:?}: too few moments were tried for this to mean anything"
    );
    Ok(format!("{} ended old", ends.old))
}

fn every_record(kind: Kind, version: &str, first: u64) -> Result<Ends> {
    let volumes = Mutex::new(Vec::new());
    let lock = || volumes.lock().unwrap_or_else(PoisonError::into_inner);
    every(first, &|moment| {
        let free = lock().pop();
        let volume = free.map_or_else(|| Volume::new(kind, BYTES), Ok)?;
        let end = one(&volume, version, moment)?;
        lock().push(volume);
        Ok(end)
    })
}

/// `Some(true)` new, `Some(false)` old, `None` when there is no such moment.
fn one(volume: &Volume, version: &str, moment: Moment) -> Result<Option<bool>> {
    let mut it = Try::new_in(&volume.path())?;
    it.start_to(Some((moment, Deed::PowerLoss)))?;
    it.write("before").context("writing")?;
    let before = it.now().context("what is there before")?;
    it.check().context("looking for releases")?;
    // What is there so far has been there for long.
    let place = std::fs::File::open(volume.path()).context("opening")?;
    rustix::fs::syncfs(place).context("syncing")?;
    it.install(version)?;
    if !it.killed().context("until the power goes")? {
        it.end()?;
        return Ok(None);
    }
    volume.restore_power().context("restoring the power")?;
    it.start(None)?;
    let state = it.settled().context("after the power came back")?;
    let now = it.now().context("what is there now")?;
    let is_new = state.installed.to_string() == version;
    match is_new {
        true => expect_new(&it, &now, version)?,
        false => before.expect_same(&now)?,
    }
    it.write("after")?;
    it.end()?;
    Ok(Some(is_new))
}
