//! One binary, several roles: each role is a process of its own, so that none takes another down.

mod cli;
mod commands;
mod installer;
mod output;
mod prove;
mod signals;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Between fork and exec of the application: nothing of the command line is wanted there.
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(first) if first == commands::LAUNCH => return commands::launch(arguments),
        Some(first) if first == commands::REHEARSE_WORKER => {
            return obnova_engine::rehearsal::work(arguments);
        }
        Some(first) if first == prove::ROLE => return prove::breaking(arguments),
        _ => {}
    }
    let cli = cli::Cli::parse();
    output::start_logging(cli.command.is_role());
    let output = output::Output::new(cli.json, cli.lang);
    match commands::run(cli.command, &cli.state, &output) {
        Ok(code) => code,
        Err(error) => output.error(&error),
    }
}
