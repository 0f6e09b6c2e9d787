//! MariaDB's and MySQL's own client programs.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{sleep, spawn};
use std::time::Duration;

use super::address::Address;
use super::failure::Failure;
use super::programs::{self, end_of};
use super::server::Server;

/// Pause between two looks whether somebody has got into a database that is being filled.
const GUARD: Duration = Duration::from_millis(100);
const PIECE: usize = 1 << 18;

/// The programs, MariaDB's names first.
pub(super) const DUMP: [&str; 2] = ["mariadb-dump", "mysqldump"];
pub(super) const CLIENT: [&str; 2] = ["mariadb", "mysql"];

/// Finds a program by one of its names.
pub(super) fn find(names: &[&str]) -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/bin"].map(PathBuf::from));
    places
        .flat_map(|directory| names.iter().map(move |name| directory.join(name)))
        .find(|program| program.is_file())
        .ok_or_else(|| Failure::Tool {
            tool: names.first().copied().unwrap_or_default().to_owned().into(),
            output: "not found in PATH; install MariaDB's client programs (Debian: mariadb-client)"
                .to_owned(),
        })
}

/// Dumps the database, in pieces that `sink` gets, all in one transaction. What lies in it does not decide about the text.
pub(super) fn dump(
    address: &Address,
    options: &[&str],
    gentle: bool,
    go_on: &dyn Fn() -> bool,
    sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Failure> {
    let program = find(&DUMP)?;
    let mut command = match gentle {
        true => programs::gentle(&program),
        false => Command::new(&program),
    };
    command
        // Nobody's own settings.
        .arg("--no-defaults")
        .args(address.arguments()?)
        .args([
            "--single-transaction",
            "--quick",
            "--hex-blob",
            "--no-tablespaces",
        ])
        .args(["--routines", "--triggers", "--events", "--skip-dump-date"])
        .args(["--default-character-set=utf8mb4", "--max-allowed-packet=1G"])
        .args(options);
    if is_of_mysql(&program) {
        command.args(["--set-gtid-purged=OFF", "--column-statistics=0"]);
    }
    command.arg(address.database()?);
    let mut child = start(command, address, Stdio::null())?;
    let said = listen(&mut child);
    let copied = pump(&mut child, go_on, sink);
    if copied.is_err() {
        let _ = child.kill();
    }
    let status = child
        .wait()
        .map_err(|error| Failure::disk(&program, error))?;
    copied.map_err(|error| Failure::disk(Path::new("dump"), error))?;
    verdict(&program, status, said)
}

fn pump(
    child: &mut Child,
    go_on: &dyn Fn() -> bool,
    sink: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let Some(mut output) = child.stdout.take() else {
        return Ok(());
    };
    let mut buffer = vec![0; PIECE];
    loop {
        if !go_on() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        match output.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => sink(&buffer[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Fills the database with a dump, and meanwhile keeps everybody else out of it.
pub(super) fn load(
    address: &Address,
    server: &mut Server,
    dump: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let program = find(&CLIENT)?;
    let database = address.database()?;
    let mut command = Command::new(&program);
    command
        .arg("--no-defaults")
        .args(address.arguments()?)
        .args([
            "--batch",
            "--binary-mode",
            "--skip-reconnect",
            "--unbuffered",
            "--skip-column-names",
        ])
        .args(["--default-character-set=utf8mb4", "--max-allowed-packet=1G"])
        .arg(&database);
    let mut input = File::open(dump).map_err(|error| Failure::disk(dump, error))?;
    let mut child = start(command, address, Stdio::piped())?;
    let said = listen(&mut child);
    if let Some(mut stdin) = child.stdin.take() {
        // Ends with the dump, or with the client: then its own end tells why.
        spawn(move || {
            stdin
                .write_all(b"SELECT CONNECTION_ID();\n")
                .and_then(|()| io::copy(&mut input, &mut stdin))
        });
    }
    let loader = first_number(&mut child);
    loop {
        if let Some(status) = child
            .try_wait()
            .map_err(|error| Failure::disk(&program, error))?
        {
            return verdict(&program, status, said);
        }
        let kept_out = server.evict(&database, loader);
        if kept_out.is_err() || !go_on() {
            let _ = child.kill();
            let _ = child.wait();
            return kept_out.and(Err(Failure::Interrupted));
        }
        sleep(GUARD);
    }
}

/// What the client was answered to its first question; the rest of what it says is read and forgotten.
fn first_number(child: &mut Child) -> Option<u64> {
    let mut output = BufReader::new(child.stdout.take()?);
    let mut line = String::new();
    output.read_line(&mut line).ok()?;
    spawn(move || io::copy(&mut output, &mut io::sink()));
    line.trim().parse().ok()
}

fn start(mut command: Command, address: &Address, input: Stdio) -> Result<Child, Failure> {
    let program = PathBuf::from(command.get_program());
    command
        .envs(address.env())
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::disk(&program, error))
}

type Said = std::thread::JoinHandle<Vec<u8>>;

/// Reads what it complains about beside what it does, so that it never waits for a reader.
fn listen(child: &mut Child) -> Option<Said> {
    let mut complaints = child.stderr.take()?;
    Some(spawn(move || {
        let mut said = Vec::new();
        let _ = complaints.read_to_end(&mut said);
        said
    }))
}

fn verdict(program: &Path, status: ExitStatus, said: Option<Said>) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    let said = said.and_then(|said| said.join().ok()).unwrap_or_default();
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    Err(Failure::Tool {
        tool: name.into_owned().into(),
        output: format!("{status}: {}", end_of(&said)),
    })
}

fn is_of_mysql(program: &Path) -> bool {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    output.is_ok_and(|output| !String::from_utf8_lossy(&output.stdout).contains("MariaDB"))
}
