//! The database: a pool of readers and one writer, and rows as JSON.
//!
//! All SQL in this program and in the release trees keeps to what SQLite and PostgreSQL both understand (`$1` parameters,
//! `RETURNING`, ISO dates as text); what differs is here.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};
use sqlx::query::Query;
use sqlx::sqlite::{
    Sqlite, SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Column, Row, TypeInfo, ValueRef};

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that only read.
const READERS: u32 = 4;

/// A row, or a part of one, by column name.
pub type Record = Map<String, Value>;

/// An open database.
#[derive(Clone)]
pub struct Database {
    /// For statements that only read.
    pub read: SqlitePool,
    /// One connection: writers queue here instead of failing on each other's locks.
    pub write: SqlitePool,
}

impl Database {
    /// Opens the database at `url`; `create` makes an empty one where there is none.
    pub async fn open(url: &str, create: bool) -> Result<Self> {
        if !url.starts_with("sqlite:") {
            bail!("only sqlite: databases are supported, not {}", scheme(url));
        }
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            // An acknowledged write must survive a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        if create && let Some(parent) = options.get_filename().parent() {
            create_directory(parent)?;
        }
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .with_context(|| format!("the database {} cannot be opened", shown(&options)))?;
        let read = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_lazy_with(options);
        Ok(Self { read, write })
    }

    /// Closes all connections, the writer last, so that the write-ahead log is folded into the database file.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    /// Whether there is a table of this name.
    pub async fn has_table(&self, table: &str) -> Result<bool> {
        let sql = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1";
        let count: i64 = sqlx::query_scalar(sql)
            .bind(table)
            .fetch_one(&self.write)
            .await?;
        Ok(count > 0)
    }
}

/// Puts in what the dialects spell differently: `${id}` is the type of a table's own key.
pub fn localise(sql: &str) -> String {
    sql.replace("${id}", "INTEGER PRIMARY KEY")
}

/// A statement with its parameters, in order.
pub fn statement<'q>(sql: String, values: &[Value]) -> Query<'q, Sqlite, SqliteArguments> {
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for value in values {
        query = match value {
            Value::Null => query.bind(None::<String>),
            Value::Bool(value) => query.bind(i64::from(*value)),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => query.bind(integer),
                None => query.bind(number.as_f64()),
            },
            Value::String(text) => query.bind(text.clone()),
            other => query.bind(other.to_string()),
        };
    }
    query
}

/// All rows of a statement that reads.
pub async fn rows(pool: &SqlitePool, sql: String, values: &[Value]) -> Result<Vec<Record>> {
    let rows = statement(sql, values).fetch_all(pool).await?;
    rows.iter().map(record).collect()
}

/// A row as a JSON object.
pub fn record(row: &SqliteRow) -> Result<Record> {
    let mut record = Record::new();
    for (index, column) in row.columns().iter().enumerate() {
        record.insert(column.name().to_owned(), cell(row, index)?);
    }
    Ok(record)
}

fn cell(row: &SqliteRow, index: usize) -> Result<Value> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "INTEGER" | "INT4" | "BIGINT" | "BOOLEAN" => {
            Value::from(row.try_get_unchecked::<i64, _>(index)?)
        }
        "REAL" => Value::from(row.try_get_unchecked::<f64, _>(index)?),
        _ => Value::from(row.try_get_unchecked::<String, _>(index)?),
    })
}

fn create_directory(path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    std::fs::create_dir_all(path)
        .with_context(|| format!("the directory {} cannot be created", path.display()))
}

fn scheme(url: &str) -> &str {
    url.split(':').next().unwrap_or_default()
}

fn shown(options: &SqliteConnectOptions) -> String {
    options.get_filename().display().to_string()
}
