//! Starts the new version, behind the front that still holds. Undoing stops it.

use std::time::Duration;

use obnova_release::Stop;

use crate::api::Problem;
use crate::application;
use crate::step::{Context, Step};

/// See the module.
pub(super) struct Start;

impl Step for Start {
    fn name(&self) -> &'static str {
        "start"
    }

    fn plan(&self, cx: &Context) -> String {
        let command = cx
            .release
            .map(|release| &release.description().server.start);
        // The port is chosen when it is started.
        command.map_or_else(String::new, |command| {
            cx.command(command, cx.to, 0).join(" ")
        })
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        let running = application::start(cx.installation, cx.database, cx.service, cx.to)?;
        Ok(Some(format!("port {}", running.port)))
    }

    fn undo(&self, cx: &Context) -> Result<(), Problem> {
        // Its facts may be what is wrong with it.
        let stop = cx.installed(cx.to).map_or_else(
            |_| Stop::default(),
            |installed| installed.description.server.stop,
        );
        cx.service.stop(&stop, Duration::MAX)
    }
}
