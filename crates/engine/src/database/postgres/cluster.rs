//! A cluster that is this application's alone: its server is stopped and started again, exactly as it was started before.
//!
//! Before the server is stopped, a file beside the data directory says so and how to start it; it goes when the server is up again.
//! So whoever finds that file and no server starts it: an engine that was killed between leaves nothing that stays down.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::postmaster::{self, Postmaster};
use crate::durable;
use crate::installation;

/// How long a server may take to end; a clean end writes what is in memory.
const STOP_PATIENCE: Duration = Duration::from_secs(300);
/// Says that the server was stopped by us, and how it is started.
const STOPPED: &str = "stopped.json";
/// Output of the server where it has no log of its own.
const LOG: &str = "server.log";
/// What of a server's environment is kept.
const ENVIRONMENT: [&str; 6] = [
    "PATH",
    "HOME",
    "LANG",
    "TZ",
    "LD_LIBRARY_PATH",
    "PGSYSCONFDIR",
];

/// See the module.
#[derive(Clone)]
pub(super) struct Cluster {
    config: installation::Cluster,
}

/// How a server was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Launch {
    /// The program `postgres`.
    pub(super) program: PathBuf,
    /// Its arguments.
    pub(super) arguments: Vec<String>,
    /// Groups of its account, beside the first.
    pub(super) groups: Vec<u32>,
    /// What of its environment matters.
    pub(super) environment: Vec<(String, String)>,
    /// Where it says something, if that is a file.
    pub(super) log: Option<PathBuf>,
}

/// How to stop a server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Everything is written first, so that the files are complete.
    Clean,
    /// At once: nobody needs its files any more.
    Immediate,
}

impl Cluster {
    pub(super) fn new(config: installation::Cluster) -> Cluster {
        Cluster { config }
    }

    /// What the installation file says about it.
    pub(super) fn config(&self) -> &installation::Cluster {
        &self.config
    }

    /// Its data directory.
    pub(super) fn data(&self) -> &Path {
        &self.config.data
    }

    /// The directory for copies, in the same file system as the data.
    pub(super) fn beside(&self) -> PathBuf {
        let mut name = self.data().as_os_str().to_owned();
        name.push(".obnova");
        name.into()
    }

    /// User and group of its files.
    pub(super) fn owner(&self) -> Result<(u32, u32), Failure> {
        // The data directory may just be between two renames.
        let metadata = std::fs::metadata(self.data()).or_else(|_| std::fs::metadata(self.beside()));
        metadata
            .map(|it| (it.uid(), it.gid()))
            .map_err(|error| Failure::disk(self.data(), error))
    }

    /// Makes a directory that belongs to the server's account.
    pub(super) fn make_directory(&self, path: &Path) -> Result<(), Failure> {
        let (user, group) = self.owner()?;
        durable::create_dir_all(path)
            .and_then(|()| durable::set_mode(path, 0o700))
            .and_then(|()| chown(path, Some(user), Some(group)))
            .map_err(|error| Failure::disk(path, error))
    }

    /// Its server, if it runs.
    pub(super) fn running(&self) -> Option<Postmaster> {
        Postmaster::of(self.data())
    }

    /// How its server was started; of one that was stopped by us, what was known then.
    pub(super) fn launch(&self) -> Result<Option<Launch>, Failure> {
        match self.running() {
            Some(postmaster) => self.learn(&postmaster).map(Some),
            None => self.stopped(),
        }
    }

    /// The directory of its server's programs, as far as that is known.
    pub(super) fn programs(&self) -> Option<PathBuf> {
        let of_server = || Some(self.launch().ok()??.program.parent()?.to_owned());
        self.config.programs.clone().or_else(of_server)
    }

    fn learn(&self, postmaster: &Postmaster) -> Result<Launch, Failure> {
        let mut launch = Launch::of(postmaster)?;
        if let Some(programs) = &self.config.programs {
            launch.program = programs.join("postgres");
        }
        // `pg_ctl` says this itself; otherwise there would be one more after every start.
        let data = self.data().display().to_string();
        while let Some(at) = launch
            .arguments
            .windows(2)
            .position(|pair| pair[0] == "-D" && pair[1] == data)
        {
            launch.arguments.drain(at..at + 2);
        }
        Ok(launch)
    }

