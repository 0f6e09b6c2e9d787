//! The launcher: the one program of a Desktop that stays the same. It starts the version that the pointer names, watches one
//! that is on trial, and goes back to the version before when that does not confirm. It never uses the network.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use obnova_release::DesktopProgram;
use obnova_text::Text;

use crate::error::{Code, Error};
use crate::layout::Layout;
use crate::machine::Machine;
use crate::moment;
use crate::platform;
use crate::pointer::{Installed, Pointer, Reason, Trial};
use crate::state::{Start, State};
use crate::sweep;

/// Tells a started program where its installation is.
pub const ROOT: &str = "OBNOVA_DESKTOP_ROOT";
/// Tells a started program which version it is.
pub const VERSION: &str = "OBNOVA_DESKTOP_VERSION";
/// Tells a version on trial so: it has to confirm.
pub const TRIAL: &str = "OBNOVA_DESKTOP_TRIAL";

/// Tells a started program which launcher that was: it starts whichever version is the right one.
pub const LAUNCHER: &str = "OBNOVA_DESKTOP_LAUNCHER";
/// Tells a launcher which installation it belongs to, where that is not the one that it lies in.
pub const OWN_ROOT: &str = "OBNOVA_LAUNCHER_ROOT";

/// How often the launcher looks whether a version on trial has confirmed or ended.
const POLL: Duration = Duration::from_millis(100);
/// How long a program that did not confirm has to end when asked.
const GRACE: Duration = Duration::from_secs(5);

/// The root that a launcher belongs to: the directory that it lies in, or the one above when that is `bin`.
pub fn own_root() -> std::io::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let directory = program.parent().unwrap_or(Path::new("."));
    Ok(match directory.file_name() {
        Some(name) if name == "bin" => directory.parent().unwrap_or(directory).to_owned(),
        _ => directory.to_owned(),
    })
}

/// Becomes another program, or runs it to its end where no program can become another; gives its exit code then.
///
/// # Errors
/// It cannot be started.
pub fn become_program(command: &mut Command) -> std::io::Result<i32> {
    platform::run(command)
}

/// Starts the right version with these arguments, and ends as it ends.
pub fn run(root: &Path, arguments: &[OsString]) -> ExitCode {
    match start(&Layout::for_this_user(root), arguments) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(error) => {
            let [what, state, to_do] = error.texts(Text::of(platform::language()));
            let detail = error.detail.unwrap_or_default();
            platform::tell(format!("{what}\n{state}\n{to_do}\n{detail}").trim_end());
            ExitCode::FAILURE
        }
    }
}

fn start(layout: &Layout, arguments: &[OsString]) -> Result<i32, Error> {
    loop {
        let (start, in_use) = match next(layout) {
            Ok(next) => next,
            // What cannot be written down cannot be tried: then the version that has worked before.
            Err(error) if error.code != Code::NotInstalled && error.code != Code::StateDamaged => {
                eprintln!("{error}");
                (Start::Confirmed(last_that_worked(layout)?), None)
            }
            Err(error) => return Err(error),
        };
        if let Some(in_use) = &in_use {
            platform::pass_on(in_use)?;
        }
        let (installed, trial) = match start {
            Start::Confirmed(installed) => {
                let mut command = command(layout, &installed, arguments)?;
                return platform::run(&mut command)
                    .map_err(|error| cannot_start(&installed, &error));
            }
            Start::Trial(installed, trial) => (installed, trial),
        };
        let mut command = command(layout, &installed, arguments)?;
        command.env(TRIAL, &trial.nonce);
        moment::reached("before start");
        let reason = match command.spawn() {
            Ok(mut child) => {
                moment::reached("after start");
                match watch(layout, &installed, &trial, &mut child)? {
                    Watched::Ended(status) => return Ok(code(status)),
                    Watched::Failed(reason) => reason,
                }
            }
            Err(error) => Reason::NotStarted {
                detail: error.to_string(),
            },
        };
        drop(in_use);
        if let Err(error) = go_back(layout, &trial, reason) {
            eprintln!("{error}");
            let before = last_that_worked(layout)?;
            let mut command = self::command(layout, &before, arguments)?;
            return platform::run(&mut command).map_err(|error| cannot_start(&before, &error));
        }
    }
}

