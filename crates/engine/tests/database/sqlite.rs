//! A SQLite file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use obnova_engine::database::Database;
use obnova_testkit::fingerprint::Fingerprint;
use obnova_testkit::volume::{Kind, Volume};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
use tokio::runtime::{Builder, Runtime};

use crate::contract::{Subject, protect, restore, same};
use crate::{Case, failed};

/// See the module.
pub struct Sqlite {
    directory: tempfile::TempDir,
    runtime: Runtime,
    _volume: Option<Volume>,
}

impl Sqlite {
    /// Makes one with something in it.
    pub fn new() -> Result<Sqlite> {
        Sqlite::on(tempfile::tempdir()?, None)
    }

    /// Makes one where files can be cloned.
    pub fn on_xfs() -> Result<Sqlite> {
        let volume = Volume::new(Kind::Xfs, 512 << 20)?;
        Sqlite::on(tempfile::tempdir_in(volume.path())?, Some(volume))
    }

    fn on(directory: tempfile::TempDir, volume: Option<Volume>) -> Result<Sqlite> {
        let sqlite = Sqlite {
            directory,
            runtime: Builder::new_current_thread().enable_all().build()?,
            _volume: volume,
        };
        sqlite.run("PRAGMA journal_mode = wal; CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO person (name) VALUES ('Žofie'), ('Ada')")?;
        Ok(sqlite)
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("app.db")
    }

    fn run(&self, sql: &'static str) -> Result<()> {
        let mut connection = self.connect()?;
        self.runtime.block_on(async {
            connection.execute(sqlx::raw_sql(sql)).await?;
            connection.close().await
        })?;
        Ok(())
    }

    fn connect(&self) -> Result<SqliteConnection> {
        let options = SqliteConnectOptions::new()
            .filename(self.file())
            .create_if_missing(true);
        Ok(self
            .runtime
            .block_on(SqliteConnection::connect_with(&options))?)
    }
}

/// What only SQLite must do.
pub fn cases() -> Vec<Case> {
    type Check = fn() -> Result<()>;
    const CASES: &[(&str, Check)] = &[
        ("the answer says that it was cloned", the_means_are_told),
        ("a copy made while others write is whole", copied_in_use),
        (
            "a copy of one without a log is whole too",
            copied_in_use_without_log,
        ),
        ("every type and odd value counts", every_value_counts),
        ("what was written since is told", written_since),
        ("copying leaves the log of a dead program", a_dead_log_stays),
    ];
    CASES
        .iter()
        .map(|(name, check)| -> Case {
            (format!("sqlite: {name}"), Box::new(move |_: &_| check()))
        })
        .collect()
}

fn the_means_are_told() -> Result<()> {
    for (subject, word) in [(Sqlite::on_xfs()?, "cloned"), (ext4()?, "copied")] {
        let plan = subject.driver()?.plan();
        ensure!(plan.contains(word), "{plan}");
        let answer = protect(&subject)?;
        ensure!(answer.contains(word), "{answer}");
        let rungs = subject.driver()?.rungs(true);
        let chosen: Vec<_> = rungs.iter().filter(|rung| rung.chosen).collect();
        ensure!(
            chosen.len() == 1 && (chosen[0].rung == "reflink") == (word == "cloned"),
            "{rungs:?}"
        );
    }
    Ok(())
}

/// One where files cannot be cloned: a directory in memory, wherever temporary ones lie.
fn ext4() -> Result<Sqlite> {
    Sqlite::on(tempfile::tempdir_in("/dev/shm")?, None)
}

fn copied_in_use() -> Result<()> {
    for subject in [Sqlite::on_xfs()?, Sqlite::new()?] {
        in_use(&subject, "PRAGMA journal_mode = wal")?;
    }
    Ok(())
}

fn copied_in_use_without_log() -> Result<()> {
    for subject in [Sqlite::on_xfs()?, Sqlite::new()?] {
        in_use(&subject, "PRAGMA journal_mode = delete")?;
    }
    Ok(())
}

