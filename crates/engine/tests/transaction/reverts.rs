//! The way back after an update was finished: to exactly the state before it, as a transaction of its own, with what it loses
//! told and saved before; and the copies that are kept for it.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use obnova_engine::Moment;
use obnova_engine::api::{
    Answer, Health, KeepRule, Outcome, Request, Settings, TableChange, UpdateKind,
};
use obnova_testkit::cases::Case;

use crate::fixture::{Deed, TAKEN, Try, Was};

/// The cases.
pub const CASES: &[Case] = &[
    (
        "going_back_returns_exactly_the_state_before_the_update",
        back,
    ),
    ("going_back_can_itself_be_taken_back", forth),
    (
        "a_way_back_that_fails_leaves_everything_and_can_be_tried_again",
        failed,
    ),
    (
        "what_going_back_would_lose_is_told_and_exported",
        told_and_exported,
    ),
    ("an_export_never_replaces_anything", export_refused),
    ("only_the_last_finished_update_can_be_taken_back", refused),
    ("copies_are_kept_by_the_rule_and_never_the_last_goes", kept),
    ("the_doctor_looks_and_leaves_nothing_behind", doctor),
];

/// An installation of 1.0.0 that was updated to 1.1.0, and what it was before and is now.
pub struct Updated {
    /// It.
    pub it: Try,
    /// As 1.0.0.
    pub old: Was,
    /// As 1.1.0, with what was written since.
    pub new: Was,
}

/// Updates, and writes on.
pub fn updated() -> Result<Updated> {
    let mut it = Try::new()?;
    it.start(None)?;
    it.write("one")?;
    let old = it.now()?;
    let update = it.update("1.1.0")?;
    ensure!(update.outcome == Outcome::Completed, "{update:?}");
    it.write("two")?;
    std::fs::write(it.state_dir().join("data/letters/second.txt"), "new\n")?;
    let new = it.now()?;
    Ok(Updated { it, old, new })
}

fn back() -> Result<String> {
    let Updated { it, old, .. } = updated()?;
    let revert = it.revert(1)?;
    ensure!(
        revert.outcome == Outcome::Completed && revert.kind == UpdateKind::Revert { of: 1 },
        "{revert:?}\n{}",
        it.engine_log()
    );
    old.expect_same(&it.now()?)?;
    ensure!(it.written()? == ["one"], "{:?}", it.written()?);
    // The version that was left is offered again, and can be installed.
    let check = it.check()?.check.context("no look")?;
    let offer = check.offer.context("nothing is offered")?;
    let failed = offer.obstacles.iter().map(|it| &it.args);
    ensure!(
        !format!("{:?}", failed.collect::<Vec<_>>()).contains("1.1.0"),
        "{:?}",
        offer.obstacles
    );
    it.write("three")?;
    let again = it.update("1.1.0")?;
    ensure!(again.outcome == Outcome::Completed, "{again:?}");
    ensure!(it.written()? == ["one", "three"], "{:?}", it.written()?);
    it.end()?;
    Ok(format!(
        "blackout {} ms",
        revert.blackout_ms.context("no blackout")?
    ))
}

fn forth() -> Result<String> {
    let Updated { it, new, .. } = updated()?;
    it.revert(1)?;
    it.write("three")?;
    let plan = it.revert_plan()?;
    ensure!(
        (plan.update, plan.to.to_string()) == (2, "1.1.0".to_owned()),
        "{plan:?}"
    );
    let forth = it.revert(2)?;
    ensure!(forth.outcome == Outcome::Completed, "{forth:?}");
    new.expect_same(&it.now()?)?;
    ensure!(it.written()? == ["one", "two"], "{:?}", it.written()?);
    it.end()?;
    Ok("to 1.1.0 with its data".to_owned())
}

fn failed() -> Result<String> {
    let Updated { mut it, old, new } = updated()?;
    let last = it.state()?.last_event;
    it.stop_engine()?;
    // After the record that the way back is done.
    let steps = obnova_engine::step_names(UpdateKind::Revert { of: 1 });
    let done = steps.iter().position(|name| *name == "go_back");
    let record = last + 1 + 2 * (done.context("no such step")? as u64 + 1);
    it.start_to(Some((Moment::After(record), Deed::TakeOldProgram)))?;
    it.settled()?;
    let revert = it.revert(1)?;
    ensure!(revert.outcome == Outcome::RolledBack, "{revert:?}");
    let code = revert.problem.context("no reason")?.code;
    ensure!(code == "start-failed", "{code}\n{}", it.engine_log());
    new.expect_same(&it.now()?)?;
    // Neither version is marked by that, and the copy is as good as before.
    let plan = it.revert_plan()?;
    ensure!(plan.obstacles.is_empty(), "{plan:?}");
    it.write("three")?;
    let program = it.state_dir().join("versions/1.0.0/bin/test-app");
    std::fs::rename(it.state_dir().join(TAKEN), program)?;
    let again = it.revert(1)?;
    ensure!(
        again.outcome == Outcome::Completed,
        "{again:?}\n{}",
        it.engine_log()
    );
    old.expect_same(&it.now()?)?;
    it.end()?;
    Ok(format!("{code}, then back"))
}

