//! Lets requests through to the new version. Its record is the point of no return: once it is on disk, requests may have been
//! answered by the new version, so an interrupted update is finished, never undone.

use crate::api::Problem;
use crate::application;
use crate::recovery::POINT_OF_NO_RETURN;
use crate::since;
use crate::step::{Context, Step};

/// See the module.
pub(super) struct ReleaseTraffic;

impl Step for ReleaseTraffic {
    fn name(&self) -> &'static str {
        POINT_OF_NO_RETURN
    }

    fn plan(&self, _cx: &Context) -> String {
        "from here on there is no automatic way back".to_owned()
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        let running = match cx.service.look()? {
            // Just verified.
            Some(running) if running.version == *cx.to => running,
            // The whole machine went down in between.
            _ => application::ensure_running(cx.installation, cx.database, cx.service, cx.to)?,
        };
        cx.database.admit(&cx.protected().join("database"))?;
        // Nothing has been written by users yet. That it cannot be told later what they wrote must not keep them waiting now.
        if let Err(error) = since::mark(&cx.protected(), cx.database) {
            tracing::warn!(%error, "what is written from now on cannot be counted");
        }
        cx.traffic.pass(running.address());
        Ok(None)
    }

    fn undo(&self, _cx: &Context) -> Result<(), Problem> {
        Ok(())
    }
}
