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
/// The version whose `pg_restore` sets something that no older server knows.
pub(super) const TIMEOUT_SINCE: u32 = 17;

/// Finds a program that is no older than the server, which it would refuse; of those the oldest, since what a newer one makes of a
/// dump may be more than the server understands. Zero is any server: that is for programs that know all versions.
pub(super) fn find(tool: &'static str, server: u32) -> Result<PathBuf, Failure> {
    let wrong = |output: String| Failure::Tool {
        tool: tool.into(),
        output,
    };
    let programs = programs(tool);
    let first = programs.first().ok_or_else(|| {
        wrong(format!(
            "not found in PATH nor in {DEBIAN}; install PostgreSQL's client programs, version {server} or newer"
        ))
    })?;
    if server == 0 {
        return Ok(first.clone());
    }
    let known: Vec<(u32, &PathBuf)> = programs
        .iter()
        .filter_map(|program| Some((version_of(program)?, program)))
        .collect();
    let fitting = known.iter().filter(|(version, _)| *version >= server);
    if let Some((_, program)) = fitting.min_by_key(|(version, _)| *version) {
        return Ok((*program).clone());
    }
    match known.iter().max_by_key(|(version, _)| *version) {
        Some((version, program)) => Err(wrong(format!(
            "{} has version {version}, but the server {server}; install the client programs of version {server} or newer",
            program.display()
        ))),
        None => Err(wrong(format!(
            "{} does not say its version",
            first.display()
        ))),
    }
}

fn version_of(program: &Path) -> Option<u32> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    major(&String::from_utf8_lossy(&output.stdout))
}

/// A program that connects to this database. Its password is in its environment, not in its arguments. It works for the
/// protected directory `directory`.
pub(super) fn command(
    tool: &'static str,
    address: &Address,
    database: &str,
    directory: &Path,
) -> Result<Command, Failure> {
    let program = find(tool, address.major()?)?;
    let mut command = connected(Command::new(program), address, database)?;
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
    let program = find(tool, address.major()?)?;
    let mut command = connected(gentle(&program), address, database)?;
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

/// Fills a database with a dump in the directory format, for as long as `go_on` says. `options` come before the dump.
pub(super) fn restore(
    address: &Address,
    database: &str,
    options: &[&str],
    dump: &Path,
    directory: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    const TOOL: &str = "pg_restore";
    let server = address.major()?;
    let program = find(TOOL, server)?;
    // Then one complaint about something that is no part of the dump does not end it.
    let is_newer = server < TIMEOUT_SINCE && version_of(&program) >= Some(TIMEOUT_SINCE);
    let log = log_path(directory);
    let said_before = std::fs::metadata(&log).map_or(0, |it| it.len());
    let mut command = command(TOOL, address, database, directory)?;
    command
        .args((!is_newer).then_some("--exit-on-error"))
        .args(options)
        .arg(dump);
    let done = run(TOOL, command, directory, go_on);
    match done {
        Err(Failure::Tool { .. }) if is_newer => {
            let said = std::fs::read(&log).map_err(|error| Failure::disk(&log, error))?;
            let said = said.get(usize::try_from(said_before).unwrap_or(0)..);
            match is_only_about_timeout(&String::from_utf8_lossy(said.unwrap_or_default())) {
                true => Ok(()),
                false => done,
            }
        }
        _ => done,
    }
}

/// Whether all that `pg_restore` complains of is that the server knows no `transaction_timeout`, which it takes off first of all
/// in each of its sessions.
fn is_only_about_timeout(said: &str) -> bool {
    let errors = said.lines().filter(|line| line.contains(": error: "));
    let harmless = said
        .lines()
        .filter(|line| *line == "Command was: SET transaction_timeout = 0;");
    let (errors, harmless) = (errors.count(), harmless.count());
    errors > 0 && errors == harmless
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
    let version_of = |program: &PathBuf| version_of(program).filter(|found| *found >= version);
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

    #[test]
    fn only_the_complaint_about_a_newer_setting_is_harmless() {
        let harmless = "pg_restore: error: could not execute query: ERROR:  unrecognized\n\
                        Command was: SET transaction_timeout = 0;\n";
        assert!(is_only_about_timeout(&harmless.repeat(3)));
        let other = "pg_restore: error: could not execute query: ERROR:  no space\nCommand was: CREATE TABLE a (b int);\n";
        assert!(!is_only_about_timeout(&format!("{harmless}{other}")));
        assert!(!is_only_about_timeout(""));
    }
}
