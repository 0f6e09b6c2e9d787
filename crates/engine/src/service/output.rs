//! The file that the application's output goes to, and keeping it small.

use std::fs;
use std::io;
use std::path::Path;

use crate::durable;

/// Past this size the log is put aside when the application starts.
const LOG_LIMIT: u64 = 10 << 20;
/// Old logs kept.
const LOGS_KEPT: u32 = 3;

/// Makes the log's folder, and puts a log that has grown too large aside; for when nobody writes to it.
pub(super) fn rotate(log: &Path) -> io::Result<()> {
    if let Some(parent) = log.parent() {
        durable::create_dir_all(parent)?;
    }
    match is_large(log) {
        true => put_aside(log, false),
        false => Ok(()),
    }
}

/// Puts a log that has grown too large aside while the application writes to it.
pub(super) fn tend(log: &Path) {
    if is_large(log)
        && let Err(error) = put_aside(log, true)
    {
        tracing::warn!(%error, "the application's log could not be put aside");
    }
}

fn is_large(log: &Path) -> bool {
    fs::metadata(log).is_ok_and(|metadata| metadata.len() > LOG_LIMIT)
}

/// Puts a log aside and drops the oldest one. While the application has it open, appending, it is copied and emptied; a line
/// written in between is lost.
fn put_aside(log: &Path, is_open: bool) -> io::Result<()> {
    let old = |number: u32| log.with_extension(format!("log.{number}"));
    for number in (1..LOGS_KEPT).rev() {
        if old(number).exists() {
            durable::rename(&old(number), &old(number + 1))?;
        }
    }
    if !is_open {
        return durable::rename(log, &old(1));
    }
    durable::remove_file(&old(1))?;
    durable::copy_file(log, &old(1), &|| true)?;
    fs::OpenOptions::new().write(true).open(log)?.set_len(0)
}
