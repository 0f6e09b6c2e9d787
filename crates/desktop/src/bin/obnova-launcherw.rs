//! The launcher for menus on Windows: it opens no console window, and what it has to say it says in a window. Elsewhere, and where
//! somebody reads what it prints, it is the same as `obnova-launcher`.

#![windows_subsystem = "windows"]

#[path = "launcher/mod.rs"]
mod launcher;

use std::process::ExitCode;

fn main() -> ExitCode {
    launcher::main()
}
