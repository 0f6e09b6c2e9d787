//! All that differs between operating systems.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// What the vendor calls a computer like this one: `linux-x86_64`, `windows-x86_64`.
pub fn name() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

/// Where an administrator's policy for all users is.
#[cfg(unix)]
pub(crate) fn policy(product: &str) -> PathBuf {
    PathBuf::from("/etc/obnova/desktop").join(format!("{product}.toml"))
}

/// Where an administrator's policy for all users is.
#[cfg(not(unix))]
pub(crate) fn policy(product: &str) -> PathBuf {
    let data = std::env::var_os("ProgramData").unwrap_or_else(|| "C:\\ProgramData".into());
    PathBuf::from(data)
        .join("Obnova")
        .join("desktop")
        .join(format!("{product}.toml"))
}

/// Becomes the program: the launcher leaves nothing of itself behind. Comes back only when it cannot be started.
#[cfg(unix)]
pub(crate) fn run(command: &mut Command) -> io::Result<i32> {
    use std::os::unix::process::CommandExt;
    Err(command.exec())
}

/// Runs the program to its end.
#[cfg(not(unix))]
pub(crate) fn run(command: &mut Command) -> io::Result<i32> {
    Ok(command.status()?.code().unwrap_or(1))
}

/// Lets a file, and so a lock on it, pass to programs that are started.
#[cfg(unix)]
pub(crate) fn pass_on(file: &File) -> io::Result<()> {
    rustix::io::fcntl_setfd(file, rustix::io::FdFlags::empty()).map_err(io::Error::from)
}

/// Not needed where the launcher stays and holds the lock itself.
#[cfg(not(unix))]
pub(crate) fn pass_on(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Asks a program to end.
#[cfg(unix)]
pub(crate) fn ask_to_end(child: &Child) {
    let process = rustix::process::Pid::from_raw(child.id().cast_signed());
    if let Some(process) = process {
        let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
    }
}

/// There is no polite way that works for every program; the time after it is waited for all the same.
#[cfg(not(unix))]
pub(crate) fn ask_to_end(_child: &Child) {}

/// Bytes that may still be written where this path is.
#[cfg(unix)]
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Not known; a disk that fills up is noticed when it does.
#[cfg(not(unix))]
pub(crate) fn free_bytes(_path: &Path) -> Option<u64> {
    None
}
