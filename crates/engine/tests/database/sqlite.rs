//! A SQLite file.

use std::path::PathBuf;

use anyhow::Result;
use obnova_engine::database::Database;
use obnova_testkit::fingerprint::Fingerprint;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};
use tokio::runtime::{Builder, Runtime};

use crate::contract::Subject;

/// See the module.
pub struct Sqlite {
    directory: tempfile::TempDir,
    runtime: Runtime,
}

impl Sqlite {
    /// Makes one with something in it.
    pub fn new() -> Result<Sqlite> {
        let sqlite = Sqlite {
            directory: tempfile::tempdir()?,
            runtime: Builder::new_current_thread().enable_all().build()?,
        };
        sqlite.run("PRAGMA journal_mode = wal; CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO person (name) VALUES ('Žofie'), ('Ada')")?;
        Ok(sqlite)
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("app.db")
    }

    fn run(&self, sql: &'static str) -> Result<()> {
        let options = SqliteConnectOptions::new()
            .filename(self.file())
            .create_if_missing(true);
        self.runtime.block_on(async {
            let mut connection = SqliteConnection::connect_with(&options).await?;
            connection.execute(sqlx::raw_sql(sql)).await?;
            connection.close().await
        })?;
        Ok(())
    }
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

    fn protected(&self) -> PathBuf {
        self.directory.path().join("protected/7/database")
    }

    /// Copies lie in the protected directory only.
    fn left_over(&self) -> Result<String> {
        Ok(String::new())
    }
}
