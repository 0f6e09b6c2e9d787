//! What every database driver must do, tried with each driver and rung: the same cases, on real databases.
//!
//! Run all: `cargo test -p obnova-engine --test database`; some: add `-- part-of-a-name`.

mod contract;
mod killed;
mod mariadb;
mod matrix;
mod postgres;
mod remote;
mod sqlite;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use obnova_engine::Installation;
use obnova_engine::database::{Database, open};
use obnova_testkit::postgres::Postgres;

/// A case by its name.
type Case = (String, Box<dyn Fn(&Postgres) -> Result<()>>);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == "drive") {
        return killed::drive(&arguments[1..]);
    }
    let cases: Vec<Case> = contract::cases()
        .into_iter()
        .chain(sqlite::cases())
        .chain(mariadb::cases())
        .chain(postgres::cases())
        .chain(killed::cases())
        .chain(remote::cases())
        .chain(matrix::cases())
        .collect();
    if !arguments.iter().any(|argument| argument == "--list") {
        postgres::owned::enter();
    }
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
    println!("\nrunning {} tests", chosen.len());
    match chosen.is_empty() {
        true => verdict(0, 0, cases.len()),
        false => run(&chosen, cases.len()),
    }
}

fn run(chosen: &[&Case], all: usize) -> ExitCode {
    let server = match Postgres::start() {
        Ok(server) => server,
        Err(error) => {
            println!("{error:#}");
            return verdict(chosen.len(), chosen.len(), all);
        }
    };
    let mut failed = 0;
    for (name, case) in chosen {
        let began = Instant::now();
        let seconds = || began.elapsed().as_secs_f64();
        match case(&server) {
            Ok(()) => println!("test {name} ... ok ({:.1} s)", seconds()),
            Err(error) => {
                failed += 1;
                println!("test {name} ... FAILED ({:.1} s)\n{error:#}", seconds());
            }
        }
    }
    verdict(chosen.len(), failed, all)
}

fn verdict(chosen: usize, failed: usize, all: usize) -> ExitCode {
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out",
        chosen - failed,
        all - chosen
    );
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The driver that an installation file with this `[database]` section gives.
fn driver(state_dir: &Path, section: &str) -> Result<Box<dyn Database>> {
    std::fs::write(
        state_dir.join("installation.toml"),
        format!(
            "product = \"crm\"\n[releases]\nsource = \"repository\"\n[database]\n{section}\n\
             [front]\nlisten = \"127.0.0.1:0\"\n[center]\nlisten = \"127.0.0.1:0\"\n"
        ),
    )?;
    let installation = Installation::load(state_dir).map_err(failed)?;
    Ok(open(&installation))
}

fn failed(problem: obnova_engine::api::Problem) -> anyhow::Error {
    anyhow::anyhow!("{}: {}", problem.code, problem.detail.unwrap_or_default())
}
