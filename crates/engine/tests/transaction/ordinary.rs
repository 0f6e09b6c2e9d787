//! Updates that nobody kills: done, failed in every way a release can fail, and what stands around them.

use anyhow::{Context, Result, ensure};
use obnova_engine::api::{Answer, Outcome, Request};
use obnova_testkit::cases::Case;

use crate::fixture::Try;

/// The cases.
pub const CASES: &[Case] = &[
    ("an_update_is_installed_and_its_data_migrated", installed),
    (
        "a_failed_migration_leaves_everything_as_before",
        failed_migration,
    ),
    (
        "a_version_that_is_not_healthy_leaves_everything_as_before",
        unhealthy,
    ),
    (
        "a_version_that_ends_at_once_leaves_everything_as_before",
        crashing,
    ),
    ("a_damaged_release_changes_nothing", damaged),
    (
        "a_version_that_failed_is_not_offered_without_insisting",
        failed_before,
    ),
    ("the_application_is_adopted_by_the_next_engine", adopted),
    ("an_application_that_dies_is_started_again", restarted),
    ("a_dry_run_names_every_step_and_changes_nothing", dry_run),
    (
        "the_next_update_can_be_asked_for_as_soon_as_one_has_ended",
        at_once,
    ),
    ("every_event_can_be_followed_from_its_number", events),
];

fn started() -> Result<Try> {
    let mut it = Try::new()?;
    it.start(None)?;
    it.write("one")?;
    it.write("two")?;
    Ok(it)
}

fn installed() -> Result<String> {
    let it = started()?;
    let update = it.update("1.1.0")?;
    ensure!(
        update.outcome == Outcome::Completed,
        "{update:?}\n{}",
        it.engine_log()
    );
    let now = it.now()?;
    ensure!(format!("{now:?}").contains("step_2"), "it is not migrated");
    ensure!(
        it.state()?.installed.to_string() == "1.1.0",
        "another version is installed"
    );
    let blackout = update.blackout_ms.context("no blackout")?;
    it.end()?;
    Ok(format!("blackout {blackout} ms"))
}

/// Runs an update that must be undone, for this reason.
fn undone(version: &str, code: &str) -> Result<String> {
    let it = started()?;
    let before = it.now()?;
    let update = it.update(version)?;
    ensure!(update.outcome == Outcome::RolledBack, "it was installed");
    let problem = update.problem.context("no reason")?;
    ensure!(problem.code == code, "{problem:?}");
    before.expect_same(&it.now()?)?;
    ensure!(
        !it.state_dir().join("versions").join(version).exists(),
        "the tree of the failed version is left over"
    );
    // What is written after that must survive the next failure.
    it.write("three")?;
    let between = it.now()?;
    it.update(version)?;
    between.expect_same(&it.now()?)?;
    it.end()?;
    Ok(format!("blackout {} ms", update.blackout_ms.unwrap_or(0)))
}

fn failed_migration() -> Result<String> {
    undone("1.2.0", "migration-failed")
}

fn unhealthy() -> Result<String> {
    undone("1.3.0", "unhealthy")
}

fn crashing() -> Result<String> {
    undone("1.4.0", "start-failed")
}

fn damaged() -> Result<String> {
    let it = started()?;
    it.check()?;
    let before = it.now()?;
    // All content goes bad after the signed metadata has been seen.
    for folder in std::fs::read_dir(it.repository().join("content"))? {
        for file in std::fs::read_dir(folder?.path())? {
            std::fs::write(file?.path(), b"not what was signed")?;
        }
    }
    it.install("1.1.0")?;
    let last = it.settled()?.last_update.context("no update")?;
    ensure!(last.outcome == Outcome::RolledBack, "it was installed");
    let code = last.problem.context("no reason")?.code;
    ensure!(code == "release-damaged", "{code}");
    ensure!(last.blackout_ms == Some(0), "requests were held");
    before.expect_same(&it.now()?)?;
    it.end()?;
    Ok(code)
}

