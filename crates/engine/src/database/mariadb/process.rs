//! The server as a process of this machine: found, stopped, killed and started.
//!
//! It is known by its working directory, which is its data directory, whatever that is called meanwhile. Nothing has to be
//! on record for that, so a server that an engine had just started when it was killed is found as well.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::failure::Failure;
use super::programs::tail;
use super::server::Server;

/// What the server's program is called.
const NAMES: [&str; 2] = ["mariadbd", "mysqld"];
/// What starts it again when it is killed.
const GUARDIANS: [&str; 2] = ["mariadbd-safe", "mysqld_safe"];
/// What of its environment it gets again.
const ENVIRONMENT: [&str; 8] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "UMASK",
    "UMASK_DIR",
    "MYSQL_HOME",
];
/// How long a clean stop may take: it writes what it has in memory.
const STOP_PATIENCE: Duration = Duration::from_secs(300);
/// How long one may take that was perhaps only just starting.
const END_PATIENCE: Duration = Duration::from_secs(15);
/// How long the kernel may take to end what was killed.
const KILL_PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take until the server lets anybody in; after a crash it reads its log first.
const READY_PATIENCE: Duration = Duration::from_secs(600);
/// How long a server that was started may take until it is seen as a process.
const APPEARANCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);
/// Pause between two signals.
const AGAIN: Duration = Duration::from_secs(2);

/// How a server is stopped and started again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Starting {
    /// By commands of the installation file: somebody else looks after it.
    Commands {
        /// Returns when it is up.
        start: Vec<String>,
        /// Returns when it has ended.
        stop: Vec<String>,
    },
    /// As it was started before.
    Itself {
        /// Its program.
        program: PathBuf,
        /// What it was told.
        arguments: Vec<String>,
        /// What of its environment matters.
        env: Vec<(String, String)>,
        /// Its user and group.
        ids: (u32, u32),
    },
}

/// The process that works in this data directory.
pub(super) fn find(data: &Path) -> Option<i32> {
    let entries = std::fs::read_dir("/proc").ok()?;
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            NAMES.contains(&name.trim())
        })
        .find(|pid| works_in(*pid, data))
}

/// Whether a process works in a directory. One that has ended works nowhere, also before anybody has asked for its end.
fn works_in(pid: i32, data: &Path) -> bool {
    let place = |path: &Path| Some(std::fs::metadata(path).ok()?).map(|it| (it.dev(), it.ino()));
    let works_in = place(Path::new(&format!("/proc/{pid}/cwd")));
    works_in.is_some() && works_in == place(data)
}

/// How the server on this directory can be started as it was before.
///
/// # Errors
/// It does not run, or somebody looks after it; technical English.
pub(super) fn as_it_was_started(data: &Path) -> Result<Starting, String> {
    let pid = find(data).ok_or_else(|| {
        format!(
            "no server of this machine that this account can see works in {}",
            data.display()
        )
    })?;
    if let Some(guardian) = guardian(pid) {
        return Err(format!(
            "{guardian} looks after the server: name its commands in database.cluster.start and .stop"
        ));
    }
    let read = |what: &str| {
        std::fs::read(format!("/proc/{pid}/{what}"))
            .map(|bytes| {
                let words = bytes.split(|byte| *byte == 0);
                let words = words.map(|word| String::from_utf8_lossy(word).into_owned());
                words.collect::<Vec<_>>()
            })
            .map_err(|error| format!("/proc/{pid}/{what}: {error}"))
    };
    let mut words = read("cmdline")?;
    // Ends with a zero byte.
    words.pop();
    let given = if words.is_empty() {
        String::new()
    } else {
        words.remove(0)
    };
    let program = std::fs::read_link(format!("/proc/{pid}/exe"))
        .ok()
        // Not there any more if it was upgraded meanwhile.
        .filter(|program| program.is_file())
        .unwrap_or_else(|| given.into());
    let env = read("environ")?
        .iter()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| ENVIRONMENT.contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let owner = std::fs::metadata(format!("/proc/{pid}"))
        .map_err(|error| format!("/proc/{pid}: {error}"))?;
    Ok(Starting::Itself {
        program,
        arguments: words,
        env,
        ids: (owner.uid(), owner.gid()),
    })
}

