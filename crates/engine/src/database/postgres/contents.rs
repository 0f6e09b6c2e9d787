//! What is in the database: a fingerprint of all of it, and how much was written.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::address::Address;
use super::failure::Failure;
use super::properties::Properties;
use super::rights::Rights;
use super::server::Server;
use super::tools;
use crate::api::TableChange;

/// Until then a process of its own collected what sessions had done, which took a moment.
const AT_ONCE_SINCE: u32 = 15;
const COLLECTING: Duration = Duration::from_secs(1);

const COUNTERS: &str = "SELECT jsonb_build_object(\
    'reset', (SELECT extract(epoch FROM stats_reset)::text FROM pg_stat_database WHERE datname = $1), \
    'database', (SELECT oid::bigint FROM pg_database WHERE datname = $1), \
    'tables', coalesce((SELECT jsonb_object_agg(schemaname || '.' || relname, jsonb_build_object('id', relid::bigint, \
        'inserted', n_tup_ins, 'updated', n_tup_upd, 'deleted', n_tup_del)) FROM pg_stat_user_tables), '{}'))::text";

/// Everything that `pg_dump` writes of a database, and what belongs to it beside; without the random keys that a dump has.
pub(super) fn fingerprint(address: &Address) -> Result<String, Failure> {
    let database = address.database()?;
    let mut server = Server::connect(address.options(&address.maintenance)?)?;
    let properties = Properties::of(&mut server, &database)?;
    let version = Rights::ask(&mut server, &database)?.version();
    let program = tools::find("pg_dump", version)?;
    let disk = |error| Failure::disk(&program, error);
    let mut hash = Sha256::new();
    hash.update(format!("{}\n", properties.text()));
    let mut child = tools::connected(Command::new(&program), address, &database)?
        .arg("--format=plain")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(disk)?;
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let said = std::thread::spawn(move || {
        let mut said = String::new();
        // It is only quoted; what cannot be read is left out.
        let _ = errors.map(|mut errors| errors.read_to_string(&mut said));
        said
    });
    let hashed = output.map_or(Ok(()), |output| add(&mut hash, output));
    let status = child.wait().map_err(disk)?;
    hashed.map_err(disk)?;
    match status.success() {
        true => Ok(hex::encode(hash.finalize())),
        false => Err(Failure::Tool {
            tool: "pg_dump".into(),
            output: format!("{status}: {}", said.join().unwrap_or_default().trim()),
        }),
    }
}

fn add(hash: &mut Sha256, output: impl Read) -> std::io::Result<()> {
    let mut output = BufReader::with_capacity(1 << 20, output);
    // `\restrict KEY` stands once at the beginning and `\unrestrict KEY` at the end. A line of data never begins so: a
    // backslash there is written twice.
    let mut key: Option<Vec<u8>> = None;
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        if key.is_none()
            && let Some(found) = line.strip_prefix(b"\\restrict ")
        {
            key = Some(found.to_vec());
        } else if key.is_none() || line.strip_prefix(b"\\unrestrict ") != key.as_deref() {
            hash.update(&line);
        }
        line.clear();
    }
    Ok(())
}

/// How often rows were written, by table, since the server last counted from 0.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Counters {
    /// When that was.
    reset: Option<String>,
    /// The database; a copy has counters of its own.
    database: Option<i64>,
    tables: BTreeMap<String, Table>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Table {
    id: i64,
    inserted: u64,
    updated: u64,
    deleted: u64,
}

impl Counters {
    /// Those of now, at once. Sessions that are still at work may not have told theirs; before PostgreSQL 15, nor may those that
    /// ended within the last second.
    pub(super) fn at_once(address: &Address) -> Result<Counters, Failure> {
        let database = address.database()?;
        Counters::ask(
            &mut Server::connect(address.options(&database)?)?,
            &database,
        )
    }

    /// The same, after a moment where the server needs one.
    pub(super) fn settled(address: &Address) -> Result<Counters, Failure> {
        let database = address.database()?;
        let mut server = Server::connect(address.options(&database)?)?;
        if Rights::ask(&mut server, &database)?.version() < AT_ONCE_SINCE {
            std::thread::sleep(COLLECTING);
        }
        Counters::ask(&mut server, &database)
    }

