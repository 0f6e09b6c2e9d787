//! The disk fills up at some moment of an update: it ends old, and serves as soon as there is room.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use obnova_engine::api::Outcome;

use crate::Case;
use crate::fixture::{Release, Try};
use crate::places::Mount;

/// The cases.
pub const CASES: &[Case] = &[
    (
        "a_disk_that_fills_up_during_an_update_leaves_everything_as_before",
        full,
    ),
    (
        "a_migration_that_fills_the_disk_with_output_is_undone_without_help",
        endless_output,
    ),
    (
        "a_migration_that_fills_the_disk_with_data_is_undone_without_help",
        endless_data,
    ),
];

/// Enough for the update and the room that its check wants.
const SIZE: &str = "400m";
/// How long the disk stays full.
const FULL: Duration = Duration::from_millis(1500);

fn full() -> Result<String> {
    let mut ends = Vec::new();
    for after in [0, 150, 300, 450, 600, 900] {
        match one(after).with_context(|| format!("full {after} ms after the start"))? {
            Ok(end) => ends.push(format!("{after} ms: {end}")),
            Err(why) => return Ok(format!("NOT TRIED, nothing can be mounted here: {why}")),
        }
    }
    Ok(ends.join("; "))
}

fn one(after: u64) -> Result<Result<String, String>> {
    let place = tempfile::tempdir()?;
    let mount = match Mount::new(place.path(), SIZE) {
        Ok(mount) => mount,
        Err(why) => return Ok(Err(why)),
    };
    let mut it = Try::new_in(place.path())?;
    it.start(None)?;
    it.write("one")?;
    let before = it.now()?;
    it.check()?;
    it.install("1.0.5")?;
    std::thread::sleep(Duration::from_millis(after));
    let ballast = place.path().join("ballast");
    fill(&ballast)?;
    let until = Instant::now() + FULL;
    let mut serves = false;
    while Instant::now() < until {
        // A full disk does not make the engine mute.
        serves = it.state()?.serving.is_some();
        std::thread::sleep(Duration::from_millis(50));
    }
    std::fs::remove_file(&ballast)?;
    let state = it.settled()?;
    let end = if state.installed.to_string() == "1.0.5" {
        "new"
    } else {
        before.expect_same(&it.now()?)?;
        "old"
    };
    it.write("two")?;
    it.end()?;
    drop(mount);
    Ok(Ok(format!(
        "{end}, {}",
        if serves {
            "serving while it was full"
        } else {
            "serving once there was room"
        }
    )))
}

fn endless_output() -> Result<String> {
    fills("yes endless; exec \"$@\"")
}

fn endless_data() -> Result<String> {
    fills("cat /dev/zero > ../../data/endless; exec \"$@\"")
}

/// An update whose migration does this first, on a small disk.
fn fills(shell: &str) -> Result<String> {
    let place = tempfile::tempdir()?;
    let _mount = match Mount::new(place.path(), SIZE) {
        Ok(mount) => mount,
        Err(why) => return Ok(format!("NOT TRIED, nothing can be mounted here: {why}")),
    };
    let mut it = Try::new_in(place.path())?;
    it.publish(&Release {
        version: "1.2.1",
        schema: 3,
        migrate: &["--fail-at", "3"],
        serve: &[],
        shell: Some(shell),
        more: "",
        server: "",
    })?;
    it.start(None)?;
    it.write("one")?;
    let before = it.now()?;
    let update = it.update("1.2.1")?;
    ensure!(update.outcome == Outcome::RolledBack, "it was installed");
    before.expect_same(&it.now()?)?;
    it.write("two")?;
    it.end()?;
    Ok(update.problem.context("no reason")?.code)
}

/// Takes all room, to the last block.
fn fill(ballast: &Path) -> Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::create(ballast)?;
    for size in [1 << 20, 4096, 1] {
        let piece = vec![0; size];
        while file.write_all(&piece).is_ok() {}
    }
    Ok(())
}