fn told_and_exported() -> Result<String> {
    let Updated { it, .. } = updated()?;
    let plan = it.revert_plan()?;
    ensure!(plan.obstacles.is_empty(), "{plan:?}");
    let written = plan.written.context("SQLite can tell")?;
    let writes = TableChange {
        table: "writes".to_owned(),
        inserted: Some(1),
        updated: None,
        deleted: None,
    };
    ensure!(
        written
            .iter()
            .any(|change| change.table == writes.table && change.inserted == writes.inserted),
        "{written:?}"
    );
    ensure!(plan.files_changed == 1, "{} files", plan.files_changed);
    let directory = it.state_dir().join("../export");
    let directory = std::fs::canonicalize(directory.parent().context("a parent")?)?.join("export");
    let Answer::Exported(exported) = it.ask(&Request::Export {
        directory: directory.clone(),
    })?
    else {
        anyhow::bail!("no export");
    };
    ensure!(exported.bytes > 0, "{exported:?}");
    let letter = directory.join("files/0/letters/second.txt");
    ensure!(
        std::fs::read_to_string(letter)? == "new\n",
        "another letter"
    );
    ensure!(
        !directory.join("files/0/letters/first.txt").exists(),
        "what was not changed is exported too"
    );
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&directory)?);
    ensure!(mode & 0o777 == 0o700, "others can read it");
    it.end()?;
    Ok(format!("{} bytes", exported.bytes))
}

fn export_refused() -> Result<String> {
    let Updated { it, .. } = updated()?;
    let ask = |directory: &Path| {
        it.ask(&Request::Export {
            directory: directory.to_owned(),
        })
    };
    for directory in [it.state_dir(), "relative".into(), "/".into()] {
        let answer = ask(&directory);
        ensure!(
            answer
                .as_ref()
                .is_err_and(|error| error.to_string().contains("bad-request")),
            "{}: {answer:?}",
            directory.display()
        );
    }
    let missing = ask(&it.state_dir().join("data/letters/first.txt/inside"));
    ensure!(missing.is_err(), "{missing:?}");
    it.end()?;
    Ok("refused".to_owned())
}

fn refused() -> Result<String> {
    let mut it = Try::new()?;
    it.start(None)?;
    it.settled()?;
    let refused = |it: &Try, update: u64| -> Result<()> {
        let answer = it.ask_back(update);
        ensure!(
            answer
                .as_ref()
                .is_err_and(|error| error.to_string().contains("nothing-to-revert")),
            "{update}: {answer:?}"
        );
        Ok(())
    };
    refused(&it, 1).context("nothing was updated")?;
    it.update("1.1.0")?;
    it.update("1.3.0")?;
    refused(&it, 2).context("it was undone")?;
    refused(&it, 7).context("there is none")?;
    let plan = it.revert_plan()?;
    ensure!(plan.update == 1 && plan.obstacles.is_empty(), "{plan:?}");
    let facts = it.state_dir().join("versions/1.0.0.json");
    std::fs::rename(&facts, facts.with_extension("aside"))?;
    refused(&it, 1).context("the program is gone")?;
    std::fs::rename(facts.with_extension("aside"), &facts)?;
    std::fs::remove_dir_all(it.state_dir().join("protected/1"))?;
    refused(&it, 1).context("the copy is gone")?;
    let plan = it.revert_plan()?;
    ensure!(plan.obstacles.len() == 1, "{plan:?}");
    it.end()?;
    Ok("refused".to_owned())
}

fn kept() -> Result<String> {
    let Updated { it, .. } = updated()?;
    let Answer::Settings(settings) = it.ask(&Request::Settings)? else {
        anyhow::bail!("no settings");
    };
    let configure = |copies| {
        let keep = KeepRule { copies, days: 30 };
        it.ask(&Request::Configure(Settings {
            keep,
            ..settings.clone()
        }))
    };
    configure(3)?;
    let copies = it.copies()?;
    ensure!(
        copies.len() == 1 && copies[0].is_last && copies[0].can_revert && copies[0].bytes > 0,
        "{copies:?}"
    );
    let delete = |update| it.ask(&Request::DeleteCopy { update });
    let last = delete(1);
    ensure!(
        last.as_ref()
            .is_err_and(|error| error.to_string().contains("last-copy")),
        "{last:?}"
    );
    it.revert(1)?;
    it.revert(2)?;
    it.revert(3)?;
    let updates = |copies: &[obnova_engine::api::ProtectedCopy]| -> Vec<u64> {
        copies.iter().map(|copy| copy.update).collect()
    };
    let copies = it.copies()?;
    ensure!(updates(&copies) == [4, 3, 2], "{copies:?}");
    let can: Vec<bool> = copies.iter().map(|copy| copy.can_revert).collect();
    ensure!(can == [true, false, false], "{copies:?}");
    let Answer::Copies { copies } = delete(3)? else {
        anyhow::bail!("no copies");
    };
    ensure!(updates(&copies) == [4, 2], "{copies:?}");
    ensure!(delete(3).is_err(), "it was deleted twice");
    configure(1)?;
    it.revert(4)?;
    ensure!(updates(&it.copies()?) == [5], "{:?}", it.copies()?);
    it.end()?;
    Ok("1 of 5".to_owned())
}

fn doctor() -> Result<String> {
    let Updated { it, new, .. } = updated()?;
    let Answer::Doctor(doctor) = it.ask(&Request::Doctor { measure: true })? else {
        anyhow::bail!("no doctor");
    };
    let health = |topic: &str| {
        let mut found = doctor.findings.iter().filter(|it| it.topic == topic);
        found.next().map(|it| it.health)
    };
    // There is no front here, and room enough for everything.
    ensure!(health("front") == Some(Health::Bad), "{doctor:?}");
    for topic in ["database", "disk", "copies", "data", "repository", "clock"] {
        ensure!(health(topic) == Some(Health::Good), "{topic}: {doctor:?}");
    }
    for topic in ["file-system", "network-namespace", "user"] {
        let health = health(topic).context(topic)?;
        ensure!(health != Health::Bad, "{topic}: {doctor:?}");
    }
    ensure!(doctor.rungs.iter().any(|rung| rung.chosen), "{doctor:?}");
    new.expect_same(&it.now()?)?;
    it.end()?;
    Ok(format!("{} findings", doctor.findings.len()))
}
