//! What is in a SQLite file: a fingerprint of all of it, and how much was written to it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::sqlite::{SqliteRow, SqliteValueRef};
use sqlx::{Decode, Row, Sqlite, TypeInfo, ValueRef};

use super::session::{Key, Session, Table, identifier};
use crate::api::TableChange;

/// What belongs to the contents beside the tables.
const SETTINGS: [&str; 3] = ["user_version", "application_id", "auto_vacuum"];

/// Bytes of a database from which on rows are not counted when requests are about to be let through: that reads all of it, and
/// everybody waits.
const TOO_MANY: u64 = 64 << 20;

/// A table at one time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Count {
    /// None where they were too many to be counted.
    rows: Option<i64>,
    /// The highest row number, where rows have numbers.
    highest: Option<i64>,
}

type Counts = BTreeMap<String, Count>;

/// The SHA-256 of everything that can be asked for: settings, schema, and every row of every table with its number and its
/// types. Where on which page it lies does not count.
pub(super) fn fingerprint(file: &Path) -> Result<String, sqlx::Error> {
    let mut session = Session::read(file)?;
    let mut hash = Sha256::new();
    for setting in SETTINGS {
        let value = session.number(&format!("PRAGMA {setting}"))?;
        hash.update(value.unwrap_or(0).to_le_bytes());
    }
    let schema = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name";
    session.each(schema, &mut |row| add(&mut hash, row))?;
    for table in session.tables()? {
        hash.update(table.name.as_bytes());
        hash.update([0]);
        session.each(&all_rows(&table), &mut |row| add(&mut hash, row))?;
    }
    session.end()?;
    Ok(hex::encode(hash.finalize()))
}

fn all_rows(table: &Table) -> String {
    let columns = list(&table.columns);
    let name = identifier(&table.name);
    match &table.key {
        Key::Number(number) => {
            format!("SELECT {number}, {columns} FROM {name} ORDER BY {number}")
        }
        Key::Columns(keys) => format!("SELECT {columns} FROM {name} ORDER BY {}", list(keys)),
    }
}

fn list(columns: &[String]) -> String {
    let names: Vec<String> = columns.iter().map(|name| identifier(name)).collect();
    names.join(", ")
}

fn add(hash: &mut Sha256, row: &SqliteRow) -> Result<(), sqlx::Error> {
    for index in 0..row.len() {
        add_value(hash, row.try_get_raw(index)?).map_err(sqlx::Error::Decode)?;
    }
    hash.update(b"\n");
    Ok(())
}

/// Each with its kind and length, so that no two different rows are the same bytes.
fn add_value(hash: &mut Sha256, value: SqliteValueRef<'_>) -> Result<(), sqlx::error::BoxDynError> {
    if value.is_null() {
        hash.update(b"-");
        return Ok(());
    }
    let kind = value.type_info().name().to_owned();
    let bytes = match kind.as_str() {
        "INTEGER" => <i64 as Decode<Sqlite>>::decode(value)?
            .to_le_bytes()
            .to_vec(),
        "REAL" => <f64 as Decode<Sqlite>>::decode(value)?
            .to_bits()
            .to_le_bytes()
            .to_vec(),
        _ => <Vec<u8> as Decode<Sqlite>>::decode(value)?,
    };
    hash.update(&kind.as_bytes()[..1]);
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
    Ok(())
}

