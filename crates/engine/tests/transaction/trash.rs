//! Protected copies that nobody needs any more are removed when the update has ended, by whichever engine comes to it.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use obnova_engine::api::Outcome;

use obnova_testkit::cases::Case;

use super::fixture::Try;

/// The cases.
pub const CASES: &[Case] = &[
    (
        "what_an_update_throws_away_is_removed_after_its_end",
        after_the_end,
    ),
    (
        "what_a_killed_engine_has_thrown_away_is_removed_by_the_next_one",
        by_the_next,
    ),
    (
        "what_a_killed_engine_has_half_written_is_removed_by_the_next_one_wherever_it_writes",
        half_written,
    ),
];

/// Files in the data directory: enough to see that nobody waits for them.
const FILES: usize = 3_000;
const PATIENCE: Duration = Duration::from_secs(60);

fn started() -> Result<Try> {
    let mut it = Try::new()?;
    it.start(None)?;
    let many = it.state_dir().join("data/many");
    std::fs::create_dir_all(&many)?;
    for number in 0..FILES {
        std::fs::write(many.join(number.to_string()), number.to_string())?;
    }
    Ok(it)
}

fn copies(it: &Try) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(it.state_dir().join("protected"))?;
    Ok(entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<_>>()?)
}

fn trash(it: &Try) -> Result<Vec<PathBuf>> {
    let is_trash = |path: &PathBuf| path.extension().is_some_and(|it| it == "trash");
    Ok(copies(it)?.into_iter().filter(is_trash).collect())
}

fn removed(it: &Try) -> Result<Duration> {
    let began = Instant::now();
    while !trash(it)?.is_empty() {
        ensure!(began.elapsed() < PATIENCE, "{:?} stays", trash(it)?);
        sleep(Duration::from_millis(20));
    }
    Ok(began.elapsed())
}

fn after_the_end() -> Result<String> {
    let it = started()?;
    it.update("1.0.5")?;
    let failed = it.update("1.2.0")?;
    ensure!(failed.outcome == Outcome::RolledBack, "{failed:?}");
    removed(&it)?;
    let last = it.update("1.1.0")?;
    ensure!(last.outcome == Outcome::Completed, "{last:?}");
    let took = removed(&it)?;
    let kept = copies(&it)?;
    ensure!(
        kept.iter().all(|path| path.ends_with("3")) && kept.len() == 1,
        "{kept:?}"
    );
    it.end()?;
    Ok(format!("{FILES} files, gone {took:.0?} after the end"))
}

fn by_the_next() -> Result<String> {
    let mut it = started()?;
    it.update("1.0.5")?;
    it.kill_engine()?;
    let root = it.state_dir().join("protected");
    // Whatever an engine may leave when it is killed.
    let left = [
        root.join("7.0.trash"),
        root.join("8.used"),
        root.join("9-back.1.trash"),
    ];
    for path in &left {
        copy(&it.state_dir().join("data"), &path.join("files/0"))?;
    }
    std::fs::write(left[0].join("database"), "")?;
    it.start(None)?;
    removed(&it)?;
    ensure!(copies(&it)? == [root.join("1")], "{:?}", copies(&it)?);
    let kept = it.copies()?;
    ensure!(kept.len() == 1 && kept[0].can_revert, "{kept:?}");
    it.end()?;
    Ok("and the good copy is kept".to_owned())
}

/// A file is written under another name first: a kill in between leaves that. Notes of the database's drivers lie one level deeper.
fn half_written() -> Result<String> {
    let mut it = Try::new()?;
    it.start(None)?;
    let last = it.update("1.0.5")?;
    ensure!(last.outcome == Outcome::Completed, "{last:?}");
    it.kill_engine()?;
    let state = it.state_dir();
    let kept = state.join("protected/1");
    ensure!(kept.join("database").is_dir(), "it lies elsewhere now");
    let places = [
        state.clone(),
        state.join("versions"),
        state.join("protected"),
        kept.clone(),
        kept.join("database"),
    ];
    let left = places.map(|place| place.join(".obnova-tmp-7-0"));
    for path in &left {
        std::fs::write(path, "{\"rung\":")?;
    }
    let note = kept.join("database/of-a-driver.json");
    std::fs::write(&note, "{}")?;
    it.start(None)?;
    it.settled()?;
    let began = Instant::now();
    while left.iter().any(|path| path.exists()) {
        ensure!(
            began.elapsed() < Duration::from_secs(10),
            "{:?} stay",
            left.iter().filter(|it| it.exists()).collect::<Vec<_>>()
        );
        sleep(Duration::from_millis(20));
    }
    ensure!(note.exists(), "a whole note was taken for half a one");
    std::fs::remove_file(note)?;
    let kept = it.copies()?;
    ensure!(kept.len() == 1 && kept[0].can_revert, "{kept:?}");
    it.end()?;
    Ok("and nothing else".to_owned())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    let status = std::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status();
    ensure!(status.context("cp")?.success(), "cp failed");
    Ok(())
}
