//! `obnova-desktop-gui`: the Desktop's windows and its agent.

use std::process::ExitCode;

fn main() -> ExitCode {
    obnova_desktop_gui::cli::main()
}
