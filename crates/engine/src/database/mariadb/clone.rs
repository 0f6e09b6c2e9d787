//! The rung *file_system*: the server is stopped, its data directory is cloned by the file system, and it is started again.
//! Going back kills the server and puts a clone of that clone in the place of the data directory, at once or not at all; the
//! protected copy itself is only read.
//!
//! Clones lie beside the data directory, because only within one file system can files share blocks and directories change
//! places.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::address::Address;
use super::failure::Failure;
use super::note::{self, Clones};
use super::process::{self, Starting};
use super::server::{Server, literal};
use crate::durable::{self, Means};
use crate::installation::MariadbCluster;

/// Settings that name places; an empty or relative one is in the data directory.
const PLACES: &str = "'innodb_data_home_dir', 'innodb_log_group_home_dir', 'innodb_undo_directory', 'aria_log_dir_path', 'log_bin_basename', 'innodb_data_file_path'";

/// In the directory of every database.
const DATABASE: &str = "db.opt";
/// Databases of the server's own.
const OWN: [&str; 3] = ["mysql", "performance_schema", "sys"];

/// Whether the server can be protected in this way.
///
/// # Errors
/// Why it cannot; technical English.
pub(super) fn fitness(
    cluster: &MariadbCluster,
    server: &mut Server,
    database: &str,
) -> Result<(PathBuf, Starting), String> {
    let data = std::fs::canonicalize(&cluster.data)
        .map_err(|error| format!("{}: {error}", cluster.data.display()))?;
    let told = server
        .text("SELECT @@global.datadir")
        .map_err(|failure| failure.to_string())?
        .unwrap_or_default();
    if std::fs::canonicalize(&told).ok().as_deref() != Some(&data) {
        return Err(format!(
            "the server's data directory is {told}, not {}",
            data.display()
        ));
    }
    lies_in_one_place(server, &data)?;
    has_no_replica(server)?;
    let starting = match cluster.start.is_empty() {
        true => process::as_it_was_started(&data)?,
        false => Starting::Commands {
            start: cluster.start.clone(),
            stop: cluster.stop.clone(),
        },
    };
    can_be_cloned(&data)?;
    match others(&data, database).as_slice() {
        [] => Ok((data, starting)),
        others => Err(format!(
            "the server has other databases, which would be returned too: {}",
            others.join(", ")
        )),
    }
}

/// Databases with something in them beside this one and the server's own, by their directories: an account does not get to see
/// all that there are.
fn others(data: &Path, database: &str) -> Vec<String> {
    let entries = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut found: Vec<String> = entries(data)
        .filter(|entry| entry.path().join(DATABASE).is_file())
        .filter(|entry| entries(&entry.path()).any(|inside| inside.file_name() != DATABASE))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !OWN.contains(&name.as_str()))
        .collect();
    // Every other character stands there as a number.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_it = |name: &String| match database.chars().all(is_plain) {
        true => name.eq_ignore_ascii_case(database),
        false => name.contains('@'),
    };
    if let Some(at) = found.iter().position(is_it) {
        found.remove(at);
    }
    found.sort();
    found
}