/// The tables now. Takes a moment however many rows there are.
pub(super) fn counters(file: &Path) -> Result<serde_json::Value, sqlx::Error> {
    let is_small = std::fs::metadata(file)?.len() < TOO_MANY;
    let mut session = Session::read(file)?;
    let mut counts = Counts::new();
    for table in user_tables(&mut session)? {
        counts.insert(table.name.clone(), count(&mut session, &table, is_small)?);
    }
    session.end()?;
    serde_json::to_value(counts).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// What can be told of what happened to each table since it was counted: SQLite keeps no record of its own, so rows that
/// were changed cannot be told at all, and a row removed and another one added under its number are none.
pub(super) fn written_since(
    file: &Path,
    counters: &serde_json::Value,
) -> Result<Option<Vec<TableChange>>, sqlx::Error> {
    let Ok(before) = serde_json::from_value::<Counts>(counters.clone()) else {
        return Ok(None);
    };
    let mut session = Session::read(file)?;
    let mut changes = Vec::new();
    for table in user_tables(&mut session)? {
        let was = before.get(&table.name);
        changes.push(change(&mut session, &table, was)?);
    }
    session.end()?;
    Ok(Some(changes))
}

fn change(
    session: &mut Session,
    table: &Table,
    was: Option<&Count>,
) -> Result<TableChange, sqlx::Error> {
    let is = count(session, table, true)?.rows.unwrap_or(0);
    let was = was.copied().unwrap_or(Count {
        rows: Some(0),
        highest: None,
    });
    let grown = was.rows.map(|rows| is - rows);
    let new = match (&table.key, was.highest) {
        (Key::Number(number), Some(highest)) => {
            let name = identifier(&table.name);
            let sql = format!("SELECT count(*) FROM {name} WHERE {number} > {highest}");
            session.number(&sql)?
        }
        (Key::Number(_), None) => Some(is),
        (Key::Columns(_), _) => None,
    };
    let told = |number: i64| u64::try_from(number).ok();
    Ok(match new.map(|new| new.max(grown.unwrap_or(new))) {
        Some(inserted) => TableChange {
            table: table.name.clone(),
            inserted: told(inserted),
            updated: None,
            deleted: grown.and_then(|grown| told(inserted - grown)),
        },
        None => TableChange {
            table: table.name.clone(),
            inserted: grown.and_then(told).filter(|grown| *grown > 0),
            updated: None,
            deleted: grown
                .and_then(|grown| told(-grown))
                .filter(|shrunk| *shrunk > 0),
        },
    })
}

/// Those of the application, not SQLite's own.
fn user_tables(session: &mut Session) -> Result<Vec<Table>, sqlx::Error> {
    let mut tables = session.tables()?;
    tables.retain(|table| !table.name.starts_with("sqlite_"));
    Ok(tables)
}

/// With `all`, every row is counted; otherwise only those are known of a table that has none.
fn count(session: &mut Session, table: &Table, all: bool) -> Result<Count, sqlx::Error> {
    let name = identifier(&table.name);
    let highest = match &table.key {
        Key::Number(number) => session.number(&format!("SELECT max({number}) FROM {name}"))?,
        Key::Columns(_) => None,
    };
    let rows = match (&table.key, highest) {
        (Key::Number(_), None) => Some(0),
        _ if all => session.number(&format!("SELECT count(*) FROM {name}"))?,
        _ => None,
    };
    Ok(Count { rows, highest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_to_a_large_database_is_told_without_counting_it_before() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app.db");
        std::fs::write(&file, "").unwrap();
        let run = |sql| {
            let mut session = Session::write(&file).unwrap();
            session.run(sql).unwrap();
            session.end().unwrap();
        };
        run(
            "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2); CREATE TABLE e (a); \
            CREATE TABLE k (a PRIMARY KEY) WITHOUT ROWID; INSERT INTO k VALUES (1)",
        );
        let mut session = Session::read(&file).unwrap();
        let mut counts = Counts::new();
        for table in user_tables(&mut session).unwrap() {
            let found = count(&mut session, &table, false).unwrap();
            counts.insert(table.name.clone(), found);
        }
        session.end().unwrap();
        assert_eq!(counts["t"].rows, None);
        run(
            "INSERT INTO t VALUES (3); DELETE FROM t WHERE a = 1; INSERT INTO e VALUES (1); \
            INSERT INTO k VALUES (2)",
        );
        let before = serde_json::to_value(counts).unwrap();
        let changes = written_since(&file, &before).unwrap().unwrap();
        let told: Vec<_> = changes
            .iter()
            .map(|it| (it.table.as_str(), it.inserted, it.deleted))
            .collect();
        assert_eq!(
            told,
            [
                ("e", Some(1), Some(0)),
                ("k", None, None),
                ("t", Some(1), None)
            ]
        );
    }
}
