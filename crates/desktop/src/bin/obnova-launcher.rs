//! The launcher. Whatever it is called, it starts the right version of what it lies beside, with the arguments that it got.

#[path = "launcher/mod.rs"]
mod launcher;

use std::process::ExitCode;

fn main() -> ExitCode {
    launcher::main()
}
