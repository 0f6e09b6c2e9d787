//! The cases that every driver and every rung must pass.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use obnova_engine::database::Database;
use obnova_testkit::postgres::Postgres;
use obnova_testkit::volume::Kind;

use crate::postgres::owned::{self, On};
use crate::{Case, failed, mariadb, postgres, sqlite};

/// A database with something in it, and its driver.
pub trait Subject {
    /// The driver, as an engine that has just started has it.
    fn driver(&self) -> Result<Box<dyn Database>>;

    /// Changes everything that a migration can change.
    fn migrate(&self) -> Result<()>;

    /// All that must be as before after a return, byte for byte.
    fn now(&self) -> Result<String>;

    /// The installation's state directory.
    fn state_dir(&self) -> &Path;

    /// Where the driver protects to; its parent is the update's number.
    fn protected(&self) -> PathBuf {
        self.state_dir().join("protected/7/database")
    }

    /// What of copies lies beside the database.
    fn left_over(&self) -> Result<String>;

    /// A new directory for a copy to be used.
    fn scratch(&self) -> Result<tempfile::TempDir> {
        Ok(tempfile::tempdir()?)
    }
}

type Make = fn(&Postgres) -> Result<Box<dyn Subject + '_>>;

const SUBJECTS: &[(&str, Make)] = &[
    ("sqlite", |_| Ok(Box::new(sqlite::Sqlite::new()?))),
    ("sqlite on xfs", |_| Ok(Box::new(sqlite::Sqlite::on_xfs()?))),
    ("mariadb dump", |_| {
        Ok(Box::new(mariadb::Server::dumped("crm")?))
    }),
    ("mariadb dump of an odd name", |_| {
        Ok(Box::new(mariadb::Server::dumped(mariadb::ODD_NAME)?))
    }),
    ("mariadb file_system on xfs", |_| {
        Ok(Box::new(mariadb::Server::cloned(Kind::Xfs)?))
    }),
    ("mariadb file_system on btrfs", |_| {
        Ok(Box::new(mariadb::Server::cloned(Kind::Btrfs)?))
    }),
    ("postgres file_system on XFS", |_| {
        Ok(Box::new(owned::subject(On::Xfs, "file_system")?))
    }),
    ("postgres file_system on btrfs", |_| {
        Ok(Box::new(owned::subject(On::Btrfs, "file_system")?))
    }),
    ("postgres standby", |_| {
        Ok(Box::new(owned::subject(On::Here, "standby")?))
    }),
    ("postgres 13 copy", |_| {
        Ok(Box::new(owned::subject(On::Old, "copy")?))
    }),
    ("postgres copy", |server| subject(server, "crm", "copy")),
    ("postgres dump", |server| subject(server, "crm", "dump")),
    ("postgres dump in place", |server| {
        subject(server, "crm", "dump in place")
    }),
    ("postgres 13 dump in place", |_| {
        Ok(Box::new(owned::subject(On::Old, "dump in place")?))
    }),
    ("postgres copy of an odd name", |server| {
        subject(server, postgres::ODD_NAME, "copy")
    }),
    ("postgres dump of an odd name", |server| {
        subject(server, postgres::ODD_NAME, "dump")
    }),
];

type Check = fn(&dyn Subject) -> Result<()>;

const CASES: &[(&str, Check)] = &[
    ("it is found fit and has a size", it_is_fit),
    ("protecting changes nothing", protecting_changes_nothing),
    ("a migration is gone after the return", a_migration_is_gone),
    ("returning twice is returning once", returning_twice),
    ("an incomplete copy is not returned to", an_incomplete_copy),
    ("nothing was protected, nothing is done", nothing_protected),
    ("a stopped protection changes nothing", a_stopped_protection),
    ("protecting anew forgets what lies there", protecting_anew),
    (
        "after a success the copy is forgotten",
        the_copy_is_forgotten,
    ),
    (
        "after a return the migrated is forgotten",
        the_migrated_is_forgotten,
    ),
];

/// What rehearsals, the doctor and the way back after a finished update ask of a driver.
const ASKED: &[(&str, Check)] = &[
    ("a copy in use is alike and apart", a_copy_in_use),
    ("the fingerprint tells a migration", the_fingerprint_tells),
    ("one rung is chosen, and measured", one_rung_is_chosen),
    ("what was written is told", what_was_written),
    ("an export holds something", an_export),
];

