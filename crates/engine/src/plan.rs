//! Decides where an update goes, and says what it would do: from the same facts as the real thing, and without an act.

use semver::Version;

use crate::api::{Offer, Plan, PlannedStep, Problem};
use crate::problem;
use crate::rehearsal::is_insistable;
use crate::step::{Context, Step};
use crate::steps::{self, SERVER};

/// The offer of the version that is wanted, or of the newest: `found` is what the repository has for that wish.
///
/// # Errors
/// `nothing-to-install`, `unknown-version`.
pub(crate) fn choose(found: Option<Offer>, wanted: Option<Version>) -> Result<Offer, Problem> {
    match (found, wanted) {
        (Some(offer), None) => Ok(offer),
        (Some(offer), Some(wanted)) if offer.version == wanted => Ok(offer),
        (_, Some(wanted)) => Err(Problem::new(problem::UNKNOWN_VERSION).arg("version", wanted)),
        (None, None) => Err(Problem::new(problem::NOTHING_TO_INSTALL)),
    }
}

/// The versions to go through.
///
/// # Errors
/// The first obstacle that stands in the way and is not insisted on.
pub(crate) fn route(offer: Offer, insist: bool) -> Result<Vec<Version>, Problem> {
    let stands = |obstacle: &Problem| !(insist && is_insistable(obstacle));
    match offer.obstacles.into_iter().find(stands) {
        Some(obstacle) => Err(obstacle),
        None => Ok(offer.route),
    }
}

/// What an update would do, step by step.
///
/// # Errors
/// `system`: the disk does not say how much of it is free.
pub(crate) fn dry_run(offer: Offer, cx: &Context) -> Result<Plan, Problem> {
    let step = |step: &&dyn Step| PlannedStep {
        step: step.name().to_owned(),
        detail: step.plan(cx),
    };
    Ok(Plan {
        from: cx.from.clone(),
        to: cx.to.clone(),
        then: offer.route.into_iter().skip(1).collect(),
        steps: SERVER.iter().map(step).collect(),
        disk_needed: steps::check::needed(cx),
        disk_free: steps::check::free(cx)?,
        obstacles: offer.obstacles,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(obstacles: Vec<Problem>) -> Offer {
        let version = Version::new(1, 2, 0);
        let route = vec![Version::new(1, 1, 0), version.clone()];
        Offer {
            version,
            route,
            notes: vec![],
            obstacles,
            may_insist: true,
            rehearsal: None,
            proof: None,
            download_bytes: 0,
        }
    }

    #[test]
    fn without_a_wish_the_newest_is_chosen() {
        assert_eq!(
            choose(Some(offer(vec![])), None).unwrap().version,
            Version::new(1, 2, 0)
        );
        assert_eq!(
            choose(None, None).unwrap_err().code,
            problem::NOTHING_TO_INSTALL
        );
    }

    #[test]
    fn a_version_that_is_not_offered_is_refused() {
        let wanted = Some(Version::new(9, 0, 0));
        assert_eq!(
            choose(Some(offer(vec![])), wanted).unwrap_err().code,
            problem::UNKNOWN_VERSION
        );
    }

    #[test]
    fn only_an_earlier_failure_can_be_insisted_on() {
        let failed = Problem::new(problem::FAILED_BEFORE);
        assert_eq!(route(offer(vec![failed.clone()]), true).unwrap().len(), 2);
        assert_eq!(
            route(offer(vec![failed.clone()]), false).unwrap_err().code,
            problem::FAILED_BEFORE
        );
        let range = Problem::new(problem::SOURCE_VERSION);
        assert_eq!(
            route(offer(vec![failed, range]), true).unwrap_err().code,
            problem::SOURCE_VERSION
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_installed_past_an_obstacle_that_nobody_can_insist_on(
            codes in proptest::collection::vec(proptest::sample::select(problem::ALL.to_vec()), 0..5),
            insist: bool,
        ) {
            let obstacles: Vec<Problem> = codes.into_iter().map(Problem::new).collect();
            let stands = obstacles.iter().any(|it| !(insist && is_insistable(it)));
            let route = route(offer(obstacles), insist);
            proptest::prop_assert_eq!(route.is_err(), stands);
            if let Ok(route) = route {
                proptest::prop_assert!(route.is_sorted(), "forwards only");
            }
        }
    }
}
