//! A server as its own files tell of it: `postmaster.pid` in the data directory.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::failure::Failure;
use super::programs;

/// Pause between two looks.
const POLL: Duration = Duration::from_millis(5);
/// How long a server that was just started may take until it says so in its data directory.
const APPEARANCE: Duration = Duration::from_secs(10);
/// How long the kernel may take to end what was killed.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take until it lets anybody in; after a crash it reads its log first.
const READY_PATIENCE: Duration = Duration::from_secs(600);

/// A server that runs.
#[derive(Debug, Clone)]
pub(super) struct Postmaster {
    /// Its process.
    pub(super) pid: i32,
    /// Its port, of the socket and of TCP.
    pub(super) port: u16,
    /// The first directory with its socket.
    pub(super) socket: PathBuf,
    /// What it says about itself, such as `ready` or `standby`.
    status: String,
}

impl Postmaster {
    /// The one that works with this data directory, if any.
    pub(super) fn of(data: &Path) -> Option<Postmaster> {
        let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let pid = lines.first()?.parse().ok().filter(|pid| *pid > 0)?;
        (is_alive(pid) && works_in(pid, data)).then(|| Postmaster {
            pid,
            port: lines.get(3).and_then(|line| line.parse().ok()).unwrap_or(0),
            socket: lines.get(4).copied().unwrap_or_default().into(),
            status: lines.get(7).copied().unwrap_or_default().to_owned(),
        })
    }

    /// Waits until the one that was just started on this data directory lets others in.
    ///
    /// # Errors
    /// It ended, with the end of what it said in `log`; or it takes too long.
    pub(super) fn wait(data: &Path, log: &Path) -> Result<Postmaster, Failure> {
        let began = Instant::now();
        let mut seen = began;
        loop {
            match Postmaster::of(data) {
                Some(postmaster) if ["ready", "standby"].contains(&postmaster.status.as_str()) => {
                    return Ok(postmaster);
                }
                Some(_) => seen = Instant::now(),
                None => {}
            }
            if seen.elapsed() > APPEARANCE || began.elapsed() > READY_PATIENCE {
                return Err(Failure::Tool {
                    tool: "postgres".into(),
                    output: programs::tail(log),
                });
            }
            sleep(POLL);
        }
    }

    /// Whether it is about to end.
    pub(super) fn is_stopping(&self) -> bool {
        self.status == "stopping"
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn wait_for_end(&self, patience: Duration) -> Result<(), Failure> {
        let until = Instant::now() + patience;
        while is_alive(self.pid) {
            if Instant::now() > until {
                return Err(Failure::Unsuitable(format!(
                    "the server (process {}) does not end within {} s",
                    self.pid,
                    patience.as_secs()
                )));
            }
            sleep(POLL);
        }
        Ok(())
    }
}

/// Whether a process works in a directory, as a server does in its data directory. After a power cut another program may have
/// the number that an old `postmaster.pid` says: it must be neither signalled nor waited for.
fn works_in(pid: i32, data: &Path) -> bool {
    let place = |path: &Path| std::fs::metadata(path).map(|it| (it.dev(), it.ino()));
    match (place(Path::new(&format!("/proc/{pid}/cwd"))), place(data)) {
        (Ok(works_in), Ok(data)) => works_in == data,
        // Another account's, of which this one may see no more than its name.
        (Err(error), Ok(_)) if error.kind() == ErrorKind::PermissionDenied => {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
            name.is_ok_and(|name| name.starts_with("postgres"))
        }
        _ => false,
    }
}

/// Ends whatever still makes this data directory, or starts a server on it: `pg_basebackup` outlives whoever started it.
pub(super) fn end_making(data: &Path) -> Result<(), Failure> {
    let until = Instant::now() + END_PATIENCE;
    loop {
        let makers = makers(data);
        if makers.is_empty() {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(Failure::Unsuitable(format!(
                "processes {makers:?} still make {} although they were killed",
                data.display()
            )));
        }
        for pid in makers.into_iter().filter_map(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
        sleep(POLL);
    }
}

/// Processes that were told this directory as client programs are told it.
fn makers(data: &Path) -> Vec<i32> {
    let own = std::process::id().to_string();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let is_maker = |pid: &i32| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = words.split(|byte| *byte == 0).collect();
        let is_told = |pair: &[&[u8]]| {
            pair[0] == b"--pgdata" && pair[1] == data.as_os_str().as_encoded_bytes()
        };
        words.windows(2).any(is_told) && is_alive(*pid)
    };
    names
        .filter(|name| *name != own)
        .filter_map(|name| name.parse().ok())
        .filter(is_maker)
        .collect()
}

/// Whether a process runs; one that has ended and waits to be noticed does not.
pub(super) fn is_alive(pid: i32) -> bool {
    state(pid).is_some_and(|(state, _)| !["Z", "X"].contains(&state.as_str()))
}

/// Living processes that this one has started.
pub(super) fn children(of: i32) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter_map(|name| name.parse().ok())
        .filter(|pid| is_alive(*pid) && parent(*pid) == Some(of))
        .collect()
}

/// The parent of a process.
pub(super) fn parent(pid: i32) -> Option<i32> {
    state(pid).map(|(_, parent)| parent)
}

/// proc(5): fields 3 and 4, counted after the name's last bracket.
fn state(pid: i32) -> Option<(String, i32)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text[text.rfind(')')? + 1..].split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_has_got_the_number_of_a_server_that_is_gone_is_no_server() {
        let data = tempfile::tempdir().unwrap();
        let mut other = std::process::Command::new("sleep")
            .arg("60")
            .current_dir("/")
            .spawn()
            .unwrap();
        let place = data.path().display();
        let text = format!("{}\n{place}\n1\n5432\n/tmp\n\n\nready   \n", other.id());
        std::fs::write(data.path().join("postmaster.pid"), text).unwrap();
        let found = Postmaster::of(data.path());
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(found.is_none(), "{found:?}");
    }

    #[test]
    fn what_still_makes_a_directory_is_ended_and_nothing_else() {
        let data = tempfile::tempdir().unwrap();
        let told = |place: &Path| {
            std::process::Command::new("sh")
                .args(["-c", "sleep 60; exit", "sh", "--pgdata"])
                .arg(place)
                .spawn()
                .unwrap()
        };
        let (mut maker, mut other) = (told(data.path()), told(Path::new("/other")));
        end_making(data.path()).unwrap();
        assert!(!maker.wait().unwrap().success());
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
