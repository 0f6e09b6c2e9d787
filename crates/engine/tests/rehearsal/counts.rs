//! How long a rehearsal counts, and when one begins by itself.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp, ToSpan, Zoned};
use obnova_engine::api::{Expired, RehearsalOutcome, RehearsalSettings};
use obnova_testkit::cases::Case;

use crate::fixture::{Try, release};
use crate::stage::{
    NEWEST, begin, gone, offer, reached, rehearse_to, result, running, set, started,
};

/// The cases.
pub const CASES: &[Case] = &[
    ("it_expires_when_it_is_old_or_the_data_has_grown", expires),
    ("a_new_version_is_rehearsed_by_itself_once", automatic),
    ("a_rehearsal_is_made_at_the_daily_hour", daily),
    ("the_next_engine_knows_the_result", remembered),
];

fn expired(it: &Try) -> Result<Option<Expired>> {
    let rehearsal = offer(it)?.rehearsal.context("no rehearsal")?;
    Ok(rehearsal.expired)
}

fn expires() -> Result<String> {
    let it = started(&release("2.0.0", 3, &["--fail-at", "3"], &[]))?;
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::Failed)?;
    ensure!(expired(&it)?.is_none(), "it does not count");
    let file = it.state_dir().join("data/scans.bin");
    std::fs::write(&file, vec![7; 20 << 20])?;
    it.check()?;
    ensure!(
        expired(&it)? == Some(Expired::Growth),
        "{:?}",
        expired(&it)?
    );
    ensure!(
        offer(&it)?.obstacles.is_empty(),
        "it still stands in the way"
    );
    std::fs::remove_file(&file)?;
    it.check()?;
    ensure!(expired(&it)?.is_none(), "it does not count again");
    // A week passes.
    let mut old = rehearsal;
    old.finished = Timestamp::now() - SignedDuration::from_hours(7 * 24 + 1);
    std::fs::write(
        it.state_dir().join("rehearsals/2.0.0.json"),
        serde_json::to_vec(&old)?,
    )?;
    ensure!(expired(&it)? == Some(Expired::Age), "{:?}", expired(&it)?);
    set(
        &it,
        RehearsalSettings {
            valid_days: 30,
            ..RehearsalSettings::default()
        },
    )?;
    ensure!(expired(&it)?.is_none(), "thirty days have not passed");
    // Another version is installed meanwhile.
    it.update("1.1.0")?;
    ensure!(
        expired(&it)? == Some(Expired::Version),
        "{:?}",
        expired(&it)?
    );
    it.end()?;
    Ok("by growth, age and version".to_owned())
}

fn automatic() -> Result<String> {
    let it = started(&NEWEST)?;
    set(
        &it,
        RehearsalSettings {
            automatic: true,
            ..RehearsalSettings::default()
        },
    )?;
    let until = Instant::now() + Duration::from_secs(60);
    while running(&it)?.is_none() {
        ensure!(Instant::now() < until, "it does not begin by itself");
        std::thread::sleep(Duration::from_millis(20));
    }
    gone(&it)?;
    let rehearsal = result(&it, "2.0.0")?;
    ensure!(
        (rehearsal.outcome, &*rehearsal.actor) == (RehearsalOutcome::Passed, "obnova"),
        "{rehearsal:?}"
    );
    std::thread::sleep(Duration::from_secs(3));
    ensure!(running(&it)?.is_none(), "it begins again");
    ensure!(result(&it, "2.0.0")? == rehearsal, "it was made again");
    it.end()?;
    Ok("once".to_owned())
}

fn daily() -> Result<String> {
    let it = started(&NEWEST)?;
    // Not across midnight.
    while Zoned::now().hour() == 23 && Zoned::now().minute() == 59 {
        std::thread::sleep(Duration::from_secs(1));
    }
    let soon = Zoned::now().datetime().time().wrapping_add(2.seconds());
    let settings = RehearsalSettings {
        daily_at: Some(soon),
        ..RehearsalSettings::default()
    };
    set(&it, settings)?;
    let until = Instant::now() + Duration::from_secs(60);
    while running(&it)?.is_none() {
        ensure!(Instant::now() < until, "it does not begin at {soon}");
        std::thread::sleep(Duration::from_millis(20));
    }
    gone(&it)?;
    let rehearsal = result(&it, "2.0.0")?;
    ensure!(rehearsal.actor == "obnova", "{rehearsal:?}");
    it.end()?;
    Ok(format!("at {soon:.0}"))
}

fn remembered() -> Result<String> {
    let mut it = started(&NEWEST)?;
    let rehearsal = rehearse_to(&it, "2.0.0", RehearsalOutcome::Passed)?;
    it.kill_engine()?;
    it.start(None)?;
    ensure!(
        offer(&it)?.rehearsal.as_ref() == Some(&rehearsal),
        "it is forgotten"
    );
    // One that is broken off says nothing, so this one still counts.
    begin(&it, "2.0.0")?;
    reached(&it, "clone")?;
    it.ask(&obnova_engine::api::Request::CancelRehearsal)?;
    gone(&it)?;
    ensure!(result(&it, "2.0.0")? == rehearsal, "it was replaced");
    it.end()?;
    Ok("still there".to_owned())
}
