//! What a command prints: texts for people, or JSON for programs.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use obnova_engine::api::Problem;
use obnova_engine::problem;
use obnova_text::{Lang, Text};
use serde::Serialize;

/// Exit code: the update was undone.
pub const ROLLED_BACK: u8 = 3;
/// Exit code: the rehearsal failed.
pub const REHEARSAL_FAILED: u8 = 5;
/// Exit code: nobody answers.
const UNREACHABLE: u8 = 4;

/// Prints texts or JSON.
pub struct Output {
    /// Whether JSON is wanted.
    pub json: bool,
    /// The texts.
    pub text: &'static Text,
}

impl Output {
    /// For a language.
    pub fn new(json: bool, lang: Lang) -> Output {
        Output {
            json,
            text: Text::of(lang),
        }
    }

    /// Prints `value` as JSON, or what `text` makes.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub fn print(
        &self,
        value: &impl Serialize,
        text: impl FnOnce(&Text) -> String,
    ) -> anyhow::Result<()> {
        match self.json {
            true => say(&serde_json::to_string_pretty(value)?),
            false => say(text(self.text).trim_end()),
        }
    }

    /// Prints a line of JSON, for streams.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub fn line(&self, value: &impl Serialize) -> anyhow::Result<()> {
        say(&serde_json::to_string(value)?)
    }

    /// Says why a command failed, and gives its exit code.
    pub fn error(&self, error: &anyhow::Error) -> ExitCode {
        match error.downcast_ref::<Failed>() {
            Some(Failed(problem)) => {
                match self.json {
                    true => eprintln!("{}", serde_json::json!({ "problem": problem })),
                    false => eprintln!("{}", explain(self.text, problem)),
                }
                ExitCode::from(if problem.code == problem::ENGINE_UNREACHABLE {
                    UNREACHABLE
                } else {
                    1
                })
            }
            None => {
                match self.json {
                    true => eprintln!("{}", serde_json::json!({ "error": format!("{error:#}") })),
                    false => eprintln!("{error:#}"),
                }
                ExitCode::FAILURE
            }
        }
    }
}

/// Prints a line. Whoever reads may have read enough and closed: `obnova history | head` is no failure.
///
/// # Errors
/// Standard output cannot be written to.
pub fn say(line: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// A problem as the error of a command.
#[derive(Debug)]
pub struct Failed(pub Problem);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.code)
    }
}

impl std::error::Error for Failed {}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Failed {
        Failed(problem)
    }
}

/// What happened, what state the data is in, what to do, and what the machine said.
pub fn explain(text: &Text, problem: &Problem) -> String {
    let values: Vec<(&String, String)> = problem
        .args
        .iter()
        .map(|(name, value)| (name, text.problem_value(name, value)))
        .collect();
    let args: Vec<(&str, &str)> = values
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let part = |suffix: &str| text.with(&format!("problem-{}{suffix}", problem.code), &args);
    let mut lines = vec![part(""), part("-state"), part("-do")];
    lines.extend(problem.detail.clone());
    lines.join("\n")
}

/// Roles write a log to standard error, JSON where nobody watches; other commands only warnings.
pub fn start_logging(role: bool) {
    let default = if role { "info" } else { "warn" };
    let filter = tracing_subscriber::EnvFilter::try_from_env("OBNOVA_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match std::io::stderr().is_terminal() {
        true => log.compact().init(),
        false => log.json().init(),
    }
}
