//! Waits until the new version passes every probe of its release, then has the release's own check look at it.
//!
//! Only a version that is new: one that comes back, after a failure or because an administrator reverts, is asked by its probes
//! alone. It was checked when it was installed, and a check may write (a session, a line of a log) where all has to be exactly as
//! it was.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use obnova_release::Description;

use crate::api::{Problem, UpdateKind};
use crate::launch::{Record, Start};
use crate::log;
use crate::probe;
use crate::problem;
use crate::service::Running;
use crate::step::{Context, Step, environment};

/// Lines of the application's output that a problem quotes.
const QUOTED_LINES: usize = 20;

/// See the module.
pub(super) struct Verify;

impl Step for Verify {
    fn name(&self) -> &'static str {
        "verify"
    }

    fn plan(&self, cx: &Context) -> String {
        let Some(server) = cx.release.map(|release| &release.description().server) else {
            return String::new();
        };
        let probes = server
            .health
            .iter()
            .map(|probe| format!("{} {}", probe.method, probe.path));
        let check = server
            .check
            .iter()
            .map(|words| cx.command(words, cx.to, 0).join(" "));
        probes.chain(check).collect::<Vec<_>>().join(", ")
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        let description = cx.installed(cx.to)?.description;
        let running = cx
            .service
            .look()?
            .filter(|running| running.version == *cx.to);
        let quote = || log::tail(&cx.installation.application_log(), QUOTED_LINES).join("\n");
        let Some(running) = running else {
            return Err(Problem::new(problem::START_FAILED)
                .arg("version", cx.to)
                .detail(quote()));
        };
        let patience = cx.at_most(cx.installation.patience(description.server.health_seconds));
        let until = Instant::now() + patience;
        // Where that cannot be told, its health can.
        let alive = || !matches!(cx.service.look(), Ok(None));
        let worth_it = || alive() && cx.may_go_on(self.name()).is_ok();
        probe::wait_healthy(&description, running.address(), patience, &worth_it)
            .and_then(|()| {
                let left = until.saturating_duration_since(Instant::now());
                check(cx, &description, &running, left, &worth_it)
            })
            .map(|()| None)
            .map_err(|wrong| {
                // Broken off rather than failed, if so.
                if let Err(problem) = cx.may_go_on(self.name()) {
                    return problem.detail(wrong);
                }
                let code = if alive() {
                    problem::UNHEALTHY
                } else {
                    problem::START_FAILED
                };
                Problem::new(code)
                    .arg("version", cx.to)
                    .detail(format!("{wrong}\n{}", quote()))
            })
    }

    /// Ends a check that outlived its engine, with all that it had started.
    fn undo(&self, cx: &Context) -> Result<(), Problem> {
        let record = record(cx);
        Record::finish_off(&record).map_err(|error| {
            Problem::new(problem::SYSTEM)
                .arg("path", record.display())
                .detail(error)
        })
    }
}

fn record(cx: &Context) -> PathBuf {
    cx.installation.state_dir.join("check.json")
}

/// The release's own check, where it has one: with the application's placeholders and environment.
fn check(
    cx: &Context,
    description: &Description,
    running: &Running,
    patience: Duration,
    worth_it: &dyn Fn() -> bool,
) -> Result<(), String> {
    let words = match (&description.server.check, &cx.kind) {
        (Some(words), UpdateKind::Install) => words,
        _ => return Ok(()),
    };
    let start = Start {
        record: &record(cx),
        note: serde_json::Value::Null,
        log: &cx.installation.check_log(cx.update),
        die_with_parent: true,
        service: &cx.installation.service,
        command: &cx.command(words, cx.to, running.port),
        env: &environment(cx.installation, cx.database, description, running.port),
        directory: &cx.installation.tree(cx.to),
    };
    probe::run_check(&start, cx.service.launcher(), patience, worth_it)
}
