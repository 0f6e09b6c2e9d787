//! Decides where an update goes, and says what it would do: the same facts that the real thing uses, and no act.

use std::sync::atomic::AtomicBool;

use semver::Version;

use crate::api::{Offer, Plan, PlannedStep, Problem};
use crate::engine::Engine;
use crate::problem;
use crate::step::Context;
use crate::steps::{self, SERVER};

/// The versions to go through, as last offered.
///
/// # Errors
/// `nothing-to-install`, `unknown-version`, or the first obstacle that stands in the way and is not insisted on.
pub(crate) fn route(
    engine: &Engine,
    version: Option<Version>,
    insist: bool,
) -> Result<Vec<Version>, Problem> {
    let offer = offer(engine)?;
    // A version in between, on the way, may be asked for as well.
    let wanted = version.unwrap_or_else(|| offer.version.clone());
    let through = match offer.route.iter().position(|version| *version == wanted) {
        Some(last) => offer.route[..=last].to_vec(),
        None if wanted == offer.version => Vec::new(),
        None => return Err(Problem::new(problem::UNKNOWN_VERSION).arg("version", wanted)),
    };
    match offer
        .obstacles
        .into_iter()
        .find(|obstacle| !(insist && obstacle.code == problem::FAILED_BEFORE))
    {
        Some(obstacle) => Err(obstacle),
        None => Ok(through),
    }
}

fn offer(engine: &Engine) -> Result<Offer, Problem> {
    let installed = engine.installed()?;
    let channel = engine.settings.current().channel;
    let check = engine
        .hub
        .with_history(|history| engine.releases.check(&installed, &channel, history));
    check
        .and_then(|check| check.offer)
        .ok_or_else(|| Problem::new(problem::NOTHING_TO_INSTALL))
}

/// What an update would do.
///
/// # Errors
/// `nothing-to-install`, `unknown-version`.
pub(crate) fn dry_run(engine: &Engine, version: Option<Version>) -> Result<Plan, Problem> {
    let offer = offer(engine)?;
    let wanted = version.unwrap_or_else(|| offer.version.clone());
    let to = offer
        .route
        .first()
        .cloned()
        .unwrap_or_else(|| wanted.clone());
    if !offer.route.contains(&wanted) && wanted != offer.version {
        return Err(Problem::new(problem::UNKNOWN_VERSION).arg("version", wanted));
    }
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
