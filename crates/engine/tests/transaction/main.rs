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
mod power;
mod random;
mod reverts;
mod trash;

use std::process::ExitCode;

use obnova_testkit::cases::{self, Case};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("launch") => fixture::launch(),
        Some("engine") => fixture::engine(&arguments[2..]),
        _ => {
            let all: Vec<Case> = [
                ordinary::CASES,
                checks::CASES,
                hostile::CASES,
                places::CASES,
                disk::CASES,
                reverts::CASES,
                trash::CASES,
                kills::CASES,
                power::CASES,
                random::CASES,
            ]
            .concat();
            cases::run(&all, &arguments[1..])
        }
    }
}
