//! Stops the version before. Undoing starts it again and waits until it is healthy.

use std::time::Duration;

use crate::api::Problem;
use crate::step::{Context, Step};

/// See the module.
pub(super) struct Stop;

impl Step for Stop {
    fn name(&self) -> &'static str {
        "stop"
    }

    fn plan(&self, cx: &Context) -> String {
        match cx.service.look() {
            Ok(Some(running)) => format!("version {} on port {}", running.version, running.port),
            Ok(None) => "it does not run".to_owned(),
            Err(_) => "whether it runs cannot be told now".to_owned(),
        }
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        let stop = cx.installed(cx.from)?.description.server.stop;
        cx.service.stop(&stop, cx.at_most(Duration::MAX))?;
        Ok(None)
    }

    fn undo(&self, cx: &Context) -> Result<(), Problem> {
        crate::application::ensure_running(cx.installation, cx.database, cx.service, cx.from)
            .map(|_| ())
    }
}