/// Everything of the server is in its data directory.
fn lies_in_one_place(server: &mut Server, data: &Path) -> Result<(), String> {
    let rows = server
        .rows(&format!(
            "SELECT lower(variable_name), variable_value FROM information_schema.global_variables \
             WHERE lower(variable_name) IN ({PLACES})"
        ))
        .map_err(|failure| failure.to_string())?;
    for row in rows {
        let [name, value] = [0, 1].map(|index| {
            let value: Option<&Option<String>> = row.get(index);
            value.cloned().flatten().unwrap_or_default()
        });
        let path = match name.as_str() {
            // `ibdata1:12M:autoextend`, with slashes only if it is elsewhere.
            "innodb_data_file_path" if !value.contains('/') => continue,
            _ => Path::new(&value),
        };
        let place = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if path.is_absolute() && !place.starts_with(data) {
            return Err(format!("{name} is {value}, outside the data directory"));
        }
    }
    let entries =
        std::fs::read_dir(data).map_err(|error| format!("{}: {error}", data.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_symlink() {
            return Err(format!("{} is a link to another place", path.display()));
        }
        let inside = std::fs::read_dir(&path).into_iter().flatten().flatten();
        let elsewhere = |path: &PathBuf| {
            path.is_symlink() || path.extension().is_some_and(|extension| extension == "isl")
        };
        if let Some(path) = inside.map(|entry| entry.path()).find(elsewhere) {
            return Err(format!("{} leads to another place", path.display()));
        }
    }
    Ok(())
}

/// What a replica has already got could not be taken back.
fn has_no_replica(server: &mut Server) -> Result<(), String> {
    let replicas = server
        .number(&format!(
            "SELECT count(*) FROM information_schema.processlist WHERE command IN ({}, {})",
            literal("Binlog Dump"),
            literal("Binlog Dump GTID")
        ))
        .map_err(|failure| failure.to_string())?;
    match replicas {
        0 => Ok(()),
        _ => Err("another server replicates this one".to_owned()),
    }
}

/// Tried with one file of it.
pub(super) fn can_be_cloned(data: &Path) -> Result<(), String> {
    let parent = data.parent().ok_or("the data directory is the root")?;
    let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
    if device(parent) != device(data) {
        return Err(format!(
            "{} is a file system of its own: clones must lie beside it; make the data directory a directory inside it",
            data.display()
        ));
    }
    let trial = parent.join(format!("{}trial-mariadb", durable::TEMPORARY_PREFIX));
    let tried = durable::remove_file(&trial).and_then(|()| {
        let some = File::open(data.join("ibdata1"))?;
        // Not one byte is copied: either the file system does it, or this is the answer.
        durable::copy_open_file(&some, &trial, &|| false)
    });
    let removed = durable::remove_file(&trial);
    match tried.and_then(|means| removed.map(|()| means)) {
        Ok(Means::Cloned) => Ok(()),
        Ok(Means::Copied) => Err("there is nothing to clone".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(format!(
            "files of {} cannot be cloned: the file system cannot (XFS and btrfs can)",
            data.display()
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// Names for clones that nobody has, for the update whose directory this is.
pub(super) fn names(
    data: PathBuf,
    starting: Starting,
    directory: &Path,
) -> Result<Clones, Failure> {
    let update = directory.parent().and_then(Path::file_name);
    let update = update.unwrap_or_default().to_string_lossy().into_owned();
    let name = data
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    for number in 1..100 {
        let again = match number {
            1 => String::new(),
            number => format!("-{number}"),
        };
        let copy = data.with_file_name(format!("{name}.obnova-{update}{again}"));
        let exchange = data.with_file_name(format!("{name}.obnova-{update}{again}-back"));
        if !copy.exists() && !exchange.exists() {
            return Ok(Clones {
                data,
                copy,
                exchange,
                starting,
            });
        }
    }
    Err(Failure::Unsuitable(format!(
        "too many directories are called {name}.obnova-{update}"
    )))
}

/// Clones the data directory. Whatever happens, the server runs again afterwards; if this process dies meanwhile, after the
/// undoing.
pub(super) fn protect(
    clones: &Clones,
    address: &Address,
    to: &Path,
    log: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let cloned = clones
        .starting
        .stop(&clones.data)
        .and_then(|()| copy(&clones.data, &clones.copy, go_on));
    let started = clones.starting.start(&clones.data, address, log);
    cloned.and(started)?;
    note::set_complete(to)
}

/// Puts a clone of the protected copy in the place of the data directory. Repeatable.
pub(super) fn restore(clones: &Clones, address: &Address, log: &Path) -> Result<(), Failure> {
    let disk = |error| Failure::disk(&clones.data, error);
    clones.starting.kill(&clones.data)?;
    durable::remove_dir_all(&clones.exchange).map_err(disk)?;
    copy(&clones.copy, &clones.exchange, &|| true)?;
    match clones.data.exists() {
        // What it held now has the other name, and goes with the copy.
        true => durable::exchange(&clones.exchange, &clones.data).map_err(disk)?,
        false => durable::rename(&clones.exchange, &clones.data).map_err(disk)?,
    }
    clones.starting.start(&clones.data, address, log)
}

/// Gives up an incomplete protection: the server may have been stopped for it.
pub(super) fn give_up(clones: &Clones, address: &Address, log: &Path) -> Result<(), Failure> {
    // It may just be stopping, and would then end under whoever comes.
    clones.starting.end(&clones.data)?;
    clones.starting.start(&clones.data, address, log)?;
    forget(clones)
}

/// Removes what is ours.
pub(super) fn forget(clones: &Clones) -> Result<(), Failure> {
    for path in [&clones.copy, &clones.exchange] {
        durable::remove_dir_all(path).map_err(|error| Failure::disk(path, error))?;
    }
    Ok(())
}

/// Clones a tree that nobody works with, or at least nobody minds; durably.
pub(super) fn copy(from: &Path, to: &Path, go_on: &dyn Fn() -> bool) -> Result<(), Failure> {
    let copied = durable::copy_tree(from, to, &|_| false, go_on, &mut |_| ());
    copied
        .and_then(|()| durable::sync_dir(to.parent().unwrap_or(Path::new("/"))))
        .map_err(|error| Failure::disk(to, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_of_others_are_found_by_their_directories() {
        let data = tempfile::tempdir().unwrap();
        let database = |name: &str, files: &[&str]| {
            let directory = data.path().join(name);
            std::fs::create_dir(&directory).unwrap();
            for file in files {
                std::fs::write(directory.join(file), "").unwrap();
            }
        };
        database("mysql", &[DATABASE, "user.frm"]);
        database("test", &[DATABASE]);
        database("#innodb_redo", &["#ib_redo0"]);
        database("crm", &[DATABASE, "person.ibd"]);
        assert_eq!(others(data.path(), "crm"), [""; 0]);
        database("my@002ddb", &[DATABASE, "a.ibd"]);
        assert_eq!(others(data.path(), "crm"), ["my@002ddb"]);
        assert_eq!(others(data.path(), "my-db"), ["crm"]);
    }
}
