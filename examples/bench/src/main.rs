//! Measures what things cost, each beside what people would do without Obnova, in one run. `cargo xtask bench` builds and runs it.

mod database;
mod desktops;
mod spread;

use std::process::ExitCode;

use clap::Parser;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
enum Bench {
    /// Protecting and returning a PostgreSQL database, and how long people wait for an update.
    Database(database::Options),
    /// Thousands of Desktops that ask the centre and download from it.
    Desktops(desktops::Options),
}

fn main() -> ExitCode {
    let measured = match Bench::parse() {
        Bench::Database(options) => database::measure(&options),
        Bench::Desktops(options) => desktops::measure(&options),
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
