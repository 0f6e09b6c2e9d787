//! The promise, tried: updates of a real application with a real database and data files, in engines that are processes of
//! their own and are killed with SIGKILL before and after every record of the journal.
//!
//! Run all: `cargo test -p obnova-engine --test transaction`; some: add `-- part-of-a-name`.

mod checks;
mod disk;
mod fixture;
mod hostile;
mod kills;
mod ordinary;
mod places;
mod random;
mod reverts;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

/// A case: its name is a sentence.
type Case = (&'static str, fn() -> Result<String>);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("launch") => fixture::launch(),
        Some("engine") => fixture::engine(&arguments[2..]),
        _ => run(&arguments[1..]),
    }
}

fn run(arguments: &[String]) -> ExitCode {
    let cases: Vec<Case> = ordinary::CASES
        .iter()
        .chain(checks::CASES)
        .chain(hostile::CASES)
        .chain(places::CASES)
        .chain(disk::CASES)
        .chain(reverts::CASES)
        .chain(kills::CASES)
        .chain(random::CASES)
        .copied()
        .collect();
    if arguments.iter().any(|argument| argument == "--list") {
        cases.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let chosen: Vec<&Case> = cases
        .iter()
        .filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|part| name.contains(*part)))
        .collect();
    println!("\nrunning {} tests", chosen.len());
    let mut failed = 0;
    for (name, case) in &chosen {
        let began = Instant::now();
        match case() {
            Ok(found) => println!(
                "test {name} ... ok ({:.1} s; {found})",
                began.elapsed().as_secs_f64()
            ),
            Err(error) => {
                failed += 1;
                println!("test {name} ... FAILED\n{error:#}");
            }
        }
    }
    let passed = chosen.len() - failed;
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    let filtered = cases.len() - chosen.len();
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {filtered} filtered out"
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
