//! `obnova-desktop`: the Desktop's updates for terminals and management tools.

#[path = "cli/mod.rs"]
mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
