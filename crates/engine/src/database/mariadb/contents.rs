//! What is in the database: a fingerprint of all of it, and how much was written to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::address::Address;
use super::dump;
use super::failure::Failure;
use super::server::{Server, identifier, literal};
use super::tools;
use crate::api::TableChange;

/// Bytes of a database from which on rows are not counted when requests are about to be let through: that reads all of it, and
/// everybody waits.
const TOO_MANY: u64 = 64 << 20;

/// A table at one time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Count {
    /// None where they were too many to be counted.
    rows: Option<u64>,
    /// The highest value of the column that numbers its rows, if one does.
    highest: Option<u64>,
}

type Counts = BTreeMap<String, Count>;

/// The SHA-256 of a dump without what is different in every dump.
pub(super) fn fingerprint(address: &Address) -> Result<String, Failure> {
    let mut server = Server::connect(&address.options()?)?;
    let database = address.database()?;
    let mut hash = Sha256::new();
    hash.update(dump::creation(&mut server, &database)?);
    let mut options = dump::options(&mut server, &database)?;
    options.extend(["--skip-comments", "--order-by-primary"]);
    tools::dump(address, &options, false, &|| true, &mut |piece| {
        hash.update(piece);
        Ok(())
    })?;
    Ok(hex::encode(hash.finalize()))
}

/// The tables now. Takes a moment however many rows there are.
pub(super) fn counters(address: &Address) -> Result<serde_json::Value, Failure> {
    let mut server = Server::connect(&address.options()?)?;
    let database = address.database()?;
    let size = server.number(&format!(
        "SELECT sum(data_length + index_length) FROM information_schema.tables WHERE table_schema = {}",
        literal(&database)
    ))?;
    let is_small = size < TOO_MANY;
    let mut counts = Counts::new();
    for (table, number) in tables(&mut server, &database)? {
        let count = count(&mut server, &database, &table, number.as_deref(), is_small)?;
        counts.insert(table, count);
    }
    serde_json::to_value(counts).map_err(|error| Failure::Unsuitable(error.to_string()))
}

/// What can be told of what happened to each table since it was counted. The server keeps no record that could be read
/// without special rights, so rows that were changed cannot be told.
pub(super) fn written_since(
    address: &Address,
    counters: &serde_json::Value,
) -> Result<Option<Vec<TableChange>>, Failure> {
    let Ok(before) = serde_json::from_value::<Counts>(counters.clone()) else {
        return Ok(None);
    };
    let mut server = Server::connect(&address.options()?)?;
    let database = address.database()?;
    let mut changes = Vec::new();
    for (table, number) in tables(&mut server, &database)? {
        let is = count(&mut server, &database, &table, number.as_deref(), true)?;
        let is = is.rows.unwrap_or(0);
        let was = before.get(&table).copied().unwrap_or(Count {
            rows: Some(0),
            highest: None,
        });
        let new = match (&number, was.highest) {
            (Some(number), Some(highest)) => Some(server.number(&format!(
                "SELECT count(*) FROM {}.{} WHERE {} > {highest}",
                identifier(&database),
                identifier(&table),
                identifier(number)
            ))?),
            (Some(_), None) => Some(is),
            (None, _) => None,
        };
        let grown = was.rows.map(|rows| is.saturating_sub(rows));
        let shrunk = was.rows.map(|rows| rows.saturating_sub(is));
        let inserted = new.map(|new| new.max(grown.unwrap_or(0)));
        changes.push(TableChange {
            table,
            inserted: inserted.or(grown.filter(|grown| *grown > 0)),
            updated: None,
            deleted: match (inserted, shrunk, grown) {
                (Some(inserted), Some(shrunk), Some(grown)) => Some(inserted + shrunk - grown),
                (Some(_), ..) => None,
                (None, ..) => shrunk.filter(|shrunk| *shrunk > 0),
            },
        });
    }
    Ok(Some(changes))
}

/// The tables and the column that numbers the rows of each.
fn tables(server: &mut Server, database: &str) -> Result<Vec<(String, Option<String>)>, Failure> {
    let rows = server.rows(&format!(
        "SELECT t.table_name, c.column_name FROM information_schema.tables t LEFT JOIN information_schema.columns c \
         ON c.table_schema = t.table_schema AND c.table_name = t.table_name AND c.extra LIKE '%auto_increment%' \
         WHERE t.table_schema = {} AND t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY t.table_name",
        literal(database)
    ))?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let mut row = row.into_iter();
            Some((row.next()??, row.next()?))
        })
        .collect())
}

/// With `all`, every row is counted; otherwise only those are known of a table that has none.
fn count(
    server: &mut Server,
    database: &str,
    table: &str,
    number: Option<&str>,
    all: bool,
) -> Result<Count, Failure> {
    let place = format!("{}.{}", identifier(database), identifier(table));
    let highest = match number {
        Some(number) => server.text(&format!("SELECT max({}) FROM {place}", identifier(number)))?,
        None => None,
    };
    // What is null comes as an empty text.
    let is_empty = highest.as_ref().is_some_and(String::is_empty);
    let rows = match is_empty {
        true => Some(0),
        false if all => Some(server.number(&format!("SELECT count(*) FROM {place}"))?),
        false => None,
    };
    Ok(Count {
        rows,
        highest: highest.and_then(|highest| highest.parse().ok()),
    })
}
