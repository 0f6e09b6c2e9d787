//! What runs in this life, and the killing of it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long the kernel may take to end what was killed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A living process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its command line, words separated by blanks.
    pub line: String,
}

/// All of this process namespace but this process, those that started it, and zombies.
///
/// # Errors
/// `/proc` cannot be read.
pub fn others() -> Result<Vec<Process>> {
    let own = std::process::id().cast_signed();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<i32>() else {
            continue;
        };
        if pid == 1 || pid == own || !lives(pid) {
            continue;
        }
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        // The harness's own, which unmounts the volume at the end.
        if line.contains(" watcher ") {
            continue;
        }
        found.push(Process {
            pid,
            line: line.trim().to_owned(),
        });
    }
    Ok(found)
}

/// Kills all of these and waits until they are gone.
///
/// # Errors
/// One does not die.
pub fn kill(pids: &[i32]) -> Result<()> {
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        // Gone already: that is what is wanted.
        let _ = kill_process(pid, Signal::KILL);
    }
    let until = Instant::now() + PATIENCE;
    while let Some(pid) = pids.iter().find(|pid| lives(**pid)) {
        if Instant::now() > until {
            bail!("process {pid} does not die");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Whether a process is more than a zombie.
pub fn lives(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| {
        let after_name = stat.rfind(')').map_or("", |at| &stat[at + 1..]);
        !after_name.trim_start().starts_with(['Z', 'X'])
    })
}

/// The living process that a record of the engine's names.
pub fn recorded(record: &Path) -> Option<i32> {
    let bytes = std::fs::read(record).ok()?;
    let record: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    let pid = i32::try_from(record["pid"].as_i64()?).ok()?;
    lives(pid).then_some(pid)
}
