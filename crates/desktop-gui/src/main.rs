//! `obnova-desktop-gui`: the Desktop's windows and its agent.

// No console window on Windows; elsewhere it means nothing.
#![windows_subsystem = "windows"]

use std::process::ExitCode;

fn main() -> ExitCode {
    obnova_desktop_gui::cli::main()
}
