//! A database as its SQL says it: schema, settings, rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

/// How often a copy is tried again because a program wrote while it was made.
const TRIES: u32 = 50;

pub(super) async fn entries(path: &Path) -> Result<BTreeMap<String, String>> {
    let scratch = tempfile::tempdir()?;
    let copy = scratch.path().join("copy.db");
    copy_at_rest(path, &copy).await?;
    let mut connection = SqliteConnectOptions::new()
        .filename(&copy)
        .connect()
        .await
        .with_context(|| format!("{} is not a database", path.display()))?;
    let mut entries = BTreeMap::new();
    settings(&mut connection, &mut entries).await?;
    for table in schema(&mut connection, &mut entries).await? {
        rows(&mut connection, &table, &mut entries)
            .await
            .with_context(|| format!("cannot read table {table}"))?;
    }
    connection.close().await?;
    Ok(entries)
}

/// Copies the database and its write-ahead log as they are at one moment. The `-shm` is only an index of the log.
async fn copy_at_rest(from: &Path, to: &Path) -> Result<()> {
    for _ in 0..TRIES {
        let before = stamp(from)?;
        std::fs::copy(from, to).with_context(|| format!("cannot read {}", from.display()))?;
        match std::fs::copy(log_of(from), log_of(to)) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::remove_file(log_of(to)).ok();
            }
            Err(error) => return Err(error.into()),
        }
        if stamp(from)? == before {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("{} is written to all the time", from.display())
}

type Stamp = [Option<(u64, SystemTime)>; 2];

fn stamp(path: &Path) -> Result<Stamp> {
    let mut stamp = [None; 2];
    for (path, stamp) in [path.to_owned(), log_of(path)].iter().zip(&mut stamp) {
        if let Ok(metadata) = std::fs::metadata(path) {
            *stamp = Some((metadata.len(), metadata.modified()?));
        }
    }
    Ok(stamp)
}

fn log_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

async fn settings(
    connection: &mut SqliteConnection,
    entries: &mut BTreeMap<String, String>,
) -> Result<()> {
    for setting in ["application_id", "encoding", "user_version", "journal_mode"] {
        let row = sqlx::query(AssertSqlSafe(format!("PRAGMA {setting}")))
            .fetch_one(&mut *connection)
            .await?;
        let value = match row.try_get::<i64, _>(0) {
            Ok(number) => number.to_string(),
            Err(_) => row.try_get(0)?,
        };
        entries.insert(format!("setting {setting}"), value);
    }
    Ok(())
}

/// Records every object of the schema and returns the names of the tables.
async fn schema(
    connection: &mut SqliteConnection,
    entries: &mut BTreeMap<String, String>,
) -> Result<Vec<String>> {
    let objects: Vec<(String, String, Option<String>)> =
        sqlx::query_as("SELECT type, name, sql FROM sqlite_schema")
            .fetch_all(connection)
            .await?;
    let mut tables = Vec::new();
    for (kind, name, sql) in objects {
        if kind == "table" {
            tables.push(name.clone());
        }
        entries.insert(format!("{kind} {name}"), sql.unwrap_or_default());
    }
    Ok(tables)
}

async fn rows(
    connection: &mut SqliteConnection,
    table: &str,
    entries: &mut BTreeMap<String, String>,
) -> Result<()> {
    let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
        .bind(table)
        .fetch_all(&mut *connection)
        .await?;
    // SQLite's own quote() tells 1 from 1.0 and '1', and shows binary values.
    let values: Vec<_> = columns
        .iter()
        .map(|column| format!("quote({})", identifier(column)))
        .collect();
    let values = values.join(" || ', ' || ");
    let from = identifier(table);
    let with_rowid = format!("SELECT CAST(rowid AS TEXT), {values} FROM {from}");
    let found = match fetch(connection, with_rowid).await {
        Ok(found) => found,
        // A table WITHOUT ROWID, or a view-like virtual one: its whole rows are its keys.
        Err(_) => fetch(connection, format!("SELECT {values}, {values} FROM {from}")).await?,
    };
    for (key, row) in found {
        entries.insert(format!("table {table} row {key:>6}"), row);
    }
    Ok(())
}

async fn fetch(
    connection: &mut SqliteConnection,
    sql: String,
) -> sqlx::Result<Vec<(String, String)>> {
    sqlx::query_as(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
