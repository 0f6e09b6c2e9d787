//! Finds and ends whatever runs of a rehearsal, also when nobody is left who started it.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::launch::{RECORD_VARIABLE, is_over};

/// How long the kernel may take to end what was killed.
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// Kills every process that was started under a record in this directory, and waits until all are gone. Process numbers in the
/// records themselves say nothing: they may be those of another process namespace.
///
/// # Errors
/// Something does not end.
pub(super) fn end_all_under(directory: &Path) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        let family = family(directory)?;
        if family.is_empty() {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(io::Error::other(format!(
                "processes {family:?} do not end although they were killed"
            )));
        }
        for pid in family.into_iter().filter_map(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
        sleep(POLL);
    }
}

/// Those that have a record's path in this directory in their environment, which children inherit.
fn family(directory: &Path) -> io::Result<Vec<i32>> {
    let mut mark = format!("{RECORD_VARIABLE}=").into_bytes();
    mark.extend_from_slice(directory.as_os_str().as_bytes());
    mark.push(b'/');
    let own = getpid().as_raw_nonzero().get();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<i32>() else {
            continue;
        };
        let is_marked = |environment: Vec<u8>| {
            environment
                .split(|byte| *byte == 0)
                .any(|one| one.starts_with(&mark))
        };
        let environment = std::fs::read(format!("/proc/{pid}/environ"));
        if pid != own && environment.is_ok_and(is_marked) && !is_over(pid) {
            found.push(pid);
        }
    }
    Ok(found)
}
