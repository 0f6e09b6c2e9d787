//! PostgreSQL's own client programs.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::address::Address;
use super::failure::Failure;
use super::programs::{gentle, tail};

/// Where Debian puts the programs of each major version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// What a program says, in the directory that it works for.
const LOG: &str = "output.log";
const POLL: Duration = Duration::from_millis(20);

/// Finds a program that is no older than the server, which it would refuse.
pub(super) fn find(tool: &'static str, server: u32) -> Result<PathBuf, Failure> {
    let wrong = |output: String| Failure::Tool {
        tool: tool.into(),
        output,
    };
    let program = programs(tool).into_iter().next().ok_or_else(|| {
        wrong(format!(
            "not found in PATH nor in {DEBIAN}; install PostgreSQL's client programs, version {server} or newer"
        ))
    })?;
    let output = Command::new(&program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::disk(&program, error))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match major(&text) {
        Some(version) if version >= server => Ok(program),
        Some(version) => Err(wrong(format!(
            "{} has version {version}, but the server {server}; install the client programs of version {server} or newer",
            program.display()
        ))),
        None => Err(wrong(format!(
            "{} says about its version: {text}",
            program.display()
        ))),
    }
}

/// A program that connects to this database. Its password is in its environment, not in its arguments. It works for the
/// protected directory `directory`.
pub(super) fn command(
    tool: &'static str,
    address: &Address,
    database: &str,
    directory: &Path,
) -> Result<Command, Failure> {
    let mut command = connected(Command::new(find(tool, 0)?), address, database)?;
    command.stderr(log(directory)?);
    Ok(command)
}

/// The same, with the lowest priority for processor and disk: whoever works with the machine goes first.
pub(super) fn gentle_command(
    tool: &'static str,
    address: &Address,
    database: &str,
    directory: &Path,
) -> Result<Command, Failure> {
    let mut command = connected(gentle(&find(tool, 0)?), address, database)?;
    command.stderr(log(directory)?);
    Ok(command)
}

/// Tells it where the database is, and the password.
pub(super) fn connected(
    mut command: Command,
    address: &Address,
    database: &str,
) -> Result<Command, Failure> {
    command
        .args(["--no-password", "--dbname", &address.server()?])
        .envs(address.tool_env()?)
        .env("PGDATABASE", database)
        .env("PGAPPNAME", "obnova")
        .env("LC_MESSAGES", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(command)
}

/// Runs it to its end, for as long as `go_on` says.
pub(super) fn run(
    tool: &'static str,
    mut command: Command,
    directory: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let child = command
        .spawn()
        .map_err(|error| Failure::disk(Path::new(tool), error))?;
    finish(tool, child, directory, go_on)
}

/// Waits for the end of one that was started, for as long as `go_on` says.
pub(super) fn finish(
    tool: &'static str,
    mut child: Child,
    directory: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let disk = |error| Failure::disk(Path::new(tool), error);
    loop {
        match child.try_wait().map_err(disk)? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => {
                let output = format!("{status}: {}", tail(&directory.join(LOG)));
                return Err(Failure::Tool {
                    tool: tool.into(),
                    output,
                });
            }
            None if !go_on() => {
                child.kill().map_err(disk)?;
                child.wait().map_err(disk)?;
                return Err(Failure::Interrupted);
            }
            None => sleep(POLL),
        }
    }
}

/// Where the output of programs that work for this directory goes.
pub(super) fn log_path(directory: &Path) -> PathBuf {
    directory.join(LOG)
}

/// The same, open.
pub(super) fn log(directory: &Path) -> Result<std::fs::File, Failure> {
    let log = log_path(directory);
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log)
        .map_err(|error| Failure::disk(&log, error))
}

/// A server's program of this major version, or of the next newer one that is here: a server reads what an older one has dumped.
/// `preferred` is where it may be beside the usual places.
pub(super) fn of_server(
    tool: &'static str,
    version: u32,
    preferred: Option<&Path>,
) -> Result<PathBuf, Failure> {
    let version_of = |program: &PathBuf| {
        let output = Command::new(program).arg("--version").output().ok()?;
        major(&String::from_utf8_lossy(&output.stdout)).filter(|found| *found >= version)
    };
    let preferred = preferred.map(|directory| directory.join(tool));
    let all = preferred.into_iter().chain(programs(tool));
    let fitting = all.filter_map(|program| Some((version_of(&program)?, program)));
    let oldest = fitting.min_by_key(|(version, _)| *version);
    oldest.map(|(_, program)| program).ok_or_else(|| Failure::Tool {
        tool: tool.into(),
        output: format!(
            "of PostgreSQL {version} is needed, and is neither in PATH nor in {DEBIAN}; install the server's package of that version"
        ),
    })
}

/// Where it is, the newest version first.
fn programs(tool: &str) -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name().and_then(OsStr::to_str)?.parse().ok()?;
            Some((version, path.join("bin")))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    let path = std::env::var_os("PATH").unwrap_or_default();
    versions
        .into_iter()
        .map(|(_, directory)| directory)
        .chain(std::env::split_paths(&path))
        .map(|directory| directory.join(tool))
        .filter(|program| program.is_file())
        .collect()
}

/// The major version in `pg_dump (PostgreSQL) 15.14 (Debian ...)`.
fn major(text: &str) -> Option<u32> {
    let (_, version) = text.split_once("(PostgreSQL) ")?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_a_program_says() {
        assert_eq!(
            major("pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"),
            Some(15)
        );
        assert_eq!(major("pg_restore (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major("something else"), None);
    }
}