fn subject<'a>(server: &'a Postgres, name: &str, rung: &str) -> Result<Box<dyn Subject + 'a>> {
    Ok(Box::new(postgres::Server::new(server, name, rung)?))
}

/// Each case with each subject.
pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (subject, make) in SUBJECTS {
        for (case, run) in CASES.iter().chain(ASKED) {
            let case: Case = (
                format!("{subject}: {case}"),
                Box::new(move |server| run(make(server)?.as_ref())),
            );
            cases.push(case);
        }
    }
    cases
}

fn it_is_fit(subject: &dyn Subject) -> Result<()> {
    let driver = subject.driver()?;
    driver.check().map_err(failed)?;
    ensure!(driver.size() > 0, "no size");
    ensure!(
        driver.plan().contains(&driver.describe()),
        "{}",
        driver.plan()
    );
    Ok(())
}

fn protecting_changes_nothing(subject: &dyn Subject) -> Result<()> {
    let before = subject.now()?;
    protect(subject)?;
    admit(subject)?;
    same(&before, &subject.now()?)
}

fn a_migration_is_gone(subject: &dyn Subject) -> Result<()> {
    let before = subject.now()?;
    protect(subject)?;
    subject.migrate()?;
    ensure!(before != subject.now()?, "the migration changed nothing");
    restore(subject)?;
    same(&before, &subject.now()?)
}

fn returning_twice(subject: &dyn Subject) -> Result<()> {
    let before = subject.now()?;
    protect(subject)?;
    subject.migrate()?;
    restore(subject)?;
    restore(subject)?;
    same(&before, &subject.now()?)
}

/// As when the engine died just before it said that the copy is complete.
fn an_incomplete_copy(subject: &dyn Subject) -> Result<()> {
    let before = subject.now()?;
    protect(subject)?;
    std::fs::remove_file(subject.protected().join("complete"))?;
    restore(subject)?;
    restore(subject)?;
    same(&before, &subject.now()?)
}

fn nothing_protected(subject: &dyn Subject) -> Result<()> {
    let before = subject.now()?;
    restore(subject)?;
    same(&before, &subject.now()?)
}

fn a_stopped_protection(subject: &dyn Subject) -> Result<()> {
    let before = subject.now()?;
    let stopped = subject.driver()?.protect(&subject.protected(), &|| false);
    if stopped.is_ok() {
        // It was done before anybody could stop it.
        admit(subject)?;
        return same(&before, &subject.now()?);
    }
    same(&before, &subject.now()?)?;
    restore(subject)?;
    same(&before, &subject.now()?)
}

fn protecting_anew(subject: &dyn Subject) -> Result<()> {
    protect(subject)?;
    subject.migrate()?;
    admit(subject)?;
    let before = subject.now()?;
    protect(subject)?;
    restore(subject)?;
    same(&before, &subject.now()?)
}

fn the_copy_is_forgotten(subject: &dyn Subject) -> Result<()> {
    protect(subject)?;
    subject.migrate()?;
    admit(subject)?;
    let after = subject.now()?;
    forgotten(subject, &after)
}

fn the_migrated_is_forgotten(subject: &dyn Subject) -> Result<()> {
    let before = subject.now()?;
    protect(subject)?;
    subject.migrate()?;
    restore(subject)?;
    forgotten(subject, &before)
}

fn forgotten(subject: &dyn Subject, expected: &str) -> Result<()> {
    let driver = subject.driver()?;
    driver.forget(&subject.protected()).map_err(failed)?;
    driver.forget(&subject.protected()).map_err(failed)?;
    let left = subject.left_over()?;
    ensure!(left.is_empty(), "left over: {left}");
    same(expected, &subject.now()?)
}

fn a_copy_in_use(subject: &dyn Subject) -> Result<()> {
    let driver = subject.driver()?;
    let print = driver.fingerprint().map_err(failed)?;
    let directory = subject.scratch()?;
    let to = directory.path().join("snapshot");
    driver.snapshot(&to, &|| true).map_err(failed)?;
    let staged = driver.stage(&to, &|| true).map_err(failed)?;
    same(&print, &staged.fingerprint().map_err(failed)?)?;
    staged.check().map_err(failed)?;
    ensure!(staged.url() != driver.url(), "{}", staged.url());
    let protected = directory.path().join("7/database");
    staged.protect(&protected, &|| true).map_err(failed)?;
    staged.admit(&protected).map_err(failed)?;
    subject.migrate()?;
    same(&print, &staged.fingerprint().map_err(failed)?)?;
    staged.restore(&protected).map_err(failed)?;
    same(&print, &staged.fingerprint().map_err(failed)?)?;
    staged.forget(&protected).map_err(failed)?;
    // The original has only been looked at.
    ensure!(
        print != driver.fingerprint().map_err(failed)?,
        "the original was returned"
    );
    Ok(())
}

