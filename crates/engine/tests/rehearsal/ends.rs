//! However a rehearsal ends, nothing is left of its clone, and production is what it was.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use obnova_engine::api::{Outcome, RehearsalOutcome, RehearsalSettings, Request};
use obnova_testkit::cases::Case;

use crate::fixture::{Release, Try, release};
use crate::stage::{
    NEWEST, User, begin, code, gone, offer, place, processes, reached, rehearse_to, result,
    running, set, started,
};

/// The cases.
pub const CASES: &[Case] = &[
    ("a_killed_engine_takes_its_rehearsal_along", killed),
    ("a_rehearsal_can_be_broken_off", cancelled),
    (
        "an_update_breaks_a_rehearsal_off_and_goes_first",
        update_first,
    ),
    (
        "the_end_of_the_engine_is_the_end_of_the_rehearsal",
        engine_ends,
    ),
    ("a_clone_that_would_not_fit_is_not_begun", would_not_fit),
    ("a_clone_that_grows_too_large_is_broken_off", grows),
    ("one_rehearsal_at_a_time", one_at_a_time),
    ("one_that_takes_too_long_is_broken_off", too_long),
    (
        "a_command_that_does_not_come_to_make_the_clone_harmless_is_broken_off",
        never_harmless,
    ),
];

/// Slow enough for every step to be hit.
const SLOW: Release = release("2.0.0", 2, &["--slow", "800"], &[]);

fn killed() -> Result<String> {
    let mut it = started(&SLOW)?;
    let before = it.now()?;
    let user = User::of(&it)?;
    let steps = ["download", "clone", "protect_files", "migrate", "way_back"];
    for step in steps {
        begin(&it, "2.0.0")?;
        reached(&it, step).with_context(|| format!("before the kill in {step}"))?;
        it.kill_engine()?;
        // Without anybody to end it.
        let until = Instant::now() + Duration::from_secs(10);
        while !processes(&it)?.is_empty() {
            ensure!(
                Instant::now() < until,
                "{:?} outlive the engine",
                processes(&it)?
            );
        }
        it.start(None)?;
        gone(&it).with_context(|| format!("after a kill in {step}"))?;
        let left = result(&it, "2.0.0")?;
        ensure!(code(&left) == "rehearsal-broken-off", "{step}: {left:?}");
        ensure!(offer(&it)?.obstacles.is_empty(), "it stands in the way");
        before
            .expect_same(&it.now()?)
            .with_context(|| format!("after a kill in {step}"))?;
    }
    let served = user.served()?;
    rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    it.end()?;
    Ok(format!("killed in {}; {served}", steps.join(", ")))
}

fn cancelled() -> Result<String> {
    let it = started(&SLOW)?;
    let before = it.now()?;
    begin(&it, "2.0.0")?;
    reached(&it, "migrate")?;
    let asked = Instant::now();
    it.ask(&Request::CancelRehearsal)?;
    let took = asked.elapsed();
    ensure!(running(&it)?.is_none(), "it still runs");
    gone(&it)?;
    ensure!(code(&result(&it, "2.0.0")?) == "rehearsal-broken-off");
    before.expect_same(&it.now()?)?;
    // There is nothing to break off, which is no failure.
    it.ask(&Request::CancelRehearsal)?;
    rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    it.end()?;
    Ok(format!("in {took:.0?}"))
}

fn update_first() -> Result<String> {
    let it = started(&SLOW)?;
    begin(&it, "2.0.0")?;
    reached(&it, "migrate")?;
    let update = it.update("1.1.0")?;
    ensure!(update.outcome == Outcome::Completed, "{update:?}");
    gone(&it)?;
    ensure!(code(&result(&it, "2.0.0")?) == "rehearsal-broken-off");
    it.end()?;
    Ok("installed".to_owned())
}

