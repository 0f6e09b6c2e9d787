//! A copy of a whole data directory for a rehearsal, made while the server works: every file is cloned by the file system, so it
//! takes a moment, shares its blocks with the original, and nobody waits for it.
//!
//! The files are not of one instant. That is what a server finds after a crash, too: it makes them consistent from its log, if the
//! log reaches back to what is oldest in the files. So the log is cloned last, and only counts if the server has set no new
//! checkpoint meanwhile, and if nobody has made, dropped or written a file that this log is not about; else all is cloned again.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use super::failure::Failure;
use super::process;
use super::server::Server;
use crate::durable;

/// Where in a snapshot it lies.
const IMAGE: &str = "image";
/// How often all is cloned again before the server counts as too busy for that.
const TRIES: u32 = 20;
/// The log that makes the other files consistent.
const LOG: &str = "ib_logfile";
/// What a server makes anew, or leaves behind for people.
const LEFT_OUT: [&str; 2] = ["ibtmp", "core"];
/// Ends of names of files that no log makes consistent, and the beginning of those of a log of its own.
const UNLOGGED: [&str; 13] = [
    ".frm", ".MYD", ".MYI", ".MAD", ".MAI", ".CSV", ".MRG", ".TRG", ".TRN", ".par", ".opt", ".isl",
    ".ARZ",
];
const ARIA: &str = "aria_log";
/// What the server tells administrators about itself, as tables.
const TOLD: [&str; 2] = ["slow_log.", "general_log."];
/// Where the log begins that a crash would have to be recovered from.
const CHECKPOINT: &str = "SHOW GLOBAL STATUS LIKE 'Innodb_lsn_last_checkpoint'";
/// Settings that must be as they were for a server to read the files.
const SETTINGS: &str = "'basedir', 'plugin_dir', 'character_sets_dir', 'lc_messages_dir', 'innodb_log_file_size', \
    'innodb_data_file_path', 'innodb_undo_tablespaces', 'aria_block_size', 'skip_name_resolve', 'server_id'";
/// Places inside the data directory that a server would have to be told.
const PLACES: &str = "'innodb_data_home_dir', 'innodb_log_group_home_dir', 'innodb_undo_directory', 'aria_log_dir_path'";
/// Engines with files that another log is about.
const OTHER_ENGINES: &str = "SELECT group_concat(engine) FROM information_schema.engines WHERE support IN ('YES', 'DEFAULT') \
    AND upper(engine) IN ('ROCKSDB', 'TOKUDB', 'SPIDER', 'S3', 'CONNECT', 'MROONGA')";
const ENCRYPTION: &str = "SELECT count(*) FROM information_schema.plugins WHERE plugin_type = 'ENCRYPTION' AND plugin_status = 'ACTIVE'";

/// What is known of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Image {
    /// The original's program.
    pub(super) program: PathBuf,
    /// What a server must be told to read the files.
    pub(super) arguments: Vec<String>,
}

/// Where it lies.
pub(super) fn place(snapshot: &Path) -> PathBuf {
    snapshot.join(IMAGE)
}

impl Image {
    /// Clones the data directory of this server into a snapshot.
    ///
    /// # Errors
    /// Why that cannot be done; technical English. Nothing is left of it then.
    pub(super) fn make(
        server: &mut Server,
        data: &Path,
        snapshot: &Path,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Image, String> {
        let said = |failure: Failure| crate::step::chain(&failure);
        let image = Image {
            program: program(data)?,
            arguments: arguments(server, data)?,
        };
        let to = place(snapshot);
        let disk = |error| said(Failure::disk(&to, error));
        for _ in 0..TRIES {
            durable::remove_dir_all(&to).map_err(disk)?;
            let before = (checkpoint(server)?, files(data));
            let cloned = clone(data, &to, go_on);
            let after = (checkpoint(server)?, files(data));
            match cloned {
                Ok(()) if before == after => return Ok(image),
                // Something has gone while it was cloned, and shows.
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    durable::remove_dir_all(&to).map_err(disk)?;
                    return Err(match error.kind() {
                        io::ErrorKind::Interrupted if go_on() => format!(
                            "{} and {} do not share blocks: they lie on different file systems, or it cannot",
                            data.display(),
                            snapshot.display()
                        ),
                        _ => said(Failure::disk(data, error)),
                    });
                }
            }
            if !go_on() {
                break;
            }
        }
        durable::remove_dir_all(&to).map_err(disk)?;
        Err("the server writes too much to be cloned while it does".to_owned())
    }
}

/// The program of the server that works there.
fn program(data: &Path) -> Result<PathBuf, String> {
    let pid = process::find(data)
        .ok_or_else(|| format!("no server is seen to work in {}", data.display()))?;
    let program = std::fs::read_link(format!("/proc/{pid}/exe"))
        .map_err(|error| format!("the server's program: {error}"))?;
    match program.is_file() {
        true => Ok(program),
        false => Err("the server's program was replaced since it was started".to_owned()),
    }
}