fn the_fingerprint_tells(subject: &dyn Subject) -> Result<()> {
    let driver = subject.driver()?;
    let before = driver.fingerprint().map_err(failed)?;
    protect(subject)?;
    admit(subject)?;
    same(&before, &driver.fingerprint().map_err(failed)?)?;
    subject.migrate()?;
    let after = driver.fingerprint().map_err(failed)?;
    ensure!(before != after, "the migration does not show");
    restore(subject)?;
    same(&before, &driver.fingerprint().map_err(failed)?)
}

fn one_rung_is_chosen(subject: &dyn Subject) -> Result<()> {
    let driver = subject.driver()?;
    let before = subject.now()?;
    let rungs = driver.rungs(true);
    let chosen: Vec<_> = rungs.iter().filter(|rung| rung.chosen).collect();
    ensure!(
        chosen.len() == 1 && chosen[0].why_not.is_none(),
        "{rungs:?}"
    );
    // Not every driver tries a dump on a small scale.
    let is_untried = chosen[0].rung == "dump" && driver.describe().starts_with("MariaDB");
    ensure!(chosen[0].protect_ms.is_some() || is_untried, "{rungs:?}");
    for rung in rungs.iter().filter(|rung| rung.protect_ms.is_some()) {
        ensure!(rung.measured.is_some(), "{rung:?}");
    }
    ensure!(!driver.rights().is_empty(), "nothing about rights");
    let left = subject.left_over()?;
    ensure!(left.is_empty(), "left over: {left}");
    same(&before, &subject.now()?)
}

fn what_was_written(subject: &dyn Subject) -> Result<()> {
    let driver = subject.driver()?;
    let mut counters = driver.counters().map_err(failed)?;
    // A server may count late what was written before.
    for _ in 0..10 {
        match driver.written_since(&counters).map_err(failed)? {
            Some(changes) if !changes.is_empty() => {
                counters = driver.counters().map_err(failed)?;
            }
            _ => break,
        }
    }
    if let Some(changes) = driver.written_since(&counters).map_err(failed)? {
        let is_none = |number: Option<u64>| number.is_none_or(|number| number == 0);
        for change in changes {
            ensure!(
                is_none(change.inserted) && is_none(change.updated) && is_none(change.deleted),
                "nobody wrote: {change:?}"
            );
        }
    }
    subject.migrate()?;
    let told = driver.written_since(&counters).map_err(failed)?;
    ensure!(told.is_none_or(|told| !told.is_empty()), "nothing is told");
    let strange = serde_json::json!("from another driver");
    driver.written_since(&strange).map_err(failed)?;
    Ok(())
}

fn an_export(subject: &dyn Subject) -> Result<()> {
    let before = subject.now()?;
    let directory = tempfile::tempdir()?;
    let to = directory.path().join("export");
    let driver = subject.driver()?;
    driver.export(&to, &|| true).map_err(failed)?;
    let files = std::fs::read_dir(&to)?.count();
    ensure!(files > 0, "an empty directory");
    same(&before, &subject.now()?)
}

pub fn protect(subject: &dyn Subject) -> Result<String> {
    let driver = subject.driver()?;
    driver
        .protect(&subject.protected(), &|| true)
        .map_err(failed)
}

/// As at the end of an update that succeeds: whoever was kept out is let in again.
pub fn admit(subject: &dyn Subject) -> Result<()> {
    let driver = subject.driver()?;
    driver.admit(&subject.protected()).map_err(failed)
}

pub fn restore(subject: &dyn Subject) -> Result<()> {
    let driver = subject.driver()?;
    driver.restore(&subject.protected()).map_err(failed)
}

/// Says where two texts differ.
pub fn same(before: &str, after: &str) -> Result<()> {
    if before == after {
        return Ok(());
    }
    let (was, is): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let missing = was.iter().filter(|line| !is.contains(line));
    let added = is.iter().filter(|line| !was.contains(line));
    let lines: Vec<String> = missing
        .map(|line| format!("- {line}"))
        .chain(added.map(|line| format!("+ {line}")))
        .take(40)
        .collect();
    bail!("it differs:\n{}", lines.join("\n"))
}