    fn ask(server: &mut Server, database: &str) -> Result<Counters, Failure> {
        server
            .ask(COUNTERS, database)?
            .ok_or_else(|| Failure::Unsuitable(format!("there is no database {database}")))
    }

    /// What was written between `before` and these; `None` when the server began to count anew meanwhile.
    pub(super) fn since(&self, before: &Counters) -> Option<Vec<TableChange>> {
        if (&before.reset, before.database) != (&self.reset, self.database) {
            return None;
        }
        // After a crash it does, without saying so.
        let has_shrunk = |(name, now): (&String, &Table)| {
            before.tables.get(name).is_some_and(|was| {
                was.id == now.id
                    && (now.inserted < was.inserted
                        || now.updated < was.updated
                        || now.deleted < was.deleted)
            })
        };
        if self.tables.iter().any(has_shrunk) {
            return None;
        }
        let changes = self.tables.iter().map(|(name, now)| {
            // A table of this name that was made since counts from nothing.
            let was = before.tables.get(name).filter(|was| was.id == now.id);
            let grown = |now: u64, was: Option<u64>| Some(now.saturating_sub(was.unwrap_or(0)));
            TableChange {
                table: name.clone(),
                inserted: grown(now.inserted, was.map(|it| it.inserted)),
                updated: grown(now.updated, was.map(|it| it.updated)),
                deleted: grown(now.deleted, was.map(|it| it.deleted)),
            }
        });
        let gone = before
            .tables
            .keys()
            .filter(|name| !self.tables.contains_key(*name))
            .map(|name| TableChange {
                table: name.clone(),
                inserted: None,
                updated: None,
                deleted: None,
            });
        let nothing = [Some(0), Some(0), Some(0)];
        let written = changes
            .chain(gone)
            .filter(|it| [it.inserted, it.updated, it.deleted] != nothing);
        Some(written.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(text: &str) -> String {
        let mut hash = Sha256::new();
        add(&mut hash, text.as_bytes()).unwrap();
        hex::encode(hash.finalize())
    }

    #[test]
    fn random_keys_do_not_count_and_everything_else_does() {
        let dump =
            |key: &str, data: &str| format!("--\n\\restrict {key}\n{data}\n\\unrestrict {key}\n\n");
        assert_eq!(hashed(&dump("abc", "1")), hashed(&dump("xyz", "1")));
        assert_ne!(hashed(&dump("abc", "1")), hashed(&dump("abc", "2")));
        assert_ne!(
            hashed(&dump("abc", "\\unrestrict b")),
            hashed(&dump("abc", "\\unrestrict c"))
        );
    }

    fn counters(tables: &[(&str, i64, u64)]) -> Counters {
        let table = |(name, id, inserted): &(&str, i64, u64)| {
            let table = Table {
                id: *id,
                inserted: *inserted,
                updated: 0,
                deleted: 0,
            };
            ((*name).to_owned(), table)
        };
        Counters {
            reset: Some("1".to_owned()),
            database: Some(1),
            tables: tables.iter().map(table).collect(),
        }
    }

    #[test]
    fn what_was_written_is_the_difference_by_table() {
        let before = counters(&[
            ("a.x", 1, 10),
            ("a.y", 2, 10),
            ("a.z", 3, 5),
            ("a.old", 4, 1),
        ]);
        let now = counters(&[("a.x", 1, 12), ("a.y", 2, 10), ("a.z", 9, 4)]);
        let written = now.since(&before).unwrap();
        let found: Vec<(&str, Option<u64>)> = written
            .iter()
            .map(|it| (it.table.as_str(), it.inserted))
            .collect();
        assert_eq!(found, [("a.x", Some(2)), ("a.z", Some(4)), ("a.old", None)]);
    }

    #[test]
    fn counters_that_began_anew_tell_nothing() {
        let mut now = counters(&[("a.x", 1, 3)]);
        now.reset = Some("2".to_owned());
        assert_eq!(now.since(&counters(&[("a.x", 1, 1)])), None);
        // A crash leaves no other trace.
        let now = counters(&[("a.x", 1, 0), ("a.y", 2, 7)]);
        let before = counters(&[("a.x", 1, 1), ("a.y", 2, 7)]);
        assert_eq!(now.since(&before), None);
    }
}
