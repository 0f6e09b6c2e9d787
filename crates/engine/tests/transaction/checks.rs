//! Releases that bring a check along: what it says decides, and nothing of it is left, whoever is killed.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use obnova_engine::api::Outcome;
use obnova_testkit::cases::Case;

use crate::fixture::{Release, Try, kill_recorded, release};

/// The cases.
pub const CASES: &[Case] = &[
    ("a_check_that_agrees_lets_the_version_through", agrees),
    (
        "a_check_that_objects_leaves_everything_as_before_and_is_quoted",
        objects,
    ),
    ("a_check_that_does_not_end_is_ended", endless),
    (
        "an_engine_killed_during_a_check_leaves_nothing_of_it",
        killed,
    ),
    ("a_version_that_comes_back_is_not_checked_again", not_again),
];

/// A version that would come up, with this as its check, for `sh`; the port is `$1`, the tree `$2`, `$WORD` is `said`.
fn with_check(check: &str) -> Result<String> {
    let words = ["/bin/sh", "-c", check, "check", "${port}", "${tree}"];
    Ok(format!(
        "check = {}\nenv = {{ WORD = \"said\", PLACE = \"${{tree}}\" }}",
        serde_json::to_string(&words)?
    ))
}

fn started(check: &str) -> Result<Try> {
    let mut it = Try::new()?;
    it.publish(&Release {
        server: &with_check(check)?,
        ..release("1.2.1", 2, &[], &[])
    })?;
    it.start(None)?;
    it.write("one")?;
    Ok(it)
}

fn agrees() -> Result<String> {
    // The application answers on that port, the tree is where it works, and the environment names it too.
    let it = started(
        "[ \"$1\" -gt 0 ] && [ \"$PLACE\" = \"$2\" ] && [ \"$(pwd -P)\" = \"$(readlink -f \"$2\")\" ] && cat VERSION",
    )?;
    let update = it.update("1.2.1")?;
    ensure!(update.outcome == Outcome::Completed, "{update:?}");
    ensure!(!record(&it).exists(), "its record is left");
    it.end()?;
    Ok("with port, tree and environment".to_owned())
}

fn objects() -> Result<String> {
    let it = started("echo it was $WORD; echo at $1 >&2; exit 7")?;
    let before = it.now()?;
    let update = it.update("1.2.1")?;
    ensure!(update.outcome == Outcome::RolledBack, "it was installed");
    let problem = update.problem.context("no reason")?;
    ensure!(problem.code == "unhealthy", "{problem:?}");
    let detail = problem.detail.context("no detail")?;
    for word in ["exit status: 7", "it was said", "at "] {
        ensure!(detail.contains(word), "{word:?} is not in {detail}");
    }
    before.expect_same(&it.now()?)?;
    it.end()?;
    Ok("quoted".to_owned())
}

fn endless() -> Result<String> {
    // It leaves a daemon, too, and does not listen.
    let it = started("trap '' TERM INT; setsid sleep 600 & sleep 600")?;
    let before = it.now()?;
    let began = Instant::now();
    let update = it.update("1.2.1")?;
    ensure!(
        began.elapsed() < Duration::from_secs(60),
        "it was waited for"
    );
    ensure!(update.outcome == Outcome::RolledBack, "it was installed");
    let problem = update.problem.context("no reason")?;
    ensure!(problem.code == "unhealthy", "{problem:?}");
    ensure!(family(&record(&it))? == 0, "something of it still runs");
    before.expect_same(&it.now()?)?;
    it.end()?;
    Ok(format!("after {:.1} s", began.elapsed().as_secs_f64()))
}

fn killed() -> Result<String> {
    let mut it = started("setsid sleep 600 & sleep 600")?;
    let before = it.now()?;
    it.check()?;
    it.install("1.2.1")?;
    let until = Instant::now() + Duration::from_secs(60);
    while family(&record(&it))? == 0 {
        ensure!(Instant::now() < until, "the check does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    it.kill_engine()?;
    it.start(None)?;
    let last = it.settled()?.last_update.context("no update")?;
    ensure!(last.outcome == Outcome::RolledBack, "{last:?}");
    ensure!(family(&record(&it))? == 0, "something of it still runs");
    ensure!(!record(&it).exists(), "its record is left");
    before.expect_same(&it.now()?)?;
    ensure!(
        !kill_recorded(&it.state_dir(), "check.json"),
        "it is recorded"
    );
    it.end()?;
    Ok("nor of the daemon it had started".to_owned())
}

fn not_again() -> Result<String> {
    // From the tree to the state directory.
    let it = started("[ ! -e ../../objects ]")?;
    it.update("1.2.1")?;
    let before = it.now()?;
    it.publish(&release("1.5.0", 3, &[], &[]))?;
    let update = it.update("1.5.0")?;
    ensure!(update.outcome == Outcome::Completed, "{update:?}");
    std::fs::write(it.state_dir().join("objects"), "")?;
    let revert = it.revert(update.update)?;
    ensure!(revert.outcome == Outcome::Completed, "{revert:?}");
    before.expect_same(&it.now()?)?;
    it.end()?;
    Ok("by its probes alone".to_owned())
}

fn record(it: &Try) -> std::path::PathBuf {
    it.state_dir().join("check.json")
}

/// Living processes that were started under this record.
fn family(record: &Path) -> Result<usize> {
    let mut mark = b"OBNOVA_RECORD=".to_vec();
    mark.extend_from_slice(record.as_os_str().as_encoded_bytes());
    let mut found = 0;
    for entry in std::fs::read_dir("/proc")? {
        // A zombie has no environment left.
        let environment = std::fs::read(entry?.path().join("environ")).unwrap_or_default();
        found += usize::from(environment.split(|byte| *byte == 0).any(|one| one == mark));
    }
    Ok(found)
}
