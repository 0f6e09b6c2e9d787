//! The few lines that run between fork and exec: a process that makes sure it is on record before it becomes the application
//! or a migration.
//!
//! The engine may be killed at any instant, also between starting a process and writing down that it did. So the new
//! process writes its own record: as `obnova launch --record FILE ... -- COMMAND` it asks the kernel to be killed with its
//! parent, checks that the parent still is the one that started it, writes the record durably, and only then becomes the
//! command. A process without a record therefore never was the command. An application then may outlive its engine; a
//! migration may not, and its record leads to whatever it started itself, daemons included.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, getpid, getppid, kill_process, kill_process_group,
    set_parent_process_death_signal, setpgid,
};
use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::durable;
use crate::installation::Service;

/// Where the path of its record stands in a process's environment: children inherit it, also those that leave its group.
pub(crate) const RECORD_VARIABLE: &str = "OBNOVA_RECORD";
/// How long the kernel may take to end what was killed.
const KILL_PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// A process as another process can find it again without mistaking a later one with the same number for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number; also its group's.
    pub pid: i32,
    /// When it started, in the kernel's ticks since boot.
    pub started: u64,
    /// The boot it was in.
    pub boot: String,
    /// What its starter wants to remember.
    #[serde(default)]
    pub note: serde_json::Value,
}

impl Record {
    /// Reads a record; `None` when there is none or it is not whole.
    pub fn read(path: &Path) -> Option<Record> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Whether that very process still runs (a zombie does not).
    pub fn is_alive(&self) -> bool {
        self.boot == boot_id()
            && stat(self.pid).is_some_and(|it| !it.is_over && it.started == self.started)
    }

    /// Sends a signal to its whole group. Somebody of the group may live on after the process itself has ended.
    pub fn signal(&self, signal: Signal) {
        if self.boot != boot_id() {
            return;
        }
        if let Some(pid) = Pid::from_raw(self.pid) {
            // The group may be gone by now: that is what is wanted.
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Kills whatever is left of all that was started under this record, waits until it is gone, and forgets it. A killed
    /// process may still finish what it was just writing, so nobody may touch its files before this returns.
    ///
    /// # Errors
    /// Something does not end, or the record cannot be removed.
    pub fn finish_off(path: &Path) -> io::Result<()> {
        let until = Instant::now() + KILL_PATIENCE;
        loop {
            let family = family(path)?;
            if family.is_empty() {
                return durable::remove_file(path);
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
}

/// Every living process that was started under a record: those that have its path in their environment, whatever group or
/// session they have moved to, and those of the recorded process's group, whatever they did to their environment.
fn family(path: &Path) -> io::Result<Vec<i32>> {
    let mut mark = format!("{RECORD_VARIABLE}=").into_bytes();
    mark.extend_from_slice(path.as_os_str().as_encoded_bytes());
    // A number is used again only after the whole group is gone, so a group of that number with the leader's start time,
    // or without a living leader, is ours.
    let group = Record::read(path)
        .filter(|record| record.boot == boot_id())
        .filter(|record| {
            stat(record.pid).is_none_or(|it| it.is_over || it.started == record.started)
        })
        .map(|record| record.pid);
    let own = getpid().as_raw_nonzero().get();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Ok(pid) = entry?.file_name().to_string_lossy().parse::<i32>() else {
            continue;
        };
        // Gone meanwhile, or on its way.
        let Some(it) = stat(pid).filter(|it| !it.is_over && pid != own) else {
            continue;
        };
        let is_marked = || {
            std::fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|all| all.split(|byte| *byte == 0).any(|one| one == mark))
        };
        if group == Some(it.group) || is_marked() {
            found.push(pid);
        }
    }
    Ok(found)
}

/// What to become.
#[derive(Debug)]
pub struct Become {
    /// Where the record goes.
    pub record: PathBuf,
    /// What the record shall remember, JSON.
    pub note: String,
    /// Appended to: standard output and error.
    pub log: PathBuf,
    /// The engine that started this process.
    pub parent: i32,
    /// Whether to end when the engine ends.
    pub die_with_parent: bool,
    /// The user to run as, if not the engine's own.
    pub user: Option<String>,
    /// The group, if not the user's own.
    pub group: Option<String>,
    /// The command.
    pub command: Vec<OsString>,
}

/// Becomes the command. Returns only when it could not.
///
/// # Errors
/// Always, if at all: the engine has gone, the record cannot be written, or the command cannot be started.
pub fn run(plan: &Become) -> io::Error {
    let error = match prepare(plan) {
        Ok(mut command) => command.exec(),
        Err(error) => error,
    };
    // Where the command's own complaints would have gone.
    if let Ok(mut log) = OpenOptions::new().append(true).create(true).open(&plan.log) {
        let program = plan
            .command
            .first()
            .map(|program| program.display().to_string())
            .unwrap_or_default();
        let _ = writeln!(log, "{program}: {error}");
    }
    error
}

fn prepare(plan: &Become) -> io::Result<Command> {
    die_with_parent(plan)?;
    setpgid(None, None)?;
    let pid = getpid().as_raw_nonzero().get();
    let started = stat(pid)
        .ok_or_else(|| io::Error::other("/proc is not readable"))?
        .started;
    let note = serde_json::from_str(&plan.note)?;
    let record = Record {
        pid,
        started,
        boot: boot_id(),
        note,
    };
    durable::write(&plan.record, &serde_json::to_vec(&record)?, 0o600)?;
    let (program, arguments) = plan
        .command
        .split_first()
        .ok_or_else(|| io::Error::other("no command is given"))?;
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&plan.log)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    if let Some(user) = &plan.user {
        // This process has one thread only, the one that becomes the command.
        Account::find(user, plan.group.as_deref())?.enter()?;
    }
    match plan.die_with_parent {
        // Forgotten by the kernel with every change of the user.
        true => die_with_parent(plan)?,
        false => set_parent_process_death_signal(None)?,
    }
    Ok(command)
}

fn die_with_parent(plan: &Become) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid().is_none_or(|parent| parent.as_raw_nonzero().get() != plan.parent) {
        return Err(io::Error::other(
            "the engine that started this process has ended",
        ));
    }
    Ok(())
}

/// A command to start through the launcher.
#[derive(Debug)]
pub struct Start<'a> {
    /// Where its record goes.
    pub record: &'a Path,
    /// What the record shall remember.
    pub note: serde_json::Value,
    /// Where its output goes.
    pub log: &'a Path,
    /// Whether to end when the engine ends.
    pub die_with_parent: bool,
    /// Names the account to run as.
    pub service: &'a Service,
    /// The command.
    pub command: &'a [String],
    /// Its whole environment.
    pub env: &'a [(String, String)],
    /// Where it starts.
    pub directory: &'a Path,
}

