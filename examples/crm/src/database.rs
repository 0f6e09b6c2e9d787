//! The database: readers, writers, and rows as JSON.

use anyhow::{Context, Result};
use serde_json::{Map, Value};
use sqlx::any::{Any, AnyArguments, AnyPoolOptions, AnyRow, AnyTypeInfoKind};
use sqlx::query::Query;
use sqlx::{AnyPool, AssertSqlSafe, Column, Executor, Row, Transaction, ValueRef};

use crate::dialect::Dialect;

/// Connections that only read.
const READERS: u32 = 4;

/// A row, or a part of one, by column name.
pub type Record = Map<String, Value>;

/// An open database.
#[derive(Clone)]
pub struct Database {
    /// Which one it is.
    pub dialect: Dialect,
    /// For statements that only read.
    pub read: AnyPool,
    /// As many connections as may write at once; further writers queue here instead of failing on each other's locks.
    pub write: AnyPool,
}

impl Database {
    /// Opens the database at `url`; `create` makes an empty SQLite file where there is none.
    pub async fn open(url: &str, create: bool) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let dialect = Dialect::of(url)?;
        let options = dialect.options(url, create)?;
        let pool = |connections| {
            AnyPoolOptions::new()
                .max_connections(connections)
                .after_connect(move |connection, _| {
                    let greeting = sqlx::raw_sql(dialect.greeting());
                    Box::pin(async move { connection.execute(greeting).await.map(drop) })
                })
        };
        let write = pool(dialect.writers())
            .connect_with(options.clone())
            .await
            .with_context(|| format!("the database {url} cannot be opened"))?;
        let read = pool(READERS).connect_lazy_with(options);
        Ok(Self {
            dialect,
            read,
            write,
        })
    }

    /// Closes all connections, the writer last, so that SQLite's write-ahead log is folded into the database file.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    /// Begins a transaction that is the only one to write into this table.
    pub async fn begin_alone(&self, table: &str) -> sqlx::Result<Transaction<'static, Any>> {
        let mut transaction = self.write.begin().await?;
        if let Some(lock) = self.dialect.alone_in(table) {
            sqlx::query(AssertSqlSafe(lock))
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction)
    }

    /// Whether there is a table of this name.
    pub async fn has_table(&self, table: &str) -> Result<bool> {
        let count: i64 = sqlx::query_scalar(self.dialect.count_tables())
            .bind(table)
            .fetch_one(&self.write)
            .await?;
        Ok(count > 0)
    }
}

/// The values of a statement's `$1`, `$2` and so on.
#[derive(Default)]
pub struct Parameters(pub Vec<Value>);

impl Parameters {
    /// Takes a value; returns what stands for it in the SQL. `NULL` stands for itself: as a parameter it would need a type.
    pub fn place(&mut self, value: Value) -> String {
        if value.is_null() {
            return "NULL".to_owned();
        }
        self.0.push(value);
        format!("${}", self.0.len())
    }
}

/// A statement with its parameters, in order.
pub fn statement<'q>(sql: String, values: &[Value]) -> Query<'q, Any, AnyArguments> {
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
pub async fn rows(pool: &AnyPool, sql: String, values: &[Value]) -> Result<Vec<Record>> {
    let rows = statement(sql, values).fetch_all(pool).await?;
    rows.iter().map(record).collect()
}

/// A row as a JSON object.
pub fn record(row: &AnyRow) -> Result<Record> {
    let mut record = Record::new();
    for (index, column) in row.columns().iter().enumerate() {
        record.insert(column.name().to_owned(), cell(row, index)?);
    }
    Ok(record)
}

fn cell(row: &AnyRow, index: usize) -> Result<Value> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().kind();
    Ok(match kind {
        AnyTypeInfoKind::SmallInt | AnyTypeInfoKind::Integer | AnyTypeInfoKind::BigInt => {
            Value::from(row.try_get::<i64, _>(index)?)
        }
        AnyTypeInfoKind::Real | AnyTypeInfoKind::Double => {
            Value::from(row.try_get::<f64, _>(index)?)
        }
        _ => Value::from(row.try_get::<String, _>(index)?),
    })
}