/// Copies a database into which another connection writes pairs that only a whole transaction leaves equal.
fn in_use(subject: &Sqlite, mode: &'static str) -> Result<()> {
    subject.run(mode)?;
    subject.run("CREATE TABLE pair (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, fill BLOB); INSERT INTO pair (a, b, fill) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT 0, 0, randomblob(4000) FROM n")?;
    let stop = AtomicBool::new(false);
    let mut writer = subject.connect()?;
    std::thread::scope(|scope| -> Result<()> {
        let writing = scope.spawn(|| -> Result<u32> {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                // Both ends of the file, so that a torn copy shows.
                let sql = format!("BEGIN IMMEDIATE; UPDATE pair SET a = {written}, fill = randomblob(4000) WHERE id % 500 = 1; UPDATE pair SET b = {written}, fill = randomblob(4000) WHERE id % 500 = 1; COMMIT");
                runtime.block_on(writer.execute(sqlx::raw_sql(AssertSqlSafe(sql))))?;
                written += 1;
                std::thread::sleep(Duration::from_millis(2));
            }
            Ok(written)
        });
        let copied = (1..=5).try_for_each(|number| copy_and_look(subject, number));
        stop.store(true, Ordering::Relaxed);
        let written = writing
            .join()
            .map_err(|_| anyhow::anyhow!("the writer"))??;
        ensure!(written > 0, "nobody wrote");
        copied
    })
}

fn copy_and_look(subject: &Sqlite, number: u32) -> Result<()> {
    let to = subject.directory.path().join(format!("snapshot-{number}"));
    let driver = subject.driver()?;
    driver.snapshot(&to, &|| true).map_err(failed)?;
    let staged = driver.stage(&to, &|| true).map_err(failed)?;
    let print = staged.fingerprint().map_err(failed)?;
    let again = staged.fingerprint().map_err(failed)?;
    same(&print, &again)?;
    let file = to.join("database");
    let options = SqliteConnectOptions::new().filename(&file);
    subject.runtime.block_on(async {
        let mut copy = SqliteConnection::connect_with(&options).await?;
        let torn: i64 = sqlx::query_scalar("SELECT count(*) FROM pair WHERE a <> b")
            .fetch_one(&mut copy)
            .await?;
        let whole: String = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_one(&mut copy)
            .await?;
        copy.close().await?;
        ensure!(torn == 0 && whole == "ok", "{torn} torn pairs; {whole}");
        Ok(())
    })
}

fn every_value_counts() -> Result<()> {
    let subject = Sqlite::new()?;
    subject.run("CREATE TABLE v (x); CREATE TABLE k (a TEXT, b INT, x, PRIMARY KEY (b, a)) WITHOUT ROWID; CREATE TABLE r (rowid TEXT, _rowid_ TEXT, oid TEXT); INSERT INTO r VALUES ('a', 'b', 'c'); CREATE VIEW w AS SELECT 1; CREATE TABLE g (a INT, b INT GENERATED ALWAYS AS (a + 1))")?;
    let mut prints = std::collections::BTreeMap::new();
    for change in [
        "SELECT 1",
        "INSERT INTO v VALUES (1)",
        "UPDATE v SET x = 1.0",
        "UPDATE v SET x = '1'",
        "UPDATE v SET x = x'31'",
        "UPDATE v SET x = NULL",
        "UPDATE v SET x = 9223372036854775807",
        "UPDATE v SET x = 9223372036854775807.0",
        "UPDATE v SET x = 'a' || char(0) || 'b'",
        "UPDATE v SET x = 'a' || char(0) || 'c'",
        "UPDATE v SET rowid = 7",
        "INSERT INTO k VALUES ('a', 1, NULL)",
        "INSERT INTO g (a) VALUES (1)",
        "PRAGMA user_version = 4",
        "PRAGMA application_id = 5",
        "CREATE INDEX i ON v (x)",
    ] {
        subject.run(change)?;
        let print = subject.driver()?.fingerprint().map_err(failed)?;
        if let Some(other) = prints.insert(print, change) {
            anyhow::bail!("`{other}` and `{change}` are the same");
        }
    }
    // Only where things lie has changed.
    let before = subject.driver()?.fingerprint().map_err(failed)?;
    subject.run("VACUUM")?;
    same(&before, &subject.driver()?.fingerprint().map_err(failed)?)
}

