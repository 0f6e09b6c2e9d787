//! Runs test cases one after another in a program that has a `main` of its own, and tells of them as the standard harness does.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

/// A case: its name is a sentence; what it found is shown.
pub type Case = (&'static str, fn() -> Result<String>);

/// Runs those whose names contain one of the arguments, or all; lists them for `--list`.
pub fn run(cases: &[Case], arguments: &[String]) -> ExitCode {
    if arguments.iter().any(|argument| argument == "--list") {
        cases.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|it| name.contains(*it));
    let chosen: Vec<&Case> = cases.iter().filter(|(name, _)| is_wanted(name)).collect();
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
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
