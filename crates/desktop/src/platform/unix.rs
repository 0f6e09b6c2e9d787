//! Linux and its like.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use obnova_release::durable;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};

use crate::error::Error;
use crate::policy::Policy;

/// What an administrator has set for all users of this computer.
pub(crate) fn machine_policy(product: &str) -> Result<Option<Policy>, Error> {
    let path = PathBuf::from("/etc/obnova/desktop").join(format!("{product}.toml"));
    Policy::read_file(&path)
}

/// There is no other place for what an administrator has set for this user.
pub(crate) fn user_policy(_product: &str) -> Result<Option<Policy>, Error> {
    Ok(None)
}

/// Menus and what starts with a session are files, as freedesktop.org describes them.
pub(crate) const MENU_OF_FILES: bool = true;

/// Puts a whole file in the place of another, in one instant, also when that is a program that runs.
pub(crate) fn put_in_place(new: &Path, place: &Path) -> io::Result<()> {
    durable::rename(new, place)
}

/// Gives the launcher a second name, beside it.
pub(crate) fn give_name(launcher: &Path, name: &Path) -> Result<(), Error> {
    let target = launcher.file_name().unwrap_or(launcher.as_os_str());
    Ok(durable::symlink_swap(name, Path::new(target))?)
}

/// Becomes the program: the launcher leaves nothing of itself behind. Comes back only when it cannot be started.
pub(crate) fn run(command: &mut Command) -> io::Result<i32> {
    Err(command.exec())
}

/// Lets a file, and so a lock on it, pass to programs that are started.
pub(crate) fn pass_on(file: &File) -> io::Result<()> {
    Ok(fcntl_setfd(file, FdFlags::empty())?)
}

/// Files that are open may be removed here; whoever works with a version holds a lock.
pub(crate) fn has_open_files(_directory: &Path) -> bool {
    false
}

/// Asks a program to end.
pub(crate) fn ask_to_end(child: &Child) {
    if let Some(process) = Pid::from_raw(child.id().cast_signed()) {
        let _ = kill_process(process, Signal::TERM);
    }
}

/// Bytes that may still be written where this path is.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}
