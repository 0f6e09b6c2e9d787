//! A copy of the database for a rehearsal: all of the server's files, cloned, where the database is protected so; else a dump. And
//! what a private server must know to be like the original.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Mariadb;
use super::dump;
use super::failure::Failure;
use super::image::{self, Image};
use super::rights::Rights;
use super::rungs::{self, Chosen};
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
    /// The server's files, if they were cloned; else there is a dump.
    pub(super) image: Option<Image>,
    /// How it was made.
    pub(super) how: String,
}

impl Snapshot {
    /// Makes one in a new directory. `as_image` lets it be of files.
    pub(super) fn make(
        mariadb: &Mariadb,
        to: &Path,
        as_image: bool,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Snapshot, Failure> {
        let disk = |error| Failure::disk(to, error);
        durable::remove_dir_all(to)
            .and_then(|()| durable::create_dir_all(to))
            .and_then(|()| durable::set_mode(to, 0o700))
            .map_err(disk)?;
        let address = &mariadb.address;
        let mut server = Server::connect(&address.options()?)?;
        let database = address.database()?;
        let rights = Rights::ask(&mut server, &database)?;
        let settings = image::variables(&mut server, SETTINGS).map_err(Failure::Unsuitable)?;
        let (image, how) = match as_image {
            true => image(mariadb, &mut server, &rights, to, go_on)?,
            false => (None, String::new()),
        };
        if image.is_none() {
            dump::write(&mut server, address, &database, to, true, go_on)?;
        }
        let torn = match (&image, rights.untransacted()) {
            (Some(_), _) | (_, 0) => String::new(),
            (None, number) => format!("; {number} tables without transactions may be torn"),
        };
        let snapshot = Snapshot {
            creation: dump::creation(&mut server, &database)?,
            sequences: dump::sequences(&mut server, &database)?,
            settings,
            privileges: rights
                .global()
                .iter()
                .filter(|privilege| !NOT_GRANTED.contains(&privilege.as_str()))
                .cloned()
                .collect(),
            definers: rights.definers().to_vec(),
            how: match &image {
                Some(_) => format!(
                    "the server's files, cloned while in use, {} bytes",
                    rights.size()
                ),
                None => format!(
                    "dumped in one transaction while in use, {} bytes{torn}{how}",
                    rights.size()
                ),
            },
            image,
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

/// The server's files where they are what an update protects, or what to say about that they are not.
fn image(
    mariadb: &Mariadb,
    server: &mut Server,
    rights: &Rights,
    to: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(Option<Image>, String), Failure> {
    let (Chosen::FileSystem(data, _), _) = rungs::choose(mariadb, server, rights)? else {
        return Ok((None, String::new()));
    };
    match Image::make(server, &data, to, go_on) {
        Ok(image) => Ok((Some(image), String::new())),
        Err(_) if !go_on() => Err(Failure::Interrupted),
        Err(why) => Ok((None, format!("; its files were not cloned: {why}"))),
    }
}
