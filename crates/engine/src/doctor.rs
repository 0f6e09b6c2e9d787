//! Looks at an installation and says what is good, fair and bad: each look is a function that changes nothing but files of its
//! own, which it removes.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{OFlags, ioctl_ficlone};

use crate::account::Account;
use crate::api::{Check, Finding, Health, Problem, RungFacts};
use crate::durable;
use crate::installation::Installation;
use crate::problem;
use crate::rehearsal::{self, isolation};

/// Days before the end of the repository's signed metadata from which on that is worth a word.
const METADATA_DAYS: i64 = 3;
const HOURS_A_DAY: i64 = 24;
/// How far events may lie in the future before the clock must have been set back.
const CLOCK_TOLERANCE_S: i64 = 60;

fn finding(topic: &str, health: Health, detail: impl Into<String>) -> Finding {
    Finding {
        topic: topic.to_owned(),
        health,
        detail: detail.into(),
        problem: None,
    }
}

fn bad(topic: &str, detail: impl Into<String>, problem: Problem) -> Finding {
    Finding {
        problem: Some(problem),
        ..finding(topic, Health::Bad, detail)
    }
}

/// Whether the database can be protected: what its driver's check says, and whether some way is possible.
pub(crate) fn database(check: Result<(), Problem>, rungs: &[RungFacts]) -> Finding {
    const TOPIC: &str = "database";
    if let Err(problem) = check {
        let detail = problem.detail.clone().unwrap_or_default();
        return bad(TOPIC, detail, problem);
    }
    let reasons = |rung: &RungFacts| Some(format!("{}: {}", rung.rung, rung.why_not.as_ref()?));
    match rungs.iter().find(|rung| rung.chosen) {
        Some(rung) => finding(TOPIC, Health::Good, format!("protected by {}", rung.rung)),
        None if rungs.is_empty() => finding(TOPIC, Health::Good, "can be protected"),
        None => {
            let why: Vec<String> = rungs.iter().filter_map(reasons).collect();
            let problem = Problem::new(problem::PROTECTION_FAILED).arg("path", "");
            bad(TOPIC, why.join("; "), problem)
        }
    }
}

/// Whether there is room for an update, and for another.
pub(crate) fn disk(needed: u64, free: u64, state_dir: &Path) -> Finding {
    const TOPIC: &str = "disk";
    let detail = format!("an update needs {needed} bytes, {free} are free");
    if needed > free {
        let problem = Problem::new(problem::DISK_SPACE)
            .arg("needed", needed)
            .arg("free", free)
            .arg("path", state_dir.display());
        return bad(TOPIC, detail, problem);
    }
    let health = match needed.saturating_mul(2) > free {
        true => Health::Fair,
        false => Health::Good,
    };
    finding(TOPIC, health, detail)
}

/// What kind of file system the state directory lies in, and whether copies there share blocks with their originals; tried.
pub(crate) fn file_system(state_dir: &Path) -> Finding {
    const TOPIC: &str = "file-system";
    let kind = kind_of_file_system(state_dir).unwrap_or_else(|| "unknown".to_owned());
    match reflinks(state_dir) {
        Ok(()) => finding(TOPIC, Health::Good, format!("{kind}, copies share blocks")),
        Err(error) => {
            let detail = format!("{kind}, copies are made byte by byte: {error}");
            finding(TOPIC, Health::Fair, detail)
        }
    }
}

/// Whether data directories lie where they can be returned by renaming.
pub(crate) fn data(installation: &Installation) -> Finding {
    const TOPIC: &str = "data";
    let device = |path: &Path| {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).map(|facts| facts.dev()).ok()
    };
    let here = device(&installation.state_dir);
    let elsewhere: Vec<String> = installation
        .data
        .directories
        .iter()
        .filter(|directory| device(directory).is_some_and(|it| Some(it) != here))
        .map(|directory| directory.display().to_string())
        .collect();
    match elsewhere.is_empty() {
        true => finding(TOPIC, Health::Good, "returned by renaming"),
        false => {
            let detail = format!(
                "{} in another file system: returned file by file",
                elsewhere.join(", ")
            );
            finding(TOPIC, Health::Fair, detail)
        }
    }
}

/// Whether a rehearsal can be cut off from the network; tried as the rehearsal does it.
pub(crate) fn network_namespace(worker: &[String]) -> Finding {
    const TOPIC: &str = "network-namespace";
    match isolation::way(&rehearsal::probe(worker)) {
        Ok(words) => finding(TOPIC, Health::Good, words.join(" ")),
        Err(complaint) => Finding {
            problem: Some(Problem::new(problem::NOT_ISOLATED)),
            ..finding(TOPIC, Health::Fair, complaint)
        },
    }
}

/// Whether the repository answers, and how long its signatures hold.
pub(crate) fn repository(check: Option<&Check>, now: Timestamp) -> Finding {
    const TOPIC: &str = "repository";
    let Some(check) = check else {
        return finding(TOPIC, Health::Fair, "nobody has looked yet");
    };
    if let Some(problem) = &check.problem {
        let detail = problem.detail.clone().unwrap_or_default();
        return bad(TOPIC, detail, problem.clone());
    }
    let Some(expires) = check.metadata_expires else {
        return finding(TOPIC, Health::Fair, "it holds no releases");
    };
    let hours = expires.duration_since(now).as_hours();
    let health = match hours < METADATA_DAYS * HOURS_A_DAY {
        true => Health::Fair,
        false => Health::Good,
    };
    finding(TOPIC, health, format!("it answers; signed until {expires}"))
}

