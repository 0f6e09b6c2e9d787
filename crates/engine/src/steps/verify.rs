//! Waits until the new version passes every probe of its release.

use std::time::Duration;

use crate::api::Problem;
use crate::log;
use crate::probe;
use crate::problem;
use crate::step::{Context, Step};

/// Lines of the application's output that a problem quotes.
const QUOTED_LINES: usize = 20;

/// See the module.
pub(super) struct Verify;

impl Step for Verify {
    fn name(&self) -> &'static str {
        "verify"
    }

    fn plan(&self, cx: &Context) -> String {
        let probes = cx
            .release
            .map(|release| release.description().server.health.as_slice())
            .unwrap_or_default();
        probes
            .iter()
            .map(|probe| format!("{} {}", probe.method, probe.path))
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        let description = cx.installed(cx.to)?.description;
        let running = cx
            .service
            .running()
            .filter(|running| running.version == *cx.to);
        let quote = || log::tail(&cx.installation.application_log(), QUOTED_LINES).join("\n");
        let Some(running) = running else {
            return Err(Problem::new(problem::START_FAILED)
                .arg("version", cx.to)
                .detail(quote()));
        };
        let patience = cx.at_most(Duration::from_secs(description.server.health_seconds));
        let alive = || cx.service.running().is_some();
        let worth_it = || alive() && cx.may_go_on(self.name()).is_ok();
        probe::wait_healthy(&description, running.address(), patience, &worth_it)
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

    fn undo(&self, _cx: &Context) -> Result<(), Problem> {
        Ok(())
    }
}
