//! The canonical logical dump: two databases with the same content give the same text, however their files differ.

use std::io::Write;

use anyhow::Result;
use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Row};

use crate::database::{Database, record};

/// Writes the schema and every row of the database at `url`.
pub async fn dump(url: &str, out: &mut impl Write) -> Result<()> {
    let database = Database::open(url, false).await?;
    let result = write_all(&database, out).await;
    database.close().await;
    result
}

async fn write_all(database: &Database, out: &mut impl Write) -> Result<()> {
    // One transaction, so that all tables are of the same moment.
    let begin = database.dialect.begin_snapshot();
    let mut transaction = database.write.begin_with(begin).await?;
    let schema = sqlx::query(database.dialect.schema())
        .fetch_all(&mut *transaction)
        .await?;
    let mut tables = Vec::new();
    for row in &schema {
        let (kind, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let sql: String = row.try_get(2)?;
        writeln!(out, "-- {kind} {name}\n{sql};")?;
        if kind == "table" {
            tables.push(name);
        }
    }
    for table in tables {
        writeln!(out, "-- rows of {table}")?;
        // The first column of every table here is its key.
        let sql = format!("SELECT * FROM \"{table}\" ORDER BY 1");
        let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *transaction);
        while let Some(row) = rows.try_next().await? {
            writeln!(out, "{table} {}", serde_json::to_string(&record(&row)?)?)?;
        }
    }
    out.flush()?;
    Ok(())
}