fn engine_ends() -> Result<String> {
    let mut it = started(&SLOW)?;
    begin(&it, "2.0.0")?;
    reached(&it, "migrate")?;
    it.stop_engine()?;
    ensure!(!place(&it).exists(), "the clone is left over");
    it.start(None)?;
    gone(&it)?;
    it.end()?;
    Ok("nothing left".to_owned())
}

fn limit(it: &Try, bytes: u64) -> Result<()> {
    let settings = RehearsalSettings {
        disk_bytes: Some(bytes),
        ..RehearsalSettings::default()
    };
    set(it, settings)
}

fn would_not_fit() -> Result<String> {
    let it = started(&NEWEST)?;
    limit(&it, 4096)?;
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::NotMade)?;
    ensure!(code(&rehearsal) == "disk-space", "{rehearsal:?}");
    ensure!(offer(&it)?.obstacles.is_empty(), "it stands in the way");
    it.end()?;
    Ok("refused".to_owned())
}

fn grows() -> Result<String> {
    let greedy = "head -c 900000000 /dev/zero > \"$8/greedy.bin\"; sleep 20; exec \"$@\"";
    let it = started(&Release {
        shell: Some(greedy),
        ..NEWEST
    })?;
    let before = it.now()?;
    limit(&it, 300_000_000)?;
    let began = Instant::now();
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::NotMade)?;
    ensure!(code(&rehearsal) == "disk-space", "{rehearsal:?}");
    ensure!(
        began.elapsed() < Duration::from_secs(20),
        "it was waited for"
    );
    before.expect_same(&it.now()?)?;
    it.end()?;
    Ok("broken off".to_owned())
}

fn one_at_a_time() -> Result<String> {
    let it = started(&SLOW)?;
    begin(&it, "2.0.0")?;
    let refused = begin(&it, "1.1.0");
    ensure!(
        refused.is_err_and(|error| error.to_string().contains("rehearsal-running")),
        "it was not refused"
    );
    it.ask(&Request::CancelRehearsal)?;
    // At once, though the clone of the one before may still be being deleted; and broken off as quickly.
    begin(&it, "1.1.0")?;
    it.ask(&Request::CancelRehearsal)?;
    ensure!(running(&it)?.is_none(), "it still runs");
    // While an update runs there is none.
    it.install("1.0.5")?;
    let refused = begin(&it, "2.0.0");
    ensure!(
        refused.is_err_and(|error| error.to_string().contains("update-running")),
        "it was not refused"
    );
    it.settled()?;
    it.end()?;
    Ok("refused".to_owned())
}

fn too_long() -> Result<String> {
    let it = started(&Release {
        shell: Some("sleep 600; exec \"$@\""),
        ..NEWEST
    })?;
    let before = it.now()?;
    let settings = RehearsalSettings {
        limit_seconds: 8,
        ..RehearsalSettings::default()
    };
    set(&it, settings)?;
    let began = Instant::now();
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::NotMade)?;
    let took = began.elapsed();
    ensure!(code(&rehearsal) == "rehearsal-too-long", "{rehearsal:?}");
    ensure!(took < Duration::from_secs(60), "after {took:?}");
    ensure!(offer(&it)?.obstacles.is_empty(), "it stands in the way");
    before.expect_same(&it.now()?)?;
    it.end()?;
    Ok(format!("after {took:.0?}"))
}

fn never_harmless() -> Result<String> {
    let it = started(&Release {
        server: "neutralise = [\"/bin/sh\", \"-c\", \"echo waiting; sleep 600\"]",
        ..NEWEST
    })?;
    let before = it.now()?;
    let settings = RehearsalSettings {
        neutralise_seconds: 1,
        ..RehearsalSettings::default()
    };
    set(&it, settings)?;
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::NotMade)?;
    ensure!(code(&rehearsal) == "neutralise-too-long", "{rehearsal:?}");
    let said = rehearsal.problem.and_then(|problem| problem.detail);
    ensure!(said.as_deref() == Some("waiting"), "{said:?}");
    before.expect_same(&it.now()?)?;
    it.end()?;
    Ok("after a second".to_owned())
}
