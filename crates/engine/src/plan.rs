//! Decides where an update goes, and says what it would do: the same facts that the real thing uses, and no act.

use std::sync::atomic::AtomicBool;

use semver::Version;

use crate::api::{Offer, Plan, PlannedStep, Problem};
use crate::engine::Engine;
use crate::problem;
use crate::step::Context;
use crate::steps::{self, SERVER};

/// The versions to go through, as last found in the repository.
///
/// # Errors
/// `nothing-to-install`, `unknown-version`, or the first obstacle that stands in the way and is not insisted on.
pub(crate) fn route(
    engine: &Engine,
    version: Option<Version>,
    insist: bool,
) -> Result<Vec<Version>, Problem> {
    let offer = offer(engine, version)?;
    let stands = |obstacle: &Problem| !(insist && obstacle.code == problem::FAILED_BEFORE);
    match offer.obstacles.into_iter().find(stands) {
        Some(obstacle) => Err(obstacle),
        None => Ok(offer.route),
    }
}

/// The offer of this version, or of the newest.
fn offer(engine: &Engine, version: Option<Version>) -> Result<Offer, Problem> {
    let installed = engine.installed()?;
    let channel = engine.settings.current().channel;
    let found = engine.hub.with_history(|history| {
        engine
            .releases
            .offer(&installed, &channel, history, version.as_ref())
    });
    match (found, version) {
        (Some(offer), None) => Ok(offer),
        (Some(offer), Some(wanted)) if offer.version == wanted => Ok(offer),
        (_, Some(wanted)) => Err(Problem::new(problem::UNKNOWN_VERSION).arg("version", wanted)),
        (None, None) => Err(Problem::new(problem::NOTHING_TO_INSTALL)),
    }
}

/// What an update would do.
///
/// # Errors
/// `nothing-to-install`, `unknown-version`.
pub(crate) fn dry_run(engine: &Engine, version: Option<Version>) -> Result<Plan, Problem> {
    let offer = offer(engine, version)?;
    let to = offer.route.first().unwrap_or(&offer.version).clone();
    let from = engine.installed()?;
    let release = engine.releases.release(&to);
    let context = Context {
        installation: &engine.installation,
        update: engine.hub.with_history(|history| history.next_id()),
        from: &from,
        to: &to,
        release: release.as_ref(),
        releases: &engine.releases,
        database: engine.database.as_ref(),
        service: engine.service.as_ref(),
        traffic: &engine.traffic,
        hold: engine.settings.current().hold,
        deadline: None,
        progress: &|_, _, _| (),
        cancelled: &AtomicBool::new(false),
    };
    let step = |step: &&dyn crate::step::Step| PlannedStep {
        step: step.name().to_owned(),
        detail: step.plan(&context),
    };
    Ok(Plan {
        steps: SERVER.iter().map(step).collect(),
        disk_needed: steps::check::needed(&context),
        disk_free: steps::check::free(&context)?,
        then: offer.route.iter().skip(1).cloned().collect(),
        obstacles: offer.obstacles,
        from: from.clone(),
        to: to.clone(),
    })
}
