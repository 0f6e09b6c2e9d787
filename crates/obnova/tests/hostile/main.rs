//! The real program, with processes of other users around it and secrets planted in it.
//!
//! Run all: `cargo test -p obnova --test hostile`; some: add `-- part-of-a-name`.

mod secrets;
mod socket;
mod world;

use std::process::ExitCode;

use obnova_testkit::cases;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        // This program again, as another user.
        Some(socket::ASK) => socket::ask(&arguments[1..]),
        _ => cases::run(&[socket::CASES, secrets::CASES].concat(), &arguments),
    }
}