    fn stopped(&self) -> Result<Option<Launch>, Failure> {
        let path = self.beside().join(STOPPED);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| Failure::disk(&path, error.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::disk(&path, error)),
        }
    }

    /// Stops its server, if it runs. Whatever becomes of this process, the server is started again.
    pub(super) fn stop(&self, how: Stop) -> Result<(), Failure> {
        let Some(postmaster) = self.running() else {
            return Ok(());
        };
        let launch = self.learn(&postmaster)?;
        let path = self.beside().join(STOPPED);
        let text =
            serde_json::to_vec(&launch).map_err(|error| Failure::disk(&path, error.into()))?;
        self.make_directory(&self.beside())?;
        durable::write(&path, &text, 0o600).map_err(|error| Failure::disk(&path, error))?;
        match self.config.stop.split_first() {
            Some((program, arguments)) => run(program, arguments, &self.beside())?,
            None => signal(&postmaster, how)?,
        }
        postmaster.wait_for_end(STOP_PATIENCE)
    }

    /// Starts its server, unless it runs, and waits until it lets others in. `known` is how, where it is not known from its
    /// being stopped.
    pub(super) fn start(&self, known: Option<&Launch>) -> Result<(), Failure> {
        let mut log = self.beside().join(LOG);
        self.wait_while_stopping()?;
        if self.running().is_none() {
            let stopped = self.stopped()?;
            let launch = stopped.as_ref().or(known).ok_or_else(|| {
                Failure::Unsuitable(format!(
                    "the server of {} does not run; please start it",
                    self.data().display()
                ))
            })?;
            self.make_directory(&self.beside())?;
            match self.config.start.split_first() {
                Some((program, arguments)) => run(program, arguments, &self.beside())?,
                None => launch.start(self.data(), &launch.arguments, self.owner()?, &log)?,
            }
            log = launch.log.clone().unwrap_or(log);
        }
        Postmaster::wait(self.data(), &log)?;
        let stopped = self.beside().join(STOPPED);
        durable::remove_file(&stopped).map_err(|error| Failure::disk(&stopped, error))
    }

    /// Proves that it could be started as it was, while it runs.
    pub(super) fn try_to_start(&self, launch: &Launch) -> Result<(), Failure> {
        if !self.config.start.is_empty() {
            return Ok(());
        }
        let output = launch
            .command(&launch.program, self.owner()?)
            .arg("-D")
            .arg(self.data())
            .args(&launch.arguments)
            .args(["-C", "data_directory"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| Failure::disk(&launch.program, error))?;
        let (said, errors) = (
            String::from_utf8_lossy(&output.stdout).trim().to_owned(),
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        );
        let has_tool = launch.program.with_file_name("pg_ctl").is_file();
        if output.status.success() && Path::new(&said) == self.data() && has_tool {
            return Ok(());
        }
        Err(Failure::Unsuitable(format!(
            "the server could not be started as it was, by {} {}: {said} {errors}",
            launch.program.display(),
            launch.arguments.join(" ")
        )))
    }

    /// Starts its server if an engine that has gone left it stopped.
    pub(super) fn revive(&self) -> Result<(), Failure> {
        let can_run = self.data().join("PG_VERSION").exists();
        match can_run && self.stopped()?.is_some() {
            true => self.start(None),
            false => Ok(()),
        }
    }

    fn wait_while_stopping(&self) -> Result<(), Failure> {
        match self.running() {
            Some(postmaster) if postmaster.is_stopping() => postmaster.wait_for_end(STOP_PATIENCE),
            _ => Ok(()),
        }
    }
}

impl Launch {
    /// How the one that runs was started.
    fn of(postmaster: &Postmaster) -> Result<Launch, Failure> {
        let process = PathBuf::from(format!("/proc/{}", postmaster.pid));
        let read = |name: &str| {
            let path = process.join(name);
            std::fs::read(&path).map_err(|error| Failure::disk(&path, error))
        };
        let program = process.join("exe");
        let program =
            std::fs::read_link(&program).map_err(|error| Failure::disk(&program, error))?;
        // What replaced it when it was upgraded has its name.
        let program = program.display().to_string();
        let program = program.trim_end_matches(" (deleted)").into();
        let words = strings(&read("cmdline")?);
        let status = String::from_utf8_lossy(&read("status")?).into_owned();
        let groups = status.lines().find_map(|line| line.strip_prefix("Groups:"));
        let environment = strings(&read("environ")?);
        let kept = |(name, _): &(&str, &str)| ENVIRONMENT.contains(name) || name.starts_with("LC_");
        // Only where it is a file; a pipe leads to somebody who has noticed the end of it.
        let log = std::fs::read_link(process.join("fd/2"))
            .ok()
            .filter(|path| path.is_file());
        Ok(Launch {
            program,
            arguments: words.into_iter().skip(1).collect(),
            groups: groups
                .unwrap_or_default()
                .split_whitespace()
                .filter_map(|group| group.parse().ok())
                .collect(),
            environment: environment
                .iter()
                .filter_map(|text| text.split_once('='))
                .filter(kept)
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            log,
        })
    }