/// Whether a front is connected: without one nobody reaches the application, and requests cannot be held.
pub(crate) fn front(connected: usize) -> Finding {
    const TOPIC: &str = "front";
    match connected {
        0 => finding(TOPIC, Health::Bad, "no front is connected"),
        _ => finding(TOPIC, Health::Good, format!("{connected} connected")),
    }
}

/// Whether the clock can be right: nothing that has happened lies in its future.
pub(crate) fn clock(last_event: Option<Timestamp>, now: Timestamp) -> Finding {
    const TOPIC: &str = "clock";
    let synchronised = match Path::new("/run/systemd/timesync/synchronized").exists() {
        true => "synchronised by systemd-timesyncd",
        false => "not known whether it is synchronised",
    };
    match last_event.filter(|at| at.duration_since(now).as_secs() > CLOCK_TOLERANCE_S) {
        Some(at) => finding(
            TOPIC,
            Health::Bad,
            format!("it is {now}, but the last event was at {at}"),
        ),
        None => finding(TOPIC, Health::Good, format!("{now}, {synchronised}")),
    }
}

/// How much the protected copies take, beside what is free.
pub(crate) fn copies(count: usize, bytes: u64, free: u64) -> Finding {
    let detail = format!("{count} kept, {bytes} bytes");
    let health = match bytes > free {
        true => Health::Fair,
        false => Health::Good,
    };
    finding("copies", health, detail)
}

/// Whether the application runs as a user of its own, and that can use what it needs.
pub(crate) fn user(installation: &Installation, usable: Result<(), Problem>) -> Finding {
    const TOPIC: &str = "user";
    if let Err(problem) = usable {
        let detail = problem.detail.clone().unwrap_or_default();
        return bad(TOPIC, detail, problem);
    }
    match Account::of(&installation.service) {
        Ok(Some(account)) => finding(TOPIC, Health::Good, account.user),
        _ => {
            let user = rustix::process::geteuid();
            let detail = format!(
                "the engine's own, number {}: service.user in installation.toml gives it another",
                user.as_raw()
            );
            finding(TOPIC, Health::Fair, detail)
        }
    }
}

/// The kind of the file system that a directory lies in.
fn kind_of_file_system(directory: &Path) -> Option<String> {
    let directory = std::fs::canonicalize(directory).ok()?;
    // proc(5): the mount point is the fifth field; the kind comes after a lone dash.
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount = |line: &str| {
        let (first, last) = line.split_once(" - ")?;
        let point = PathBuf::from(first.split(' ').nth(4)?.replace("\\040", " "));
        let kind = last.split(' ').next()?.to_owned();
        directory.starts_with(&point).then_some((point, kind))
    };
    let covering = mounts.lines().filter_map(mount);
    // Of those mounted on one another the last one counts.
    covering
        .max_by_key(|(point, _)| point.components().count())
        .map(|(_, kind)| kind)
}

fn reflinks(directory: &Path) -> std::io::Result<()> {
    let name = |end: &str| directory.join(format!("{}doctor-{end}", durable::TEMPORARY_PREFIX));
    let (one, other) = (name("one"), name("other"));
    let tried = try_reflink(&one, &other);
    durable::remove_file(&one)?;
    durable::remove_file(&other)?;
    tried
}

fn try_reflink(one: &Path, other: &Path) -> std::io::Result<()> {
    durable::remove_file(one)?;
    durable::remove_file(other)?;
    durable::write_new(one, &[b'x'; 8192], 0o600)?;
    durable::write_new(other, b"", 0o600)?;
    let mode = rustix::fs::Mode::empty();
    let to = rustix::fs::open(other, OFlags::WRONLY | OFlags::CLOEXEC, mode)?;
    Ok(ioctl_ficlone(to, std::fs::File::open(one)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_less_than_one_update_is_bad_and_for_less_than_two_fair() {
        let health = |free| disk(100, free, Path::new("/srv")).health;
        assert_eq!(health(99), Health::Bad);
        assert_eq!(health(199), Health::Fair);
        assert_eq!(health(200), Health::Good);
    }

    #[test]
    fn a_clock_that_was_set_back_is_found() {
        let now = Timestamp::now();
        let health = |seconds: i64| {
            let event = now + jiff::SignedDuration::from_secs(seconds);
            clock(Some(event), now).health
        };
        assert_eq!(health(-5), Health::Good);
        assert_eq!(health(3600), Health::Bad);
    }

    #[test]
    fn looking_at_a_file_system_leaves_nothing_behind() {
        let place = tempfile::tempdir().unwrap();
        let found = file_system(place.path());
        assert_ne!(found.health, Health::Bad, "{found:?}");
        assert!(!found.detail.starts_with("unknown"), "{found:?}");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_database_that_no_way_protects_is_bad_and_says_why() {
        let rung = RungFacts {
            rung: "dump".to_owned(),
            why_not: Some("pg_dump is not installed".to_owned()),
            chosen: false,
            protect_ms: None,
            restore_ms: None,
            disk_bytes: None,
            measured: None,
        };
        let found = database(Ok(()), &[rung]);
        assert_eq!(found.health, Health::Bad);
        assert!(found.detail.contains("pg_dump is not installed"));
    }
}
