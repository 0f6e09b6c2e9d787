//! Chores of the project, so that each has one command on every machine and in CI.

mod arrows;
mod bench;
mod ci;
mod crash;
mod demo;
mod programs;
mod run;
mod schemathesis;
mod screenshots;
mod sizes;
mod test;
mod tools;
mod tryton;
mod windows;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Chores of the project")]
enum Task {
    /// Install what the tests need, run all of them, then the demo's tour.
    Test(test::Options),
    /// Build and start the demo: a vendor, a customer and their CRM, on this machine.
    // --help is passed on: the demo itself knows its options.
    #[command(disable_help_flag = true)]
    Demo(demo::Options),
    /// Update a real ERP, from its published packages, while it is used, and bring it back from two updates gone wrong.
    // --help is passed on: the program itself knows its options.
    #[command(disable_help_flag = true)]
    Tryton(tryton::Options),
    /// Kill, starve and cut off whole installations at every moment of an update, and look that each ends old or new.
    // --help is passed on: the harness itself knows its options.
    #[command(disable_help_flag = true)]
    Crash(crash::Options),
    /// Measure what things cost, as ratios within one run.
    Bench(bench::Options),
    /// Check that dependencies between the parts point one way only.
    Arrows,
    /// Everything that must pass before a change is taken: format, clippy, licences, arrows, tests.
    Ci,
    /// Check licences, banned crates and sources of all dependencies.
    Deny,
    /// Make requests of all kinds to the Administration Centre, from the description of its addresses.
    Schemathesis(schemathesis::Options),
    /// Take the pictures of the documentation anew.
    Screenshots,
    /// Build the Desktop for Windows, on Debian, and try it under Wine.
    Windows(windows::Options),
    /// Size of the release build, and memory of the roles that are running.
    Sizes,
}

fn main() -> ExitCode {
    let result = match Task::parse() {
        Task::Test(options) => test::run(&options),
        Task::Demo(options) => demo::run(&options),
        Task::Tryton(options) => tryton::run(&options),
        Task::Crash(options) => crash::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Arrows => arrows::run(),
        Task::Ci => ci::run(),
        Task::Deny => ci::deny(),
        Task::Schemathesis(options) => schemathesis::run(&options),
        Task::Screenshots => screenshots::run(),
        Task::Windows(options) => windows::run(&options),
        Task::Sizes => sizes::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
