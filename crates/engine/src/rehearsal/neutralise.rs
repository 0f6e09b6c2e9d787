//! The release's own command that makes a clone's data harmless: it takes the addresses of mail servers and keys of web services out
//! of it, for instance. It runs before anything else does on the clone.

use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use obnova_release::Description;

use crate::api::Problem;
use crate::database::Database;
use crate::installation::Installation;
use crate::launch::{Record, Start};
use crate::step::{command, environment};
use crate::{log, problem};

const POLL: Duration = Duration::from_millis(10);
/// Lines of its output that a problem quotes.
const QUOTED_LINES: usize = 20;

/// Where it is run.
pub(super) struct Copy<'a> {
    /// The installation, as it is on the clone.
    pub(super) clone: &'a Installation,
    /// The clone's database.
    pub(super) database: &'a dyn Database,
}

/// Runs it, and says what it said. Whatever it leaves running is ended.
///
/// # Errors
/// `rehearsal-impossible`: it failed; `neutralise-too-long`: it was ended when `limit` was over.
pub(super) fn run(
    copy: &Copy,
    description: &Description,
    words: &[String],
    limit: Duration,
    launcher: &[String],
) -> Result<String, Problem> {
    let (clone, database) = (copy.clone, copy.database);
    let failed = |detail: String| {
        Problem::new(problem::REHEARSAL_IMPOSSIBLE)
            .detail(format!("the command that neutralises the copy: {detail}"))
    };
    let version = &description.version;
    let log = clone.logs().join("neutralise.log");
    let record = clone.state_dir.join("neutralise.json");
    let start = Start {
        record: &record,
        note: serde_json::Value::Null,
        log: &log,
        die_with_parent: true,
        service: &clone.service,
        command: &command(clone, database, words, version, 0),
        env: &environment(clone, database, description, 0),
        directory: &clone.tree(version),
    };
    let mut child = start
        .spawn(launcher)
        .map_err(|error| failed(error.to_string()))?;
    let ended = wait(&mut child, limit);
    Record::finish_off(&record).map_err(|error| {
        Problem::new(problem::SYSTEM)
            .arg("path", record.display())
            .detail(error)
    })?;
    let said = log::tail(&log, QUOTED_LINES).join("\n");
    match ended {
        Some(status) if status.success() => Ok(format!("neutralised by {version}: {said}")),
        Some(status) => Err(failed(format!("{status}: {said}"))),
        None => {
            // Killed by now, so this does not wait.
            let _ = child.wait();
            Err(Problem::new(problem::NEUTRALISE_TOO_LONG)
                .arg("version", version)
                .arg("seconds", limit.as_secs())
                .detail(said))
        }
    }
}

/// Its end, or nothing when that does not come in time.
fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if began.elapsed() < limit => sleep(POLL),
            _ => return None,
        }
    }
}
