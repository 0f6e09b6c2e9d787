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

/// The programs that every installation has: the launcher and the command line.
pub(crate) const TOOLS: [&str; 2] = ["obnova-launcher", "obnova-desktop"];

/// The file with a program's icon, in an installation and in what an installer brings.
pub(crate) const ICON: &str = "icon.svg";

/// Puts a whole file in the place of another, in one instant, also when that is a program that runs.
pub(crate) fn put_in_place(new: &Path, place: &Path) -> io::Result<()> {
    durable::rename(new, place)
}

/// Gives the launcher the product's name, beside it.
pub(crate) fn give_name(programs: &Path, product: &str) -> Result<PathBuf, Error> {
    let program = programs.join(product);
    durable::symlink_swap(&program, Path::new(TOOLS[0]))?;
    Ok(program)
}

/// Becomes the program: the launcher leaves nothing of itself behind. Comes back only when it cannot be started.
pub(crate) fn run(command: &mut Command) -> io::Result<i32> {
    Err(command.exec())
}

/// Programs are started as they are.
pub(crate) fn prepare(_command: &mut Command) {}

/// Says what has gone wrong.
pub fn tell(text: &str) {
    eprintln!("{text}");
}

/// Programs that run may be removed.
pub(crate) fn leave(_programs: &Path) -> io::Result<()> {
    Ok(())
}

/// The environment says it.
pub(crate) fn language() -> Option<String> {
    None
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
