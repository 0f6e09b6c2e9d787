//! A copy for rehearsals, made while the application works: `pg_dump` with the lowest priority, and beside it all that a server
//! of our own must be told to be like the original.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::dump::{self, Creation};
use super::failure::Failure;
use super::properties::Properties;
use super::rights::Rights;
use super::server::Server;
use super::tools;
use crate::durable;

/// What is known about the original.
const FACTS: &str = "snapshot.json";
/// `pg_dump`'s directory.
const DUMP: &str = "dump";
/// The roles, without their passwords, as SQL.
const ROLES: &str = "roles.sql";

/// Settings of the original that change what a migration does or how long it takes.
const SETTINGS: &str = "SELECT coalesce(jsonb_object_agg(name, current_setting(name)), '{}')::text FROM pg_settings \
    WHERE $1 <> '' AND name IN ('DateStyle', 'IntervalStyle', 'TimeZone', 'checkpoint_timeout', \
    'default_text_search_config', 'jit', 'maintenance_work_mem', 'max_connections', 'max_locks_per_transaction', \
    'max_prepared_transactions', 'max_wal_size', 'random_page_cost', 'shared_preload_libraries', \
    'standard_conforming_strings', 'synchronous_commit', 'wal_level', 'work_mem') AND setting <> ''";

const CHECKSUMS: &str =
    "SELECT to_json(current_setting('data_checksums') = 'on')::text WHERE $1 <> ''";

/// See the module.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Snapshot {
    /// The server's major version.
    pub(super) version: u32,
    /// The database's name.
    pub(super) database: String,
    /// How to make an empty one like it.
    pub(super) creation: Creation,
    /// What it had beside its contents.
    pub(super) properties: Properties,
    /// Settings of the server.
    pub(super) settings: BTreeMap<String, String>,
    /// Whether its pages have check sums.
    pub(super) checksums: bool,
}

impl Snapshot {
    /// Makes one in a new directory.
    pub(super) fn make(
        address: &Address,
        to: &Path,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Snapshot, Failure> {
        let disk = |error| Failure::disk(to, error);
        durable::remove_dir_all(to).map_err(disk)?;
        durable::create_dir_all(to).map_err(disk)?;
        durable::set_mode(to, 0o700).map_err(disk)?;
        let (mut server, database) = (
            Server::connect(address.options(&address.maintenance)?)?,
            address.database()?,
        );
        let snapshot = Snapshot {
            version: Rights::ask(&mut server, &database)?.version(),
            creation: dump::creation(&mut server, &database)?,
            properties: Properties::of(&mut server, &database)?,
            settings: server.ask(SETTINGS, &database)?.unwrap_or_default(),
            checksums: server.ask(CHECKSUMS, &database)?.unwrap_or_default(),
            database,
        };
        let mut roles = tools::gentle_command("pg_dumpall", address, &address.maintenance, to)?;
        roles
            .args(["--roles-only", "--no-role-passwords", "--file"])
            .arg(to.join(ROLES));
        tools::run("pg_dumpall", roles, to, go_on)?;
        let mut dump = tools::gentle_command("pg_dump", address, &snapshot.database, to)?;
        dump.args(["--format=directory", "--jobs=2", "--compress=1", "--file"])
            .arg(to.join(DUMP));
        tools::run("pg_dump", dump, to, go_on)?;
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

/// The dump in this directory.
pub(super) fn dump(from: &Path) -> PathBuf {
    from.join(DUMP)
}

/// The roles in this directory.
pub(super) fn roles(from: &Path) -> PathBuf {
    from.join(ROLES)
}
