//! Rows of a query on the application's own database, which is only read.

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::any::{AnyConnectOptions, AnyRow};
use sqlx::{AnyConnection, AssertSqlSafe, Column, ConnectOptions, Connection, Executor, Row};
use url::Url;

use super::{ImportError, row};
use crate::store::imports::ImportRow;

/// Longest time for connecting and for the query.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Which database it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// Runs the query and reads its rows.
pub(super) async fn rows(address: &str, query: &str) -> Result<Vec<ImportRow>, ImportError> {
    sqlx::any::install_default_drivers();
    let (kind, address) = parse(address)?;
    tokio::time::timeout(TIMEOUT, read(kind, &address, query))
        .await
        .map_err(|_| {
            ImportError::Query(format!("no answer within {} seconds", TIMEOUT.as_secs()))
        })?
}

/// The kind of database, and its address as a read-only one. Nothing of the address gets into the error: there may be a
/// password in it.
fn parse(address: &str) -> Result<(Kind, Url), ImportError> {
    let mut address: Url = address
        .trim()
        .parse()
        .map_err(|error: url::ParseError| ImportError::Address(error.to_string()))?;
    match address.scheme() {
        "sqlite" => {
            address.query_pairs_mut().clear().append_pair("mode", "ro");
            Ok((Kind::Sqlite, address))
        }
        "postgres" | "postgresql" => Ok((Kind::Postgres, address)),
        scheme => Err(ImportError::Address(scheme.to_owned())),
    }
}

async fn read(kind: Kind, address: &Url, query: &str) -> Result<Vec<ImportRow>, ImportError> {
    let options = AnyConnectOptions::from_url(address).map_err(refused)?;
    // The query's text and results are people's data: not for logs.
    let options = options.disable_statement_logging();
    let mut connection = AnyConnection::connect_with(&options)
        .await
        .map_err(refused)?;
    let read_only = match kind {
        Kind::Sqlite => "PRAGMA query_only = on",
        Kind::Postgres => "BEGIN READ ONLY",
    };
    connection.execute(read_only).await.map_err(refused)?;
    let mut rows = Vec::new();
    {
        // The query is an administrator's own text, meant to be run as it is, as one statement, by a connection that cannot write.
        let mut stream = sqlx::query(AssertSqlSafe(query.to_owned())).fetch(&mut connection);
        while let Some(found) = stream.try_next().await.map_err(refused)? {
            let line = rows.len() as u64 + 1;
            rows.push(import_row(line, &found)?);
        }
    }
    let _ = connection.close().await;
    Ok(rows)
}

fn import_row(line: u64, found: &AnyRow) -> Result<ImportRow, ImportError> {
    let (Some(name), Some(email)) = (cell(found, "name")?, cell(found, "email")?) else {
        return Err(ImportError::Column);
    };
    Ok(row(
        line,
        name.unwrap_or_default(),
        email.unwrap_or_default(),
        cell(found, "language")?.flatten(),
        cell(found, "groups")?.map(Option::unwrap_or_default),
    ))
}

/// A column's text; `None` without such a column, `Some(None)` for NULL.
fn cell(found: &AnyRow, name: &str) -> Result<Option<Option<String>>, ImportError> {
    let column = found
        .columns()
        .iter()
        .find(|column| column.name().eq_ignore_ascii_case(name));
    match column {
        None => Ok(None),
        Some(column) => found.try_get(column.ordinal()).map(Some).map_err(refused),
    }
}

fn refused(error: sqlx::Error) -> ImportError {
    ImportError::Query(error.to_string())
}
