//! A click that leads through several versions is rehearsed as a whole, on one clone.

use anyhow::{Context, Result, ensure};
use obnova_engine::api::{
    Answer, Expired, Hop, Outcome, Rehearsal, RehearsalOutcome, Request, StepStatus,
};
use obnova_testkit::cases::Case;

use crate::fixture::{Release, Try, release};
use crate::stage::{NEWEST, User, code, log, offer, rehearse_to, started};

/// The cases.
pub const CASES: &[Case] = &[
    (
        "all_versions_of_a_click_are_rehearsed_one_after_another",
        passes,
    ),
    ("the_version_that_fails_on_the_way_is_named", second_fails),
    (
        "a_version_on_the_way_that_cannot_be_left_again_is_named",
        first_differs,
    ),
    ("a_rehearsal_of_another_way_does_not_count", other_way),
];

/// The way to a newer version leads through it.
const STOP: Release = Release {
    more: "required_stop = true",
    ..release("1.5.0", 2, &[], &[])
};
const LAST: Release = release("2.0.0", 3, &[], &[]);

fn through(stop: &Release, last: &Release) -> Result<Try> {
    let it = started(last)?;
    it.publish(stop)?;
    it.check()?;
    let route: Vec<String> = offer(&it)?.route.iter().map(ToString::to_string).collect();
    ensure!(route == ["1.5.0", "2.0.0"], "{route:?}");
    Ok(it)
}

fn hops(rehearsal: &Rehearsal) -> Result<[&Hop; 2]> {
    let [first, second] = rehearsal.walk.as_slice() else {
        anyhow::bail!("not two versions: {rehearsal:#?}");
    };
    Ok([first, second])
}

fn passes() -> Result<String> {
    let it = through(&STOP, &LAST)?;
    let before = it.now()?;
    let user = User::of(&it)?;
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    let served = user.served()?;
    before
        .expect_same(&it.now()?)
        .context("production was touched")?;
    let hops = hops(&rehearsal)?;
    for hop in hops {
        let open = hop
            .steps
            .iter()
            .find(|step| step.status != StepStatus::Done);
        ensure!(open.is_none() && !hop.steps.is_empty(), "{hop:#?}");
        ensure!(
            hop.forecast.is_some(),
            "nothing is foretold of {}",
            hop.version
        );
    }
    let foretold = hops.map(|hop| hop.forecast.as_ref().map_or(0, |it| it.blackout_ms));
    let all = rehearsal.forecast.clone().context("no forecast")?;
    ensure!(all.blackout_ms == foretold.iter().sum::<u64>(), "{all:?}");
    let said = log(&it, "2.0.0")?.join("\n");
    for part in [
        "the update to 1.5.0",
        "the update to 2.0.0",
        "the way back from 1.5.0",
    ] {
        ensure!(said.contains(part), "{part} in {said}");
    }
    let shown = offer(&it)?
        .rehearsal
        .context("the offer says nothing of it")?;
    ensure!(shown.expired.is_none(), "{shown:?}");
    // One click, and each version remembers what was foretold of it.
    let last = it.update("2.0.0")?;
    ensure!(last.outcome == Outcome::Completed, "{last:?}");
    let Answer::History { updates } = it.ask(&Request::History)? else {
        anyhow::bail!("no history");
    };
    let mut remembered = updates
        .iter()
        .rev()
        .map(|update| (&update.to, &update.forecast));
    for hop in hops {
        ensure!(
            remembered.next() == Some((&hop.version, &hop.forecast)),
            "{updates:#?}"
        );
    }
    let actual: Vec<_> = updates
        .iter()
        .rev()
        .filter_map(|it| it.blackout_ms)
        .collect();
    it.end()?;
    Ok(format!(
        "foretold {foretold:?} ms, were {actual:?} ms; {served}"
    ))
}

fn second_fails() -> Result<String> {
    let it = through(&STOP, &release("2.0.0", 3, &["--fail-at", "3"], &[]))?;
    let before = it.now()?;
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::Failed)?;
    before.expect_same(&it.now()?)?;
    ensure!(code(&rehearsal) == "migration-failed", "{rehearsal:#?}");
    let failed = rehearsal.failed.as_ref().map(ToString::to_string);
    ensure!(failed.as_deref() == Some("2.0.0"), "{failed:?}");
    let [first, second] = hops(&rehearsal)?;
    ensure!(
        first
            .steps
            .iter()
            .all(|step| step.status == StepStatus::Done),
        "{first:#?}"
    );
    ensure!(second.steps.iter().any(|step| step.failed), "{second:#?}");
    let obstacles = offer(&it)?.obstacles;
    ensure!(
        obstacles.len() == 1 && obstacles[0].args["version"] == "2.0.0",
        "{obstacles:?}"
    );
    // Nothing is said against the version on the way.
    let version = Some("1.5.0".parse()?);
    let Answer::Plan(plan) = it.ask(&Request::Plan { version })? else {
        anyhow::bail!("no plan");
    };
    ensure!(plan.obstacles.is_empty(), "{:?}", plan.obstacles);
    it.end()?;
    Ok("2.0.0 is named".to_owned())
}

fn first_differs() -> Result<String> {
    // Corrects a file wherever it finds it, in what was put in a safe place for the first version's update too.
    let correct = "find \"$8/../../..\" -path '*protected/1/*' -name first.txt | \
                   while read -r file; do echo more >> \"$file\"; done; exec \"$@\"";
    let it = through(
        &STOP,
        &Release {
            shell: Some(correct),
            ..LAST
        },
    )?;
    let before = it.now()?;
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::Failed)?;
    before.expect_same(&it.now()?)?;
    ensure!(code(&rehearsal) == "rehearsal-differs", "{rehearsal:#?}");
    let failed = rehearsal.failed.as_ref().map(ToString::to_string);
    ensure!(failed.as_deref() == Some("1.5.0"), "{failed:?}");
    it.end()?;
    Ok("1.5.0 is named".to_owned())
}

fn other_way() -> Result<String> {
    let it = started(&NEWEST)?;
    rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    it.publish(&STOP)?;
    it.check()?;
    let rehearsal = offer(&it)?.rehearsal.context("no rehearsal")?;
    ensure!(
        rehearsal.expired == Some(Expired::Route),
        "{:?}",
        rehearsal.expired
    );
    it.end()?;
    Ok("it leads through another version now".to_owned())
}
