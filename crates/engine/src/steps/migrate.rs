//! Runs the release's own migration. What it does to database and data files is undone by returning those, not by the release.

use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use obnova_release::{DatabaseChange, Description};

use crate::api::Problem;
use crate::durable;
use crate::launch::{Record, Start};
use crate::log;
use crate::problem;
use crate::step::{Context, Step, environment};

const POLL: Duration = Duration::from_millis(10);
/// Lines of its output that a problem quotes.
const QUOTED_LINES: usize = 30;
/// Bytes of the output of a migration that was undone.
const LOG_LIMIT: u64 = 1 << 20;

/// See the module.
pub(super) struct Migrate;

impl Step for Migrate {
    fn name(&self) -> &'static str {
        "migrate"
    }

    fn plan(&self, cx: &Context) -> String {
        match cx.release.map(|release| command(release.description())) {
            Some(Some(command)) => cx.command(command, cx.to, 0).join(" "),
            Some(None) => "nothing: the release does not change the database".to_owned(),
            None => String::new(),
        }
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        let description = cx.installed(cx.to)?.description;
        let Some(words) = command(&description) else {
            return Ok(Some("the release does not change the database".to_owned()));
        };
        let failed = |status: String, detail: String| {
            Problem::new(problem::MIGRATION_FAILED)
                .arg("version", cx.to)
                .arg("status", status)
                .detail(detail)
        };
        let log = cx.installation.migration_log(cx.update);
        let env = environment(cx.installation, cx.database, &description, 0);
        let start = Start {
            record: &record(cx),
            note: serde_json::Value::Null,
            log: &log,
            die_with_parent: true,
            service: &cx.installation.service,
            command: &cx.command(words, cx.to, 0),
            env: &env,
            directory: &cx.installation.tree(cx.to),
        };
        let mut child = start
            .spawn(cx.service.launcher())
            .map_err(|error| failed(String::new(), error.to_string()))?;
        let status = wait(cx, &mut child);
        // Whatever it left running must not write to the database any more.
        finish_off(cx)?;
        match status? {
            status if status.success() => settle(cx).map(|()| log::tail(&log, 1).pop()),
            status => Err(failed(
                exit_code(status),
                log::tail(&log, QUOTED_LINES).join("\n"),
            )),
        }
    }

    /// Ends a migration that outlived its engine; the data is returned by the undoing of the steps before. What it said is kept,
    /// but not if it filled the disk with it.
    fn undo(&self, cx: &Context) -> Result<(), Problem> {
        finish_off(cx)?;
        let log = cx.installation.migration_log(cx.update);
        log::keep_end(&log, LOG_LIMIT).map_err(|error| {
            Problem::new(problem::SYSTEM)
                .arg("path", log.display())
                .detail(error)
        })
    }
}

/// The number that a program ended with, or what ended it.
pub(crate) fn exit_code(status: ExitStatus) -> String {
    status
        .code()
        .map_or_else(|| status.to_string(), |code| code.to_string())
}

fn command(description: &Description) -> Option<&Vec<String>> {
    match description.database {
        DatabaseChange::None => None,
        DatabaseChange::Migrate => description.server.migrate.as_ref(),
    }
}

fn record(cx: &Context) -> std::path::PathBuf {
    cx.installation.state_dir.join("migration.json")
}

/// What it wrote counts from the next record on, so it must be on the disk before that; migrations do not sync their files.
fn settle(cx: &Context) -> Result<(), Problem> {
    let database = cx.database.files().into_iter().take(1);
    let directories = cx.installation.data.directories.iter().cloned();
    for path in directories.chain(database).filter(|path| path.exists()) {
        durable::sync_file_system(&path).map_err(|error| {
            Problem::new(problem::SYSTEM)
                .arg("path", path.display())
                .detail(error)
        })?;
    }
    Ok(())
}

fn finish_off(cx: &Context) -> Result<(), Problem> {
    let record = record(cx);
    Record::finish_off(&record).map_err(|error| {
        Problem::new(problem::SYSTEM)
            .arg("path", record.display())
            .detail(error)
    })
}

/// Waits for its end, or kills it when the deadline is over or the engine is to end.
fn wait(cx: &Context, child: &mut Child) -> Result<ExitStatus, Problem> {
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) => {}
            Err(error) => {
                return Err(Problem::new(problem::SYSTEM)
                    .arg("path", "wait")
                    .detail(error));
            }
        }
        if let Err(problem) = cx.may_go_on("migrate") {
            finish_off(cx)?;
            // A kill is never refused, so this ends.
            let _ = child.wait();
            return Err(problem.arg("seconds", began.elapsed().as_secs()));
        }
        sleep(POLL);
    }
}
