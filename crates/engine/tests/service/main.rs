//! What every service driver must do: the same cases with processes of the engine's own and with units of a real systemd, which
//! is started for them and gone after them.
//!
//! Run all: `cargo test -p obnova-engine --test service`; some: add `-- part-of-a-name`.

mod account;
mod between;
mod contract;
mod kills;
mod units;
mod world;

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result};
use obnova_testkit::systemd::Systemd;

use world::{KINDS, World};

/// Says that the systemd for the cases is there already, and where its units lie.
const UNITS: &str = "OBNOVA_TEST_UNITS";

/// A case by its name.
type Case = (String, Box<dyn Fn() -> Result<()>>);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("launch") => return world::launch(),
        Some("drive") => return kills::drive(&arguments[1..]),
        _ => {}
    }
    let cases = cases();
    if arguments.iter().any(|argument| argument == "--list") {
        cases.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_wanted =
        |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(*part));
    let chosen: Vec<&Case> = cases.iter().filter(|(name, _)| is_wanted(name)).collect();
    if !chosen.is_empty() && std::env::var_os(UNITS).is_none() {
        // The drivers find their message bus by their environment, as they do wherever they run.
        return within_systemd(&arguments).unwrap_or_else(|error| {
            println!("{error:#}");
            ExitCode::FAILURE
        });
    }
    println!("\nrunning {} tests", chosen.len());
    let failed = chosen.iter().filter(|case| !passes(case)).count();
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out",
        chosen.len() - failed,
        cases.len() - chosen.len()
    );
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for kind in KINDS {
        for (name, case) in contract::CASES.iter().chain(kills::CASES) {
            let run = move || {
                let world = World::new(kind, None)?;
                // What is left running must not disturb the next one.
                let result = case(&world);
                let ended = world.end();
                result.and(ended)
            };
            cases.push((format!("{name}::{}", kind.name()), Box::new(run)));
        }
        for (name, case) in account::CASES {
            let run = move || {
                let world = World::new(kind, Some("nobody"))?;
                let result = case(&world);
                let ended = world.end();
                result.and(ended)
            };
            cases.push((format!("{name}::{}", kind.name()), Box::new(run)));
        }
    }
    for (name, case) in units::CASES
        .iter()
        .chain(account::ALONE)
        .chain(between::CASES)
    {
        cases.push(((*name).to_owned(), Box::new(case)));
    }
    cases
}

fn passes((name, case): &Case) -> bool {
    let began = Instant::now();
    let result = case();
    let seconds = began.elapsed().as_secs_f64();
    match &result {
        Ok(()) => println!("test {name} ... ok ({seconds:.1} s)"),
        Err(error) => println!("test {name} ... FAILED ({seconds:.1} s)\n{error:#}"),
    }
    result.is_ok()
}

/// Runs the cases in a process that has a systemd to speak to.
fn within_systemd(arguments: &[String]) -> Result<ExitCode> {
    let systemd = Systemd::start()?;
    let status = Command::new(std::env::current_exe()?)
        .args(arguments)
        .env("DBUS_SYSTEM_BUS_ADDRESS", systemd.bus())
        .env(UNITS, systemd.units())
        .status()
        .context("the cases could not be started")?;
    if !status.success() {
        println!("systemd said:\n{}", systemd.log());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
