//! Where a life takes place: in namespaces of its own, so that lives do not see each other, have the same paths and ports, and
//! whatever is left of one is seen, and gone with it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Mount points of a life; the same for each.
pub const BASE: &str = "/run/obnova-crash";

/// The file among its logs that tells a life to end, because nobody wants its result any more.
pub const GIVEN_UP: &str = "given-up";

/// Fails when nobody wants this life's result any more.
///
/// # Errors
/// So it is.
pub fn still_wanted() -> Result<()> {
    ensure!(
        !out().join(GIVEN_UP).exists(),
        "nobody wants to know any more"
    );
    Ok(())
}

/// Where the installation lies.
pub fn world() -> PathBuf {
    Path::new(BASE).join("world")
}

/// Where its logs go.
pub fn out() -> PathBuf {
    Path::new(BASE).join("out")
}

/// Where the prepared installation is seen.
pub fn prepared() -> PathBuf {
    Path::new(BASE).join("prepared")
}

/// Where its processes put temporary files.
pub fn temporary() -> PathBuf {
    Path::new(BASE).join("tmp")
}

/// This program with these arguments, in new namespaces. What it starts ends with it.
///
/// # Errors
/// The program's own path is not known.
pub fn command(arguments: &[&str]) -> Result<Command> {
    for directory in [world(), out(), prepared(), temporary()] {
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("{}: only root can do this", directory.display()))?;
    }
    let mut command = Command::new("setpriv");
    command
        // Who is not awaited any more has no reason to live.
        .args(["--pdeathsig", "KILL", "unshare"])
        .args([
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount",
            "--mount-proc",
            "--ipc",
        ])
        // The shell is the first process: it buries those whose parents have died.
        .args(["sh", "-c", "\"$@\"; exit $?", "sh"])
        .arg(std::env::current_exe()?)
        .args(arguments);
    Ok(command)
}

/// Inside: brings loopback up and shows these directories at their places.
///
/// # Errors
/// It is not allowed, or a program is missing.
pub fn enter(of_world: Option<&Path>, of_out: &Path, of_prepared: &Path) -> Result<()> {
    run(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    let bind = |from: &Path, to: &Path| run(Command::new("mount").arg("--bind").args([from, to]));
    if let Some(of_world) = of_world {
        bind(of_world, &world())?;
    }
    bind(of_out, &out())?;
    bind(of_prepared, &prepared())?;
    run(Command::new("mount")
        .args(["-t", "tmpfs", "-o", "mode=1777", "tmpfs"])
        .arg(temporary()))
}

/// Runs a program to its end.
///
/// # Errors
/// It cannot be run or fails, with what it said.
pub fn run(command: &mut Command) -> Result<()> {
    let name = Path::new(command.get_program()).display().to_string();
    let output = command
        .stdin(std::process::Stdio::null())
        .output()
        .with_context(|| format!("{name} cannot be run"))?;
    let arguments: Vec<_> = command.get_args().map(|it| it.to_string_lossy()).collect();
    ensure!(
        output.status.success(),
        "{name} {}: {} {}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// Every mount that is seen here.
///
/// # Errors
/// `/proc` cannot be read.
pub fn mounts() -> Result<Vec<String>> {
    let text = std::fs::read_to_string("/proc/self/mounts")?;
    let mut points: Vec<String> = text
        .lines()
        .filter_map(|line| Some(line.split(' ').nth(1)?.to_owned()))
        .collect();
    points.sort();
    Ok(points)
}