    /// A program as the account that the server runs as, with its groups.
    pub(super) fn command(&self, program: &Path, owner: (u32, u32)) -> Command {
        let mut command = match rustix::process::geteuid().is_root() {
            true => {
                let mut command = Command::new("setpriv");
                command.args([
                    "--reuid",
                    &owner.0.to_string(),
                    "--regid",
                    &owner.1.to_string(),
                ]);
                let groups: Vec<String> = self.groups.iter().map(u32::to_string).collect();
                match groups.is_empty() {
                    true => command.arg("--clear-groups"),
                    false => command.args(["--groups", &groups.join(",")]),
                };
                command.arg(program);
                command
            }
            false => Command::new(program),
        };
        command
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Starts the server on this data directory, in no group of ours, and does not wait.
    pub(super) fn start(
        &self,
        data: &Path,
        arguments: &[String],
        owner: (u32, u32),
        log: &Path,
    ) -> Result<(), Failure> {
        let program = self.program.with_file_name("pg_ctl");
        let quoted: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
        let status = self
            .command(&program, owner)
            .args(["start", "--no-wait", "--silent", "--pgdata"])
            .arg(data)
            .arg("--log")
            .arg(self.log.as_deref().unwrap_or(log))
            .arg("--options")
            .arg(quoted.join(" "))
            .status()
            .map_err(|error| Failure::disk(&program, error))?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::Tool {
                tool: "pg_ctl".into(),
                output: status.to_string(),
            }),
        }
    }
}

/// Stops a server that is not managed by anybody.
pub(super) fn signal(postmaster: &Postmaster, how: Stop) -> Result<(), Failure> {
    let signal = match how {
        Stop::Clean => Signal::INT,
        Stop::Immediate => Signal::QUIT,
    };
    let Some(pid) = Pid::from_raw(postmaster.pid) else {
        return Ok(());
    };
    match kill_process(pid, signal) {
        // It has just ended.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(Failure::Unsuitable(format!(
            "the server (process {}) cannot be stopped: {error}",
            postmaster.pid
        ))),
    }
}

/// Stops the server on a data directory at once, if one runs there.
pub(super) fn stop_at_once(data: &Path) -> Result<(), Failure> {
    match Postmaster::of(data) {
        Some(postmaster) => {
            signal(&postmaster, Stop::Immediate)?;
            postmaster.wait_for_end(STOP_PATIENCE)
        }
        None => Ok(()),
    }
}

/// The service of systemd that a process belongs to, if it is not this process's own.
pub(super) fn service(pid: i32) -> Option<String> {
    let of = |pid: &str| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
        let mut units = path.split('/').filter(|part| part.ends_with(".service"));
        units.next_back().map(str::to_owned)
    };
    let found = of(&pid.to_string())?;
    (Some(&found) != of("self").as_ref()).then_some(found)
}

/// Whether a session's process belongs to the server on a data directory.
pub(super) fn serves(postmaster: &Postmaster, session: i32) -> bool {
    postmaster::parent(session) == Some(postmaster.pid)
}

/// Runs a command of the installation file to its end.
fn run(program: &str, arguments: &[String], directory: &Path) -> Result<(), Failure> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::disk(Path::new(program), error))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(Failure::Unsuitable(format!(
            "{program} for {}: {}: {}",
            directory.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        ))),
    }
}

/// Texts that each end with a zero; some may be empty, such as the value of an argument.
fn strings(bytes: &[u8]) -> Vec<String> {
    let Some(texts) = bytes.strip_suffix(&[0]) else {
        return Vec::new();
    };
    let parts = texts.split(|byte| *byte == 0);
    parts
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}

/// A word as the shell reads it.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The name of an update in the paths of its protected directory; none where the directory is not an update's own.
pub(super) fn update_of(directory: &Path) -> Option<String> {
    let update = directory.parent()?.file_name()?.to_string_lossy();
    // `7.used` is the same update as `7`.
    let number: String = update.chars().take_while(char::is_ascii_digit).collect();
    (!number.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_no_updates_own_has_no_name() {
        let of = |path: &str| update_of(Path::new(path));
        assert_eq!(of("/state/protected/7/database").as_deref(), Some("7"));
        assert_eq!(of("/state/protected/7.used/database").as_deref(), Some("7"));
        assert_eq!(of("/state/protected/7/back/database"), None);
        assert_eq!(of("database"), None);
    }

    #[test]
    fn empty_arguments_of_a_server_are_kept() {
        assert_eq!(
            strings(b"postgres\0-h\0\0-p\x005\0"),
            ["postgres", "-h", "", "-p", "5"]
        );
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
