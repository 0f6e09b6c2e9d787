//! Holds new requests in the fronts and lets those under way finish.

use std::time::Duration;

use crate::api::{Forecast, ForecastTraffic, HoldLimits, Problem, Unit};
use crate::application;
use crate::durable;
use crate::problem;
use crate::step::{Context, Step};
use crate::steps::clean;

/// How requests are held in an update of which this was foretold: not at all, if it is too long for that, so that people see
/// the maintenance page at once, and not only after they have waited.
pub(crate) fn limits(set: HoldLimits, forecast: Option<&Forecast>) -> HoldLimits {
    match forecast.map(|forecast| forecast.traffic) {
        Some(ForecastTraffic::MaintenancePage) => HoldLimits {
            requests: 0,
            seconds: 0,
            ..set
        },
        Some(ForecastTraffic::Hold) | None => set,
    }
}

/// See the module.
pub(super) struct Hold;

impl Step for Hold {
    fn name(&self) -> &'static str {
        "hold"
    }

    fn plan(&self, cx: &Context) -> String {
        match cx.hold.seconds {
            0 => "the maintenance page at once, as the forecast is longer than requests are held"
                .to_owned(),
            seconds => format!("at most {} requests for {seconds} s", cx.hold.requests),
        }
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        let patience = cx.at_most(Duration::from_secs(cx.hold.drain_seconds));
        let progress = |under_way| (cx.progress)(0, under_way, Unit::Requests);
        let left = cx
            .traffic
            .hold(cx.hold, Some(cx.to.clone()), patience, &progress);
        Ok((left > 0).then(|| format!("{left} requests did not finish in time")))
    }

    /// Undone last but for what came before it: the version before is up and healthy again, unless it has gone down since.
    fn undo(&self, cx: &Context) -> Result<(), Problem> {
        let running = match cx.service.look()? {
            Some(running) if running.version == *cx.from => running,
            _ => application::ensure_running(cx.installation, cx.database, cx.service, cx.from)?,
        };
        // From the next line on users write again: going back to the copies once more would lose that.
        let protected = cx.protected();
        if protected.exists() {
            // That of another journal's update with this number.
            clean::throw_away(cx.database, &cx.used());
            durable::rename(&protected, &cx.used()).map_err(|error| {
                Problem::new(problem::SYSTEM)
                    .arg("path", protected.display())
                    .detail(error)
            })?;
        }
        cx.traffic.pass(running.address());
        Ok(())
    }
}
