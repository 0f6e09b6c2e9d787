//! Which installation a launcher belongs to, and what it gets from whoever starts it.

use std::process::ExitCode;

use obnova_desktop::launcher;

/// Runs the launcher.
pub fn main() -> ExitCode {
    let root = match std::env::var_os(launcher::OWN_ROOT) {
        Some(root) => root.into(),
        None => match launcher::own_root() {
            Ok(root) => root,
            Err(error) => {
                obnova_desktop::tell(&format!("the launcher does not know where it is: {error}"));
                return ExitCode::FAILURE;
            }
        },
    };
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    launcher::run(&root, &arguments)
}