fn arguments(server: &mut Server, data: &Path) -> Result<Vec<String>, String> {
    let said = |failure: Failure| crate::step::chain(&failure);
    if let Some(engines) = server.text(OTHER_ENGINES).map_err(said)?
        && !engines.is_empty()
    {
        return Err(format!("the server has the engines {engines}"));
    }
    if server.number(ENCRYPTION).map_err(said)? > 0 {
        return Err("the server encrypts its files".to_owned());
    }
    for (name, value) in variables(server, PLACES)? {
        let is_here = matches!(value.as_str(), "" | "." | "./")
            || std::fs::canonicalize(&value).is_ok_and(|place| place == data);
        if !is_here {
            return Err(format!("{name} is {value}"));
        }
    }
    let mut arguments = Vec::new();
    for (name, value) in variables(server, SETTINGS)? {
        if !value.is_empty() {
            arguments.push(format!("--{}={value}", name.replace('_', "-")));
        }
    }
    // What was prepared is committed after a crash if it had reached that log.
    let logs = variables(server, "'log_bin', 'log_bin_basename'")?;
    if logs.get("log_bin").is_some_and(|value| value == "ON") {
        let name = Path::new(logs.get("log_bin_basename").map_or("", String::as_str));
        match (name.parent(), name.file_name()) {
            (Some(parent), Some(name))
                if std::fs::canonicalize(parent).is_ok_and(|parent| parent == data) =>
            {
                arguments.push(format!("--log-bin={}", name.to_string_lossy()));
            }
            _ => return Err("log_bin_basename leads out of the data directory".to_owned()),
        }
    } else {
        arguments.push("--skip-log-bin".to_owned());
    }
    Ok(arguments)
}

/// The server's settings of these names.
pub(super) fn variables(
    server: &mut Server,
    names: &str,
) -> Result<BTreeMap<String, String>, String> {
    let rows = server
        .rows(&format!(
            "SELECT lower(variable_name), variable_value FROM information_schema.global_variables \
             WHERE lower(variable_name) IN ({names})"
        ))
        .map_err(|failure| crate::step::chain(&failure))?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let mut row = row.into_iter();
            Some((row.next()??, row.next()?.unwrap_or_default()))
        })
        .collect())
}

fn checkpoint(server: &mut Server) -> Result<String, String> {
    let row = server
        .row(CHECKPOINT)
        .map_err(|failure| crate::step::chain(&failure))?;
    row.and_then(|row| row.into_iter().nth(1)).ok_or_else(|| {
        "the server does not tell where its log begins (MariaDB since 10.5 does)".to_owned()
    })
}

/// Which files there are, and the times of those that the log does not make consistent.
fn files(data: &Path) -> BTreeMap<PathBuf, (u64, i64, i64)> {
    let entries = WalkDir::new(data).into_iter().flatten();
    entries
        .filter_map(|entry| {
            let metadata = entry.metadata().ok().filter(|it| it.is_file())?;
            let counts = is_unlogged(entry.path());
            let time = |time: i64| if counts { time } else { 0 };
            let facts = (
                metadata.ino(),
                time(metadata.mtime()),
                time(metadata.mtime_nsec()),
            );
            (!is_left_out(entry.path())).then(|| (entry.into_path(), facts))
        })
        .collect()
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

fn is_left_out(path: &Path) -> bool {
    LEFT_OUT
        .iter()
        .any(|beginning| name(path).starts_with(beginning))
}

/// Whether it must not change while the files are cloned.
fn is_unlogged(path: &Path) -> bool {
    let name = name(path);
    let is_told = TOLD.iter().any(|beginning| name.starts_with(beginning));
    !is_told && (name.starts_with(ARIA) || UNLOGGED.iter().any(|end| name.ends_with(end)))
}

/// Clones the files, the log last. Not one byte is copied: where nothing can be cloned, that is `Interrupted`.
fn clone(data: &Path, to: &Path, go_on: &dyn Fn() -> bool) -> io::Result<()> {
    let mut logs = Vec::new();
    for entry in WalkDir::new(data) {
        let entry = entry?;
        let inside = entry
            .path()
            .strip_prefix(data)
            .map_err(io::Error::other)?
            .to_owned();
        let target = match inside.as_os_str().is_empty() {
            true => to.to_owned(),
            false => to.join(&inside),
        };
        if entry.file_type().is_dir() {
            let owner = entry.metadata()?;
            durable::create_dir_unsynced(&target)?;
            durable::set_mode_unsynced(&target, owner.mode() & 0o7777)?;
            give(&target, &owner)?;
        } else if name(entry.path()).starts_with(LOG) {
            logs.push((entry.into_path(), target));
        } else if !is_left_out(entry.path()) {
            durable::copy_entry(entry.path(), &target, &|| false)?;
        }
        if !go_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
    for (log, target) in logs {
        durable::copy_entry(&log, &target, &|| false)?;
    }
    Ok(())
}

fn give(target: &Path, owner: &std::fs::Metadata) -> io::Result<()> {
    let made = std::fs::metadata(target)?;
    match (made.uid(), made.gid()) == (owner.uid(), owner.gid()) {
        true => Ok(()),
        false => chown(target, Some(owner.uid()), Some(owner.gid())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_the_log_is_about_may_change_meanwhile() {
        for logged in [
            "crm/person.ibd",
            "ibdata1",
            "ib_logfile0",
            "bin.000007",
            "host.err",
            "mysql/slow_log.CSV",
        ] {
            assert!(!is_unlogged(Path::new(logged)), "{logged}");
        }
        for other in [
            "crm/person.frm",
            "mysql/db.MAD",
            "aria_log.00000001",
            "aria_log_control",
            "crm/old.MYD",
        ] {
            assert!(is_unlogged(Path::new(other)), "{other}");
        }
    }
}
