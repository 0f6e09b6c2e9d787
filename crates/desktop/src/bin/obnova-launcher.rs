//! The launcher. Whatever it is called, it starts the right version of what it lies beside, with the arguments that it got.

use std::process::ExitCode;

fn main() -> ExitCode {
    let root = match std::env::var_os(obnova_desktop::launcher::OWN_ROOT) {
        Some(root) => root.into(),
        None => match obnova_desktop::launcher::own_root() {
            Ok(root) => root,
            Err(error) => {
                eprintln!("the launcher does not know where it is: {error}");
                return ExitCode::FAILURE;
            }
        },
    };
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    obnova_desktop::launcher::run(&root, &arguments)
}
