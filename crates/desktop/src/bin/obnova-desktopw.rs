//! `obnova-desktop` without a console window, for what Windows itself starts: the agent with the session, and the removal in *Apps &
//! features*. It has the program beside it do everything, and shows in a window what that would print.

#![windows_subsystem = "windows"]

use std::io;
use std::process::{Command, ExitCode, Stdio};

/// No console window for the program that is run.
#[cfg(windows)]
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

fn main() -> ExitCode {
    let (quiet, arguments): (Vec<_>, Vec<_>) =
        std::env::args_os().skip(1).partition(|it| it == "--silent");
    let removes = arguments.iter().any(|argument| argument == "uninstall");
    if removes && quiet.is_empty() && !asked() {
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "agent") {
        // It lives as long as the session: nobody waits for it, or for what it prints.
        let mut command = match command(&arguments) {
            Ok(command) => command,
            Err(error) => return failed(&error),
        };
        let silent = command.stdout(Stdio::null()).stderr(Stdio::null());
        return match silent.status() {
            Ok(status) => code(status.code()),
            Err(error) => failed(&error),
        };
    }
    let output = match command(&arguments).and_then(|mut it| it.output()) {
        Ok(output) => output,
        Err(error) => return failed(&error),
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let (said, failed) = (text(&output.stdout), text(&output.stderr));
    if quiet.is_empty() {
        match output.status.success() {
            false => obnova_desktop::tell(&failed),
            true if removes => show(&said),
            true => {}
        }
    }
    code(output.status.code())
}

fn code(code: Option<i32>) -> ExitCode {
    ExitCode::from(u8::try_from(code.unwrap_or(1)).unwrap_or(1))
}

fn failed(error: &io::Error) -> ExitCode {
    obnova_desktop::tell(&format!("obnova-desktop: {error}"));
    ExitCode::FAILURE
}

fn command(arguments: &[std::ffi::OsString]) -> io::Result<Command> {
    let here = std::env::current_exe()?;
    let beside = format!("obnova-desktop{}", std::env::consts::EXE_SUFFIX);
    let mut command = Command::new(here.with_file_name(beside));
    #[cfg(windows)]
    std::os::windows::process::CommandExt::creation_flags(&mut command, CREATE_NO_WINDOW);
    command
        .args(["--lang", obnova_desktop::language().tag()])
        .args(arguments)
        .stdin(Stdio::null());
    Ok(command)
}

/// Whether the user really wants to remove the program.
#[cfg(windows)]
fn asked() -> bool {
    use winsafe::co::{DLGID, MB};
    use winsafe::prelude::*;

    let question = obnova_text::Text::of(obnova_desktop::language()).get("setup-remove");
    let flags = MB::YESNO | MB::ICONQUESTION | MB::SETFOREGROUND;
    let answer = winsafe::HWND::NULL.MessageBox(&question, "", flags);
    matches!(answer, Ok(DLGID::YES))
}

#[cfg(windows)]
fn show(text: &str) {
    use winsafe::co::MB;
    use winsafe::prelude::*;

    let flags = MB::OK | MB::ICONINFORMATION | MB::SETFOREGROUND;
    let _ = winsafe::HWND::NULL.MessageBox(text, "", flags);
}

/// Whoever types it in a terminal has said so.
#[cfg(not(windows))]
fn asked() -> bool {
    true
}

#[cfg(not(windows))]
fn show(text: &str) {
    println!("{text}");
}
