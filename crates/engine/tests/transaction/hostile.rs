//! Releases, administrators and moments that mean ill: what was there before comes back all the same.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use obnova_engine::Moment;
use obnova_engine::api::{Answer, Outcome, Request};
use obnova_testkit::cases::Case;

use crate::fixture::{Deed, Release, Try};

/// The cases.
pub const CASES: &[Case] = &[
    ("a_daemon_that_a_migration_leaves_is_ended", daemon),
    (
        "copies_of_an_earlier_journal_are_never_used",
        earlier_journal,
    ),
    ("the_deadline_ends_an_update_and_what_it_runs", deadline),
    (
        "a_version_that_is_gone_before_the_first_request_is_undone",
        gone_early,
    ),
    (
        "killed_between_two_versions_of_a_click_it_goes_on_with_the_second",
        two_versions,
    ),
    (
        "told_to_end_during_an_update_the_next_engine_ends_old",
        told_to_end,
    ),
    ("limits_that_no_clock_can_hold_are_refused", limits),
];

/// Records of an update: its start, then two for each step.
const RELEASE_TRAFFIC: u64 = 26;
const COMPLETED: u64 = 32;

fn daemon() -> Result<String> {
    let mut it = Try::new()?;
    it.publish(&Release {
        version: "1.2.1",
        schema: 3,
        migrate: &["--fail-at", "3"],
        serve: &[],
        shell: Some(
            "setsid sh -c 'while :; do echo late >> ../../data/late.txt; sleep 0.02; done' & exec \"$@\"",
        ),
        more: "",
        server: "",
    })?;
    it.start(None)?;
    it.write("one")?;
    let before = it.now()?;
    let update = it.update("1.2.1")?;
    ensure!(update.outcome == Outcome::RolledBack, "it was installed");
    std::thread::sleep(Duration::from_millis(200));
    before.expect_same(&it.now()?)?;
    it.end()?;
    Ok("in a session of its own".to_owned())
}

fn earlier_journal() -> Result<String> {
    let mut it = Try::new()?;
    it.start(None)?;
    it.update("1.1.0")?;
    it.kill_engine()?;
    // What the engine advises for a damaged journal.
    std::fs::remove_file(it.state_dir().join("journal.jsonl"))?;
    it.start(None)?;
    it.write("after the first update")?;
    let before = it.now()?;
    let update = it.update("1.2.0")?;
    ensure!(update.update == 1, "{update:?}");
    ensure!(update.outcome == Outcome::RolledBack, "it was installed");
    before.expect_same(&it.now()?)?;
    it.end()?;
    Ok("not used".to_owned())
}

fn deadline() -> Result<String> {
    let mut it = Try::new()?;
    it.publish(&Release {
        version: "1.2.1",
        schema: 2,
        migrate: &["--slow", "60000"],
        serve: &[],
        shell: Some("trap '' TERM INT; \"$@\""),
        more: "",
        server: "",
    })?;
    it.start(None)?;
    let Answer::Settings(mut settings) = it.ask(&Request::Settings)? else {
        anyhow::bail!("no settings");
    };
    settings.blackout_deadline_s = Some(2);
    it.ask(&Request::Configure(settings))?;
    it.write("one")?;
    let before = it.now()?;
    let began = Instant::now();
    let update = it.update("1.2.1")?;
    ensure!(
        began.elapsed() < Duration::from_secs(20),
        "it took {:?}",
        began.elapsed()
    );
    let code = update.problem.context("no reason")?.code;
    ensure!(code == "deadline", "{code}");
    before.expect_same(&it.now()?)?;
    it.end()?;
    Ok(format!("blackout {} ms", update.blackout_ms.unwrap_or(0)))
}

fn gone_early() -> Result<String> {
    let mut it = Try::new()?;
    it.start_to(Some((
        Moment::After(RELEASE_TRAFFIC),
        Deed::BreakNewVersion,
    )))?;
    it.write("one")?;
    let before = it.now()?;
    let update = it.update("1.1.0")?;
    ensure!(update.outcome == Outcome::RolledBack, "it was installed");
    before.expect_same(&it.now()?)?;
    it.end()?;
    Ok(update.problem.context("no reason")?.code)
}

fn two_versions() -> Result<String> {
    let moments = [
        Moment::Before(COMPLETED),
        Moment::After(COMPLETED),
        Moment::Before(COMPLETED + 1),
        Moment::After(COMPLETED + 1),
    ];
    for moment in moments {
        between_versions(moment).with_context(|| format!("killed {moment:?}"))?;
    }
    Ok(format!("{} moments", moments.len()))
}

fn between_versions(moment: Moment) -> Result<()> {
    let mut it = Try::new()?;
    for (version, schema, more) in [
        ("1.5.0", 2, "required_stop = true"),
        ("1.6.0", 3, "from = \">=1.5.0\""),
    ] {
        it.publish(&Release {
            version,
            schema,
            migrate: &[],
            serve: &[],
            shell: None,
            more,
            server: "",
        })?;
    }
    it.start(Some(moment))?;
    it.write("one")?;
    it.check()?;
    it.install("1.6.0")?;
    ensure!(it.killed()?, "it was not killed");
    it.start(None)?;
    let until = Instant::now() + Duration::from_secs(30);
    while it.settled()?.installed.to_string() != "1.6.0" {
        ensure!(Instant::now() < until, "it ends with {:?}", it.state()?);
        std::thread::sleep(Duration::from_millis(20));
    }
    ensure!(
        format!("{:?}", it.now()?).contains("step_3"),
        "it is not migrated"
    );
    it.end()
}

fn told_to_end() -> Result<String> {
    let mut it = Try::new()?;
    it.start(None)?;
    it.write("one")?;
    let before = it.now()?;
    it.check()?;
    let mut ended = Vec::new();
    for pause in [0, 200, 500, 900] {
        it.install("1.0.5")?;
        std::thread::sleep(Duration::from_millis(pause));
        it.stop_engine()?;
        it.start(None)?;
        let state = it.settled()?;
        ended.push(state.installed.to_string());
        if ended.last().is_some_and(|version| version == "1.0.5") {
            break;
        }
        before.expect_same(&it.now()?)?;
    }
    it.end()?;
    Ok(ended.join(", "))
}

fn limits() -> Result<String> {
    let mut it = Try::new()?;
    it.start(None)?;
    let Answer::Settings(mut settings) = it.ask(&Request::Settings)? else {
        anyhow::bail!("no settings");
    };
    settings.hold.drain_seconds = u64::MAX;
    let refused = it.ask(&Request::Configure(settings));
    ensure!(refused.is_err(), "they were taken");
    it.settled()?;
    it.end()?;
    Ok("bad-request".to_owned())
}