fn failed_before() -> Result<String> {
    let it = started()?;
    it.update("1.4.0")?;
    let offer = it
        .check()?
        .check
        .and_then(|check| check.offer)
        .context("nothing is offered")?;
    ensure!(
        offer.obstacles.len() == 1 && offer.obstacles[0].code == "failed-before",
        "{:?}",
        offer.obstacles
    );
    ensure!(offer.may_insist, "an administrator may insist");
    let refused = it.ask(&Request::Install {
        version: None,
        actor: "test".to_owned(),
        insist: false,
    });
    ensure!(
        refused.is_err_and(|error| error.to_string().contains("failed-before")),
        "it was not refused"
    );
    it.end()?;
    Ok("failed-before".to_owned())
}

fn adopted() -> Result<String> {
    let mut it = started()?;
    let record = it.state_dir().join("service.json");
    let before = std::fs::read(&record)?;
    it.kill_engine()?;
    it.start(None)?;
    it.write("still there")?;
    ensure!(before == std::fs::read(&record)?, "it was started anew");
    it.end()?;
    Ok("the same process".to_owned())
}

fn restarted() -> Result<String> {
    let it = started()?;
    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(it.state_dir().join("service.json"))?)?;
    let pid = i32::try_from(record["pid"].as_i64().context("pid")?)?;
    let pid = rustix::process::Pid::from_raw(pid).context("pid")?;
    let before = it.state()?.serving;
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while it.state()?.serving == before {
        ensure!(
            std::time::Instant::now() < until,
            "it was not started again"
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    it.write("after")?;
    it.end()?;
    Ok("on another port".to_owned())
}

fn dry_run() -> Result<String> {
    let it = started()?;
    it.check()?;
    let before = it.now()?;
    let Answer::Plan(plan) = it.ask(&Request::Plan {
        version: Some("1.1.0".parse()?),
    })?
    else {
        anyhow::bail!("no plan");
    };
    let names: Vec<&str> = plan.steps.iter().map(|step| step.step.as_str()).collect();
    let all = obnova_engine::step_names(obnova_engine::api::UpdateKind::Install);
    ensure!(names == all, "{names:?}");
    ensure!(
        plan.disk_needed > 0 && plan.disk_free > plan.disk_needed,
        "{plan:?}"
    );
    before.expect_same(&it.now()?)?;
    ensure!(it.state()?.last_event == 0, "something was journalled");
    it.end()?;
    Ok(format!("{} steps", names.len()))
}

fn at_once() -> Result<String> {
    let it = started()?;
    it.check()?;
    it.install("1.2.0")?;
    // Not `settled`: whoever follows the events knows of the end before the worker is done with it.
    while it.state()?.last_update.is_none() {}
    it.install("1.1.0")?;
    let last = it.settled()?.last_update.context("no update")?;
    ensure!(
        last.outcome == Outcome::Completed && last.to.to_string() == "1.1.0",
        "{last:?}"
    );
    it.end()?;
    Ok("accepted".to_owned())
}

fn events() -> Result<String> {
    let it = started()?;
    it.update("1.1.0")?;
    let last = it.state()?.last_event;
    let client = obnova_engine::client::Client::new(&it.state_dir());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let numbers: Vec<u64> = runtime.block_on(async {
        let mut events = client
            .events(5, false)
            .await
            .map_err(|problem| anyhow::anyhow!(problem.code))?;
        let mut numbers = Vec::new();
        while let Some(line) = events.next().await? {
            if let obnova_engine::api::Line::Event(event) = line {
                numbers.push(event.number);
            }
        }
        anyhow::Ok(numbers)
    })?;
    ensure!(numbers == (6..=last).collect::<Vec<_>>(), "{numbers:?}");
    it.end()?;
    Ok(format!("{} events", last))
}
