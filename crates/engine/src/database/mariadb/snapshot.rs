//! A copy of the database for a rehearsal: a dump and what a private server must know to be like the original.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::dump;
use super::failure::Failure;
use super::rights::Rights;
use super::server::Server;
use crate::durable;

const FACTS: &str = "facts.json";
/// What such an account could do beyond the private server.
const NOT_GRANTED: [&str; 4] = ["FILE", "SHUTDOWN", "USAGE", "PROXY"];
/// Settings of the server that programs notice.
const SETTINGS: &str = "'sql_mode', 'character_set_server', 'collation_server', 'lower_case_table_names', 'time_zone', \
    'innodb_strict_mode', 'explicit_defaults_for_timestamp', 'innodb_default_row_format', 'default_storage_engine', \
    'group_concat_max_len', 'innodb_flush_log_at_trx_commit', 'tx_isolation', 'innodb_buffer_pool_size', 'innodb_page_size', \
    'check_constraint_checks', 'old_mode', 'wait_timeout', 'lock_wait_timeout', 'innodb_lock_wait_timeout'";

/// See the module.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Snapshot {
    /// The database's name.
    pub(super) database: String,
    /// Makes an empty one like it.
    pub(super) creation: String,
    /// Where its sequences are.
    pub(super) sequences: Vec<dump::Sequence>,
    /// Settings of the server.
    pub(super) settings: BTreeMap<String, String>,
    /// Privileges that the application has on everything.
    pub(super) privileges: Vec<String>,
    /// Accounts that something in the database runs as.
    pub(super) definers: Vec<String>,
    /// How it was made.
    pub(super) how: String,
}

impl Snapshot {
    /// Makes one in a new directory.
    pub(super) fn make(
        address: &Address,
        to: &Path,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Snapshot, Failure> {
        let disk = |error| Failure::disk(to, error);
        durable::remove_dir_all(to)
            .and_then(|()| durable::create_dir_all(to))
            .and_then(|()| durable::set_mode(to, 0o700))
            .map_err(disk)?;
        let mut server = Server::connect(&address.options()?)?;
        let database = address.database()?;
        let rights = Rights::ask(&mut server, &database)?;
        let settings = server.rows(&format!(
            "SELECT lower(variable_name), variable_value FROM information_schema.global_variables \
             WHERE lower(variable_name) IN ({SETTINGS})"
        ))?;
        let settings = settings.into_iter().filter_map(|row| {
            let mut row = row.into_iter();
            Some((row.next()??, row.next()??))
        });
        dump::write(&mut server, address, &database, to, true, go_on)?;
        let torn = match rights.untransacted() {
            0 => String::new(),
            number => format!("; {number} tables without transactions may be torn"),
        };
        let snapshot = Snapshot {
            creation: dump::creation(&mut server, &database)?,
            sequences: dump::sequences(&mut server, &database)?,
            settings: settings.collect(),
            privileges: rights
                .global()
                .iter()
                .filter(|privilege| !NOT_GRANTED.contains(&privilege.as_str()))
                .cloned()
                .collect(),
            definers: rights.definers().to_vec(),
            how: format!(
                "dumped in one transaction while in use, {} bytes{torn}",
                rights.size()
            ),
            database,
        };
        let facts = serde_json::to_vec(&snapshot).map_err(|error| disk(error.into()))?;
        durable::write(&to.join(FACTS), &facts, 0o600).map_err(disk)?;
        Ok(snapshot)
    }

    /// The one in this directory.
    pub(super) fn read(from: &Path) -> Result<Snapshot, Failure> {
        let path = from.join(FACTS);
        let wrong = |error| Failure::disk(&path, error);
        let bytes = std::fs::read(&path).map_err(wrong)?;
        serde_json::from_slice(&bytes).map_err(|error| wrong(error.into()))
    }
}