/// Who starts a process again when it is killed.
fn guardian(pid: i32) -> Option<String> {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let unit = groups
        .lines()
        .filter_map(|line| Some(line.rsplit_once('/')?.1))
        .find(|group| {
            group.ends_with(".service")
                && NAMES
                    .iter()
                    .chain(&["mysql", "mariadb"])
                    .any(|name| group.contains(name))
        });
    if let Some(unit) = unit {
        return Some(format!("systemd ({unit})"));
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let parent = status
        .lines()
        .find_map(|line| line.strip_prefix("PPid:"))?
        .trim();
    let name = std::fs::read_to_string(format!("/proc/{parent}/comm")).ok()?;
    // The kernel keeps 15 bytes of a name.
    let is_one = |known: &&str| !name.trim().is_empty() && known.starts_with(name.trim());
    GUARDIANS
        .iter()
        .find(|known| is_one(known))
        .map(|it| (*it).to_owned())
}

impl Starting {
    /// Ends the server cleanly.
    pub(super) fn stop(&self, data: &Path) -> Result<(), Failure> {
        match self {
            Starting::Commands { stop, .. } => {
                run(stop)?;
                wait_for_end(data, None, STOP_PATIENCE)
            }
            Starting::Itself { .. } => wait_for_end(data, Some(Signal::TERM), STOP_PATIENCE),
        }
    }

    /// Ends the server, cleanly if it does that soon. One that was told to end while it was starting may wait for itself for ever
    /// (seen in MariaDB 10.11, in `init_slave`); killed, it reads its log when it is started again.
    pub(super) fn end(&self, data: &Path) -> Result<(), Failure> {
        match self {
            Starting::Commands { .. } => self.stop(data),
            Starting::Itself { .. } => {
                wait_for_end(data, Some(Signal::TERM), END_PATIENCE).or_else(|_| self.kill(data))
            }
        }
    }

    /// Ends the server as fast as can be: what it has in memory is not needed any more.
    pub(super) fn kill(&self, data: &Path) -> Result<(), Failure> {
        if let Starting::Commands { stop, .. } = self {
            // Whoever looks after it would start it again if it were only killed.
            let stop = stop.clone();
            let stopping = spawn(move || run(&stop));
            let until = Instant::now() + KILL_PATIENCE;
            while !stopping.is_finished() && Instant::now() < until {
                sleep(POLL);
            }
            // It may be that the command complains about the signal that comes now; whether the server is gone is seen below.
            signal(data, Signal::KILL);
            let _ = stopping.join();
        }
        wait_for_end(data, Some(Signal::KILL), KILL_PATIENCE)
    }

    /// Starts the server if it does not run, and waits until it lets the application in. What it says beside its own log goes
    /// to `log`.
    pub(super) fn start(&self, data: &Path, address: &Address, log: &Path) -> Result<(), Failure> {
        let options = address.options()?;
        let began = Instant::now();
        let (mut is_started, mut seen) = (false, began);
        let mut pid = None;
        loop {
            pid = pid
                .filter(|pid| works_in(*pid, data))
                .or_else(|| find(data));
            if pid.is_some() {
                seen = Instant::now();
            } else if !is_started {
                is_started = true;
                self.start_process(data, log)?;
            }
            if Server::connect(&options).is_ok() {
                return Ok(());
            }
            if seen.elapsed() > APPEARANCE || began.elapsed() > READY_PATIENCE {
                return Err(Failure::Tool {
                    tool: "mariadbd".into(),
                    output: format!("the server does not start: {}", tail(log)),
                });
            }
            sleep(POLL);
        }
    }

    fn start_process(&self, data: &Path, log: &Path) -> Result<(), Failure> {
        let (program, arguments, env, ids) = match self {
            Starting::Commands { start, .. } => return run(start),
            Starting::Itself {
                program,
                arguments,
                env,
                ids,
            } => (program, arguments, env, ids),
        };
        let disk = |error| Failure::disk(log, error);
        let output = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .map_err(disk)?;
        let mut command = Command::new(program);
        if rustix::process::geteuid().is_root() {
            command.uid(ids.0).gid(ids.1);
        }
        let mut child = command
            .args(arguments)
            .env_clear()
            .envs(env.iter().map(|(name, value)| (name, value)))
            .current_dir(data)
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(disk)?)
            .stderr(output)
            // It outlives the engine, and what ends that one's group.
            .process_group(0)
            .spawn()
            .map_err(|error| Failure::disk(program, error))?;
        // Somebody has to ask for its end.
        spawn(move || child.wait());
        Ok(())
    }
}

fn signal(data: &Path, signal: Signal) {
    if let Some(pid) = find(data).and_then(Pid::from_raw) {
        // It may have ended by itself.
        let _ = kill_process(pid, signal);
    }
}

/// Waits until nobody works in the directory any more. A server that is just starting does not hear every signal, so it gets
/// this one again and again.
fn wait_for_end(data: &Path, again: Option<Signal>, patience: Duration) -> Result<(), Failure> {
    let began = Instant::now();
    while let Some(pid) = find(data) {
        if began.elapsed() > patience {
            return Err(Failure::Unsuitable(format!(
                "the server (process {pid}) does not end within {} s",
                patience.as_secs()
            )));
        }
        if let (Some(again), Some(pid)) = (again, Pid::from_raw(pid)) {
            // It may have ended by itself.
            let _ = kill_process(pid, again);
        }
        let until = Instant::now() + AGAIN;
        while works_in(pid, data) && Instant::now() < until {
            sleep(POLL);
        }
    }
    Ok(())
}

/// Runs one of the installation file's commands to its end.
fn run(words: &[String]) -> Result<(), Failure> {
    let (program, arguments) = words
        .split_first()
        .ok_or_else(|| Failure::Unsuitable("database.cluster: an empty command".to_owned()))?;
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::disk(Path::new(program), error))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Failure::Tool {
            tool: program.clone().into(),
            output: format!(
                "{}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        }),
    }
}
