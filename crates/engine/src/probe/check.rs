//! The check that a release brings along: a program that uses the application as its users do, and says by its exit code
//! whether that went well.

use std::path::Path;
use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::launch::{Record, Start};
use crate::log;

const POLL: Duration = Duration::from_millis(10);
/// Lines of its output that are quoted.
const QUOTED_LINES: usize = 20;
/// Bytes of its output that are kept.
const LOG_LIMIT: u64 = 1 << 20;

/// Runs a check once. It is ended when `patience` is over or `worth_it` says no, and so is whatever it left running. When the
/// engine dies, the check dies with it; what that one had started is found by `start.record`, with [`Record::finish_off`].
///
/// # Errors
/// What is wrong, in technical English, with the end of what it said.
pub fn run_check(
    start: &Start,
    launcher: &[String],
    patience: Duration,
    worth_it: &dyn Fn() -> bool,
) -> Result<(), String> {
    let mut child = start
        .spawn(launcher)
        .map_err(|error| format!("the check cannot be started: {error}"))?;
    let ended = wait(&mut child, patience, worth_it);
    finish_off(start.record)?;
    // Killed by now, if it had not ended; only then can this not wait for ever.
    if ended.is_none() {
        let _ = child.wait();
    }
    log::keep_end(start.log, LOG_LIMIT).map_err(|error| format!("the check's output: {error}"))?;
    let what = match ended {
        Some(status) if status.success() => return Ok(()),
        Some(status) => format!("the check ended with {status}"),
        None => format!(
            "the check was ended: it had not answered in {:.1} s",
            patience.as_secs_f64()
        ),
    };
    let said = log::tail(start.log, QUOTED_LINES).join("\n");
    Err(format!("{what}\n{said}"))
}

fn finish_off(record: &Path) -> Result<(), String> {
    Record::finish_off(record).map_err(|error| format!("the check does not end: {error}"))
}

/// Its end, or nothing when it is to be ended.
fn wait(child: &mut Child, patience: Duration, worth_it: &dyn Fn() -> bool) -> Option<ExitStatus> {
    let until = Instant::now() + patience;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < until && worth_it() => sleep(POLL),
            _ => return None,
        }
    }
}