impl Start<'_> {
    /// Starts it by `launcher`, the program and first arguments that call [`run`] with what [`parse`] reads.
    ///
    /// # Errors
    /// The launcher could not be started. Whether the command itself could is seen by its record and its end.
    pub fn spawn(&self, launcher: &[String]) -> io::Result<Child> {
        let plan = self.plan();
        let (program, first) = launcher
            .split_first()
            .ok_or_else(|| io::Error::other("no launcher is configured"))?;
        Command::new(program)
            .args(first)
            .args(arguments(&plan))
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .env(RECORD_VARIABLE, self.record)
            .current_dir(self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    }

    fn plan(&self) -> Become {
        Become {
            record: self.record.to_owned(),
            note: self.note.to_string(),
            log: self.log.to_owned(),
            parent: getpid().as_raw_nonzero().get(),
            die_with_parent: self.die_with_parent,
            user: self.service.user.clone(),
            group: self.service.group.clone(),
            command: self.command.iter().map(Into::into).collect(),
        }
    }

    /// Whether the process is the launcher no more: it has become the command, or has ended. It is on record before that, so
    /// being on record does not say that the command could be started.
    pub(crate) fn is_past(&self, pid: i32) -> bool {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        let arguments = arguments(&self.plan());
        // Every argument ends with a zero, the last one too.
        let end = words.len().saturating_sub(1);
        let begin = end.saturating_sub(arguments.len());
        let expected = arguments.iter().map(|word| word.as_encoded_bytes());
        !words[begin..end].iter().copied().eq(expected)
    }
}

/// The arguments of `launch` that [`parse`] reads, in this order, then the command.
pub fn arguments(plan: &Become) -> Vec<OsString> {
    let mut arguments = vec![
        plan.record.clone().into(),
        plan.note.clone().into(),
        plan.log.clone().into(),
        plan.parent.to_string().into(),
        if plan.die_with_parent { "die" } else { "live" }.into(),
        plan.user.clone().unwrap_or_default().into(),
        plan.group.clone().unwrap_or_default().into(),
    ];
    arguments.extend(plan.command.iter().cloned());
    arguments
}

/// Reads what [`arguments`] wrote.
pub fn parse(mut arguments: impl Iterator<Item = OsString>) -> Option<Become> {
    let name = |word: OsString| word.into_string().ok().filter(|name| !name.is_empty());
    Some(Become {
        record: arguments.next()?.into(),
        note: arguments.next()?.into_string().ok()?,
        log: arguments.next()?.into(),
        parent: arguments.next()?.into_string().ok()?.parse().ok()?,
        die_with_parent: arguments.next()? == "die",
        user: name(arguments.next()?),
        group: name(arguments.next()?),
        command: arguments.collect(),
    })
}

/// What `/proc/<pid>/stat` says of a process.
struct Stat {
    /// It is a zombie or dead.
    is_over: bool,
    group: i32,
    started: u64,
}

/// Whether a process has ended, be it that nobody has asked for its end yet.
pub(crate) fn is_over(pid: i32) -> bool {
    stat(pid).is_none_or(|it| it.is_over)
}

/// proc(5): fields 3, 5 and 22, counted after the name's last bracket.
fn stat(pid: i32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text[text.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?;
    let group = fields.nth(1)?.parse().ok()?;
    let started = fields.nth(16)?.parse().ok()?;
    Some(Stat {
        is_over: ["Z", "X"].contains(&state),
        group,
        started,
    })
}

/// Names the current boot: process numbers and start times mean nothing in another one.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}