/// Decides what to start, and says that it is in use, in one go: nobody removes it in between.
fn next(layout: &Layout) -> Result<(Start, Option<std::fs::File>), Error> {
    let mut state = State::open(layout)?;
    let start = state.begin_start()?;
    let (Start::Confirmed(installed) | Start::Trial(installed, _)) = &start;
    let in_use = sweep::use_of(layout, &installed.version).ok();
    // Whoever removes versions of an installation that all share does not ask this state: once more, without that version.
    if layout.is_shared() && !layout.version(&installed.version).is_dir() {
        let start = state.begin_start()?;
        let (Start::Confirmed(installed) | Start::Trial(installed, _)) = &start;
        let in_use = sweep::use_of(layout, &installed.version).ok();
        return Ok((start, in_use));
    }
    Ok((start, in_use))
}

/// The version to start where nothing can be written down.
fn last_that_worked(layout: &Layout) -> Result<Installed, Error> {
    let pointer = Pointer::read(layout)?;
    let worked = match pointer.trial {
        Some(_) => pointer.previous.or(pointer.current),
        None => pointer.current,
    };
    let worked = match layout.is_shared() {
        true => worked
            .filter(|it| layout.version(&it.version).is_dir())
            .or(Machine::read(layout)?.map(|machine| machine.current)),
        false => worked,
    };
    worked.ok_or_else(|| Error::new(Code::NotInstalled).arg("path", layout.root().display()))
}

fn command(
    layout: &Layout,
    installed: &Installed,
    arguments: &[OsString],
) -> Result<Command, Error> {
    let tree = layout.version(&installed.version).display().to_string();
    let filled = DesktopProgram::filled(&installed.start, &tree);
    let (program, first) = filled
        .split_first()
        .ok_or_else(|| Error::new(Code::StateDamaged).arg("path", layout.pointer().display()))?;
    let mut command = Command::new(program);
    command
        .args(first)
        .args(arguments)
        .env(ROOT, layout.root())
        .env(VERSION, installed.version.to_string())
        .env_remove(TRIAL);
    if let Ok(launcher) = std::env::current_exe() {
        command.env(LAUNCHER, launcher);
    }
    platform::prepare(&mut command);
    Ok(command)
}

enum Watched {
    /// It has confirmed and ended, or its user has closed it before it came to that.
    Ended(ExitStatus),
    /// It does not work.
    Failed(Reason),
}

/// Watches a version on trial to its end; kills it when it does not confirm in time.
fn watch(
    layout: &Layout,
    installed: &Installed,
    trial: &Trial,
    child: &mut Child,
) -> Result<Watched, Error> {
    let seconds = installed.confirm_seconds;
    let until = Instant::now() + Duration::from_secs(seconds);
    loop {
        let ended = child.try_wait()?;
        let (confirmed, failure) = match Pointer::read(layout) {
            Ok(pointer) => match pointer.trial.filter(|now| now.nonce == trial.nonce) {
                Some(now) => (false, now.failure),
                None => (true, None),
            },
            Err(_) => (false, None),
        };
        if confirmed {
            return Ok(Watched::Ended(match ended {
                Some(status) => status,
                None => child.wait()?,
            }));
        }
        let failure = match (failure, ended) {
            (Some(failure), _) => Some(failure),
            (None, Some(status)) if status.success() => return Ok(Watched::Ended(status)),
            (None, Some(status)) => Some(Reason::Crashed {
                status: status.to_string(),
            }),
            (None, None) if Instant::now() > until => Some(Reason::Silent { seconds }),
            (None, None) => None,
        };
        if let Some(failure) = failure {
            end(child)?;
            return Ok(Watched::Failed(failure));
        }
        std::thread::sleep(POLL);
    }
}

/// Asks a program to end, and kills it when it does not.
fn end(child: &mut Child) -> Result<(), Error> {
    platform::ask_to_end(child);
    let until = Instant::now() + GRACE;
    while child.try_wait()?.is_none() {
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            break;
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}

/// Goes back, unless somebody has changed everything meanwhile.
fn go_back(layout: &Layout, trial: &Trial, reason: Reason) -> Result<(), Error> {
    let mut state = State::open(layout)?;
    let same = state
        .pointer
        .trial
        .as_ref()
        .is_some_and(|now| now.nonce == trial.nonce);
    match same {
        true => state.go_back(reason),
        false => Ok(()),
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(1)
}

fn cannot_start(installed: &Installed, error: &std::io::Error) -> Error {
    Error::new(Code::CannotStart)
        .arg("version", &installed.version)
        .detail(error)
}
