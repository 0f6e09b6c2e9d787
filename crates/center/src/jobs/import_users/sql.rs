//! Rows of a query on the application's own database, which is only read.

use std::str::FromStr;
use std::time::Duration;

use futures_util::TryStreamExt;
use serde_json::{Map, Value};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Executor, Row};
use url::Url;

use super::{ImportError, row};
use crate::store::imports::ImportRow;

/// Longest time for connecting and for the query.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Runs the query and reads its rows. It is an administrator's own text, over a connection that cannot write; as a subquery, and
/// as one statement, it can be nothing but a SELECT. (`VACUUM INTO` would write any file, also over such a connection.)
pub(super) async fn rows(address: &str, query: &str) -> Result<Vec<ImportRow>, ImportError> {
    let address = parse(address)?;
    let query = query.trim().trim_end_matches(';');
    if query.contains(';') {
        let detail = "one statement is wanted, without a semicolon in it";
        return Err(ImportError::Query(detail.to_owned()));
    }
    let read = async {
        match address.scheme() {
            "sqlite" => from_sqlite(&address, query).await,
            "postgres" | "postgresql" => from_postgres(&address, query).await,
            scheme => Err(ImportError::Address(scheme.to_owned())),
        }
    };
    tokio::time::timeout(TIMEOUT, read).await.map_err(|_| {
        ImportError::Query(format!("no answer within {} seconds", TIMEOUT.as_secs()))
    })?
}

/// Nothing of the address gets into the error: there may be a password in it.
fn parse(address: &str) -> Result<Url, ImportError> {
    address
        .trim()
        .parse()
        .map_err(|error: url::ParseError| ImportError::Address(error.to_string()))
}

async fn from_sqlite(address: &Url, query: &str) -> Result<Vec<ImportRow>, ImportError> {
    let options = SqliteConnectOptions::from_str(address.as_str())
        .map_err(refused)?
        .read_only(true)
        .create_if_missing(false)
        .disable_statement_logging();
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .map_err(refused)?;
    let mut rows = Vec::new();
    {
        // The line break ends a comment at the end of the text.
        let query = format!("SELECT * FROM ({query}\n) AS people");
        let mut found = sqlx::query(AssertSqlSafe(query)).fetch(&mut connection);
        while let Some(found) = found.try_next().await.map_err(refused)? {
            let number = rows.len() as u64 + 1;
            rows.push(import_row(number, |name| sqlite_cell(&found, name))?);
        }
    }
    let _ = connection.close().await;
    Ok(rows)
}

/// SQLite makes text of whatever is in the column.
fn sqlite_cell(found: &SqliteRow, name: &str) -> Result<Cell, ImportError> {
    let column = found
        .columns()
        .iter()
        .find(|column| column.name().eq_ignore_ascii_case(name));
    column
        .map(|column| found.try_get_unchecked(column.ordinal()).map_err(refused))
        .transpose()
}

/// PostgreSQL makes JSON of whatever types the columns have.
async fn from_postgres(address: &Url, query: &str) -> Result<Vec<ImportRow>, ImportError> {
    let options = PgConnectOptions::from_url(address)
        .map_err(refused)?
        .disable_statement_logging();
    let mut connection = PgConnection::connect_with(&options)
        .await
        .map_err(refused)?;
    connection
        .execute("BEGIN READ ONLY")
        .await
        .map_err(refused)?;
    let query = format!("SELECT row_to_json(people)::text FROM ({query}\n) AS people");
    let mut rows = Vec::new();
    {
        let mut found =
            sqlx::query_scalar::<_, String>(AssertSqlSafe(query)).fetch(&mut connection);
        while let Some(found) = found.try_next().await.map_err(refused)? {
            let found: Map<String, Value> = serde_json::from_str(&found)
                .map_err(|error| ImportError::Query(error.to_string()))?;
            let number = rows.len() as u64 + 1;
            rows.push(import_row(number, |name| Ok(found.get(name).map(text)))?);
        }
    }
    let _ = connection.close().await;
    Ok(rows)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A column's text; `None` without such a column, `Some(None)` for NULL.
type Cell = Option<Option<String>>;

fn import_row(
    number: u64,
    cell: impl Fn(&str) -> Result<Cell, ImportError>,
) -> Result<ImportRow, ImportError> {
    let (Some(name), Some(email)) = (cell("name")?, cell("email")?) else {
        return Err(ImportError::Column);
    };
    Ok(row(
        number,
        name.unwrap_or_default(),
        email.unwrap_or_default(),
        cell("language")?.flatten(),
        cell("groups")?.map(Option::unwrap_or_default),
    ))
}

fn refused(error: sqlx::Error) -> ImportError {
    ImportError::Query(error.to_string())
}