fn written_since() -> Result<()> {
    let subject = Sqlite::new()?;
    subject.run("CREATE TABLE pick (a TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO pick VALUES ('a'), ('b')")?;
    let driver = subject.driver()?;
    let counters = driver.counters().map_err(failed)?;
    subject.run("DELETE FROM person WHERE name = 'Ada'; INSERT INTO person (id, name) VALUES (10, 'Eva'), (11, 'Jan'), (12, 'Iva'); DELETE FROM pick; CREATE TABLE extra (id INTEGER PRIMARY KEY); INSERT INTO extra DEFAULT VALUES")?;
    let changes = driver.written_since(&counters).map_err(failed)?;
    let changes = changes.context("nothing is told")?;
    let told: Vec<_> = changes
        .iter()
        .map(|it| (it.table.as_str(), it.inserted, it.updated, it.deleted))
        .collect();
    ensure!(
        told == [
            ("extra", Some(1), None, Some(0)),
            ("person", Some(3), None, Some(1)),
            ("pick", None, None, Some(2)),
        ],
        "{told:?}"
    );
    Ok(())
}

/// As after a crash of the application: its log is data, and is not for a rehearsal to put into the file.
fn a_dead_log_stays() -> Result<()> {
    let subject = Sqlite::new()?;
    let log = subject.directory.path().join("app.db-wal");
    let kept = subject.directory.path().join("kept");
    std::fs::create_dir(&kept)?;
    let mut open = subject.connect()?;
    let add = sqlx::raw_sql("INSERT INTO person (name) VALUES ('Iva')");
    subject.runtime.block_on(open.execute(add))?;
    for name in ["app.db", "app.db-wal"] {
        std::fs::copy(subject.directory.path().join(name), kept.join(name))?;
    }
    subject.runtime.block_on(open.close())?;
    for name in ["app.db", "app.db-wal"] {
        std::fs::copy(kept.join(name), subject.directory.path().join(name))?;
    }
    let bytes = (std::fs::read(subject.file())?, std::fs::read(&log)?);
    let driver = subject.driver()?;
    driver.fingerprint().map_err(failed)?;
    let to = subject.directory.path().join("snapshot");
    driver.snapshot(&to, &|| true).map_err(failed)?;
    ensure!(
        bytes == (std::fs::read(subject.file())?, std::fs::read(&log)?),
        "the files were changed"
    );
    let staged = driver.stage(&to, &|| true).map_err(failed)?;
    let print = staged.fingerprint().map_err(failed)?;
    same(&print, &driver.fingerprint().map_err(failed)?)?;
    restore(&subject)
}

impl Subject for Sqlite {
    fn driver(&self) -> Result<Box<dyn Database>> {
        crate::driver(
            self.directory.path(),
            "driver = \"sqlite\"\npath = \"app.db\"",
        )
    }

    fn migrate(&self) -> Result<()> {
        self.run("ALTER TABLE person ADD COLUMN email TEXT; UPDATE person SET name = upper(name); CREATE TABLE deal (id INTEGER PRIMARY KEY)")
    }

    fn now(&self) -> Result<String> {
        let print = self.runtime.block_on(Fingerprint::of_sqlite(self.file()))?;
        let entries = print
            .entries()
            .map(|(name, value)| format!("{name} {value}"));
        Ok(entries.collect::<Vec<_>>().join("\n"))
    }

    fn state_dir(&self) -> &Path {
        self.directory.path()
    }

    /// Copies lie in the protected directory only.
    fn left_over(&self) -> Result<String> {
        Ok(String::new())
    }
}
