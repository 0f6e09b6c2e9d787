//! The disk fills up at some moment of an update: it ends old or new, and serves without waiting for room.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use obnova_engine::api::Outcome;
use obnova_testkit::cases::Case;

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

fn full() -> Result<String> {
    let mut ends = Vec::new();
    let good = [0, 150, 300, 450, 600, 900].map(|after| ("1.0.5", after));
    // Its migration fails: on a disk that is full by then, it is undone.
    let bad = [100, 400, 700].map(|after| ("1.0.6", after));
    for (version, after) in good.into_iter().chain(bad) {
        let what = format!("{version} and full after {after} ms");
        match one(version, after).with_context(|| what.clone())? {
            Ok(end) => ends.push(format!("{what}: {end}")),
            Err(why) => return Ok(format!("NOT TRIED, nothing can be mounted here: {why}")),
        }
    }
    Ok(ends.join("; "))
}

fn one(version: &str, after: u64) -> Result<Result<String, String>> {
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
    it.install(version)?;
    std::thread::sleep(Duration::from_millis(after));
    let ballast = place.path().join("ballast");
    fill(&ballast)?;
    // A full disk does not make the engine mute, and does not keep the version before from serving.
    let state = it.settled().context("while the disk was full")?;
    std::fs::remove_file(&ballast)?;
    let end = if state.installed.to_string() == "1.0.5" {
        "new"
    } else {
        before.expect_same(&it.now()?)?;
        "old"
    };
    it.write("two")?;
    it.end()?;
    drop(mount);
    Ok(Ok(end.to_owned()))
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
