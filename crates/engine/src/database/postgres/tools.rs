//! PostgreSQL's own client programs.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::address::Address;
use super::failure::Failure;

/// Where Debian puts the programs of each major version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// What a program says, in the directory that it works for.
const LOG: &str = "output.log";
/// Bytes of that which a problem quotes.
const QUOTED: usize = 4000;
const POLL: Duration = Duration::from_millis(20);

/// Finds a program that is no older than the server, which it would refuse.
pub(super) fn find(tool: &'static str, server: u32) -> Result<PathBuf, Failure> {
    let wrong = |output: String| Failure::Tool { tool, output };
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
    let program = find(tool, 0)?;
    let log = directory.join(LOG);
    let output = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&log)
        .map_err(|error| Failure::disk(&log, error))?;
    let mut command = Command::new(program);
    command
        .args(["--no-password", "--dbname", &address.server()?])
        .envs(address.env())
        .env("PGDATABASE", database)
        .env("PGAPPNAME", "obnova")
        .env("LC_MESSAGES", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output);
    Ok(command)
}

/// Runs it to its end, for as long as `go_on` says.
pub(super) fn run(
    tool: &'static str,
    mut command: Command,
    directory: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let disk = |error| Failure::disk(Path::new(tool), error);
    let mut child = command.spawn().map_err(disk)?;
    loop {
        match child.try_wait().map_err(disk)? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => {
                let said = std::fs::read(directory.join(LOG)).unwrap_or_default();
                let said = &said[said.len().saturating_sub(QUOTED)..];
                let output = format!("{status}: {}", String::from_utf8_lossy(said).trim());
                return Err(Failure::Tool { tool, output });
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
