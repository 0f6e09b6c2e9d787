//! Rehearsals: real updates of a real application on a clone, by engines and workers that are processes of their own.
//!
//! Needs the right to make network namespaces, root for some, PostgreSQL and MariaDB.
//! Run all: `cargo test -p obnova-engine --test rehearsal`; some: add `-- part-of-a-name`.

mod counts;
mod ends;
#[path = "../transaction/fixture.rs"]
#[allow(dead_code, unused_imports)] // most of it is for the other tests
mod fixture;
mod isolated;
mod mariadb;
mod outcomes;
mod postgres;
mod scripted;
mod stage;
mod walk;

use std::process::ExitCode;

use obnova_testkit::cases::{self, Case};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("launch") => fixture::launch(),
        Some("rehearse") => obnova_engine::rehearsal::work(std::env::args_os().skip(2)),
        Some("engine") => fixture::engine(&arguments[2..]),
        _ => {
            let all: Vec<Case> = [
                outcomes::CASES,
                isolated::CASES,
                counts::CASES,
                ends::CASES,
                walk::CASES,
                postgres::CASES,
                mariadb::CASES,
            ]
            .concat();
            cases::run(&all, &arguments[1..])
        }
    }
}
