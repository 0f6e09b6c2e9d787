//! The ladder: which way of protecting the database is taken, and what each costs here.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::Mariadb;
use super::clone;
use super::dump;
use super::failure::Failure;
use super::private::Private;
use super::process::Starting;
use super::rights::{self, Rights};
use super::server::Server;
use super::tools;
use crate::api::RungFacts;
use crate::durable;
use crate::files;
use crate::installation::Rung;

/// Bytes of a dump that a trial makes at most.
const TRIAL: u64 = 64 << 20;

/// A way to protect, chosen.
pub(super) enum Chosen {
    /// The data directory, and how the server is started.
    FileSystem(PathBuf, Starting),
    /// By a dump.
    Dump,
}

/// The fastest way that is possible, or the one that was asked for, and what to say about it.
pub(super) fn choose(
    mariadb: &Mariadb,
    server: &mut Server,
    rights: &Rights,
) -> Result<(Chosen, String), Failure> {
    let obstacles = rights.obstacles();
    if !obstacles.is_empty() {
        return Err(Failure::Unsuitable(obstacles.join("; ")));
    }
    if mariadb.forced == Some(Rung::Dump) {
        let why =
            "rung dump: mariadb-dump, returned by loading it; the installation file asks for it";
        return Ok((Chosen::Dump, why.to_owned()));
    }
    match file_system(mariadb, server) {
        Ok((data, starting)) => {
            let why = format!(
                "rung file_system: the server is stopped and {} is cloned, returned by exchanging directories",
                data.display()
            );
            Ok((Chosen::FileSystem(data, starting), why))
        }
        Err(why) if mariadb.forced == Some(Rung::FileSystem) => Err(Failure::Unsuitable(why)),
        Err(why) => Ok((
            Chosen::Dump,
            format!("rung dump: mariadb-dump, returned by loading it; not file_system: {why}"),
        )),
    }
}

fn file_system(mariadb: &Mariadb, server: &mut Server) -> Result<(PathBuf, Starting), String> {
    // Of a server of our own nobody else knows.
    if let Some((data, starting)) = mariadb.private.as_ref().and_then(Private::whole) {
        clone::can_be_cloned(&data)?;
        return Ok((data, starting));
    }
    let cluster = mariadb.cluster.as_ref().ok_or(
        "the installation file has no [database.cluster], so the server may be somebody else's too",
    )?;
    clone::fitness(
        cluster,
        server,
        &mariadb
            .address
            .database()
            .map_err(|failure| failure.to_string())?,
    )
}

/// Why the database cannot be dumped and made anew.
pub(super) fn obstacles_to_dump(
    server: &mut Server,
    rights: &Rights,
    database: &str,
) -> Result<Vec<String>, Failure> {
    let mut obstacles = rights.obstacles_to_dump();
    for names in [tools::DUMP, tools::CLIENT] {
        if let Err(failure) = tools::find(&names) {
            obstacles.push(failure.to_string());
        }
    }
    if database.contains(['\'', '"', '\\']) {
        obstacles.push(format!(
            "mariadb-dump cannot dump the events and routines of a database whose name has quotes: {database}"
        ));
    }
    for column in rights::rounded(server, database)? {
        obstacles.push(format!(
            "a dump would round values of the FLOAT column {column}: make it DOUBLE, or let the data directory be cloned"
        ));
    }
    Ok(obstacles)
}

/// See [`crate::database::Database::rungs`].
pub(super) fn facts(mariadb: &Mariadb, measure: bool) -> Result<Vec<RungFacts>, Failure> {
    let mut server = Server::connect(&mariadb.address.options()?)?;
    let database = mariadb.address.database()?;
    let rights = Rights::ask(&mut server, &database)?;
    let chosen = choose(mariadb, &mut server, &rights);
    let clonable = file_system(mariadb, &mut server);
    let dumpable = obstacles_to_dump(&mut server, &rights, &database)?;
    let cloned = match &clonable {
        Ok((data, _)) if measure => Some(clone_once(data)),
        _ => None,
    };
    let dumped = match dumpable.is_empty() && measure {
        true => Some(dump_start(mariadb, &mut server, &database)),
        false => None,
    };
    let cloning = cloned.as_ref().and_then(|it| it.as_ref().ok().copied());
    let file_system = RungFacts {
        rung: "file_system".to_owned(),
        why_not: clonable.err().or_else(|| Some(cloned?.err()?.to_string())),
        chosen: matches!(chosen, Ok((Chosen::FileSystem(..), _))),
        protect_ms: cloning,
        restore_ms: cloning,
        disk_bytes: Some(0),
        measured: cloning.map(|_| {
            "the data directory was cloned once while in use; the server's own stop and start come on top".to_owned()
        }),
    };
    let dumping = dumped.as_ref().and_then(|it| it.as_ref().ok().copied());
    let reckon = |(bytes, took): (u64, u64)| {
        let whole = u128::from(took) * u128::from(rights.size()) / u128::from(bytes.max(1));
        u64::try_from(whole).unwrap_or(u64::MAX).max(took)
    };
    let why_not = match dumpable.is_empty() {
        true => dumped
            .and_then(|it| it.err())
            .map(|failure| failure.to_string()),
        false => Some(dumpable.join("; ")),
    };
    let dump = RungFacts {
        rung: "dump".to_owned(),
        chosen: matches!(chosen, Ok((Chosen::Dump, _))) && why_not.is_none(),
        why_not,
        protect_ms: dumping.map(reckon),
        restore_ms: None,
        disk_bytes: Some(rights.size()),
        measured: dumping.map(|(bytes, took)| {
            format!(
                "{bytes} bytes were dumped in {took} ms; reckoned up by size to {} bytes; loading was not tried, it takes \
                 several times as long",
                rights.size()
            )
        }),
    };
    Ok(vec![file_system, dump])
}

/// Clones the data directory and throws the clone away; in how many milliseconds it was made. It is not one of an instant, and
/// nobody starts a server on it.
fn clone_once(data: &Path) -> Result<u64, Failure> {
    let name = data
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let trial = data.with_file_name(format!("{name}.obnova-trial"));
    let disk = |error| Failure::disk(&trial, error);
    durable::remove_dir_all(&trial).map_err(disk)?;
    let began = Instant::now();
    let made = clone::copy(data, &trial, &|| true);
    let took = millis(began);
    durable::remove_dir_all(&trial).map_err(disk)?;
    made.map(|()| took)
}

/// Dumps the start of the database to nowhere: bytes, and milliseconds.
fn dump_start(
    mariadb: &Mariadb,
    server: &mut Server,
    database: &str,
) -> Result<(u64, u64), Failure> {
    let options = dump::options(server, database)?;
    let bytes = std::cell::Cell::new(0);
    let began = Instant::now();
    let dumped = tools::dump(
        &mariadb.address,
        &options,
        false,
        &|| bytes.get() < TRIAL,
        &mut |piece| {
            bytes.set(bytes.get() + piece.len() as u64);
            Ok(())
        },
    );
    match dumped {
        Ok(()) | Err(Failure::Interrupted) => Ok((bytes.get(), millis(began))),
        Err(failure) => Err(failure),
    }
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Bytes that the data directory takes.
pub(super) fn data_size(data: &Path) -> u64 {
    files::size(data)
}
