//! Nothing is left over: processes, mounts, temporary files, clones, copies that nobody keeps.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use obnova_engine::api::{Answer, Request};

use crate::life::Facts;
use crate::place;
use crate::processes::{self, Process};
use crate::world::{Who, World};

/// What is removed after an update takes a moment, and is tried again after a minute when that failed.
const PATIENCE: Duration = Duration::from_secs(80);

/// Looks while it runs.
///
/// # Errors
/// It cannot be looked.
pub fn look(facts: &Facts<'_>) -> Result<Vec<String>> {
    // Of a planted defect it is enough to see that something is wrong.
    let patience = match facts.round.planted.is_some() {
        true => PATIENCE / 8,
        false => PATIENCE,
    };
    let until = Instant::now() + patience;
    loop {
        let mut found = strangers(facts.world)?;
        found.extend(mounts(facts)?);
        let Answer::Copies { copies } = facts.world.ask(&Request::Copies)? else {
            anyhow::bail!("no list of copies");
        };
        let kept: Vec<u64> = copies.iter().map(|copy| copy.update).collect();
        found.extend(copies_nobody_keeps(facts.world, &kept));
        found.extend(facts.world.app.left_over(facts.world, &kept)?);
        found.extend(temporaries(facts.world));
        if found.is_empty() || Instant::now() > until {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Looks when all has been told to end.
///
/// # Errors
/// It cannot be looked.
pub fn after_the_end(world: &World) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let application = processes::others()?;
    // Whatever runs out of a version's tree.
    let versions = world.state_dir().join("versions").display().to_string();
    let application = application
        .into_iter()
        .filter(|it| it.line.contains(&versions) || it.line.contains("obnova-crash launch "));
    found.extend(application.map(|it| format!("after the end: process {} {}", it.pid, it.line)));
    for name in ["service.json", "migration.json", "rehearsal"] {
        if world.state_dir().join(name).exists() {
            found.push(format!("after the end: {name}"));
        }
    }
    Ok(found)
}

/// Processes that do not belong to an installation that serves and does nothing else.
fn strangers(world: &World) -> Result<Vec<String>> {
    let known: Vec<i32> = [
        Who::Engine,
        Who::Centre,
        Who::Front,
        Who::Application,
        Who::Database,
    ]
    .into_iter()
    .filter_map(|who| world.pid(who))
    .collect();
    let is_stranger = |it: &&Process| {
        let is_of_the_server = it.line.starts_with("postgres:");
        !known.contains(&it.pid) && !is_of_the_server
    };
    let others = processes::others()?;
    let strangers = others.iter().filter(is_stranger);
    Ok(strangers
        .map(|it| format!("process {} {}", it.pid, it.line))
        .collect())
}

fn mounts(facts: &Facts<'_>) -> Result<Vec<String>> {
    let now = place::mounts()?;
    let more = now.iter().filter(|point| !facts.mounts.contains(point));
    Ok(more.map(|point| format!("mount {point}")).collect())
}

fn copies_nobody_keeps(world: &World, kept: &[u64]) -> Vec<String> {
    let protected = std::fs::read_dir(world.state_dir().join("protected"));
    protected
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !kept.iter().any(|update| update.to_string() == *name))
        .map(|name| format!("protected/{name}"))
        .collect()
}

/// Files that only something interrupted can have left.
fn temporaries(world: &World) -> Vec<String> {
    let state = world.state_dir();
    let mut found = Vec::new();
    let Ok(paths) = paths(&state) else {
        return found;
    };
    for path in paths {
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_left = name.starts_with(".obnova-tmp-")
            || name.ends_with(".obnova-restore")
            || name.ends_with(".used")
            || name.starts_with("discarded-")
            || path == "migration.json"
            || path.starts_with("rehearsal/");
        if is_left {
            found.push(path);
        }
    }
    let temporary = std::fs::read_dir(place::temporary());
    let temporary = temporary.into_iter().flatten().flatten();
    found.extend(temporary.map(|entry| entry.path().display().to_string()));
    found
}

/// Every path in the state directory but those of the centre's own, of the metadata and of downloads, which are kept to go on from.
///
/// # Errors
/// A directory cannot be read.
pub fn paths(state: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut left = vec![state.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(&directory)? {
            let entry = entry?;
            let path = entry.path();
            let name = path.strip_prefix(state)?.to_string_lossy().into_owned();
            if ["center", "tuf", "content", "log"].contains(&name.as_str()) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                left.push(path);
            }
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}
