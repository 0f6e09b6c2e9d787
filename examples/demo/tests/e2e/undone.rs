//! Updates that fail and are undone.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mail_parser::{MessageParser, MimeHeaders};
use obnova_demo::tour::ADMIN_EMAIL;
use obnova_demo::world::World;
use serde_json::{Value, json};

use crate::installing::{clicks_install, install_text};
use crate::person::Person;
use crate::rehearsing::insists;

const SUPPORT: &str = "podpora@vzor-crm.example";
const PATIENCE: Duration = Duration::from_secs(30);

/// 1.2.0 cannot be installed on this data: a window says what happened, in what state everything is, and what to do.
pub(crate) async fn fails_and_is_explained(admin: &mut Person, world: &World) -> Result<()> {
    insists(admin).await?;
    has_failed(admin, "1.2.0", "migration-failed").await?;
    admin.looks_at("failure").await?;
    admin.takes_picture("updates-failed").await?;
    admin.clicks("verdict-steps").await?;
    admin.sees_text("step-migrate").await?;
    admin.sees_text("status-undone").await?;
    admin.clicks("problem-detail").await?;
    admin.sees("migration-failed").await?;
    admin.looks_at("failure, unfolded").await?;
    let served = world.served_version().await?;
    ensure!(served == "1.1.0", "{served} is served");
    Ok(())
}

async fn has_failed(admin: &Person, version: &str, code: &str) -> Result<()> {
    admin
        .sees(&admin.t.with("verdict-failed", &[("version", version)]))
        .await?;
    admin.sees_a_window().await?;
    for key in ["problem-what", "problem-state", "problem-do"] {
        admin.sees_text(key).await?;
    }
    admin.sees_text(&format!("problem-{code}-state")).await?;
    admin.sees_text(&format!("problem-{code}-do")).await
}

/// The report is shown, downloaded, and sent with one click; what arrives is what was shown.
pub(crate) async fn reports_to_support(admin: &mut Person, world: &World) -> Result<()> {
    let downloads = world.state_dir.with_file_name("downloads");
    std::fs::create_dir_all(&downloads)?;
    let place = json!({ "behavior": "allow", "downloadPath": downloads });
    admin
        .browser
        .devtools("Browser.setDownloadBehavior", place)
        .await?;
    admin.clicks("report-to-support").await?;
    admin.sees_text("report-lead").await?;
    admin.looks_at("report").await?;
    admin.takes_picture("report").await?;
    admin.clicks("report-download").await?;
    is_about_the_migration(&downloaded(&downloads).await?)?;
    let before = world.sink.messages().len();
    admin
        .clicks_on(&admin.t.with("report-send", &[("address", SUPPORT)]))
        .await?;
    admin.sees_text("done-report-sent").await?;
    is_about_the_migration(&sent(world, before).await?)
}

async fn downloaded(folder: &Path) -> Result<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                return Ok(std::fs::read_to_string(path)?);
            }
        }
        ensure!(Instant::now() < until, "nothing was downloaded");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What is attached to the mail that support gets.
async fn sent(world: &World, before: usize) -> Result<String> {
    let until = Instant::now() + PATIENCE;
    loop {
        let mails = world.sink.messages();
        let mut new = mails.iter().skip(before);
        if let Some(mail) = new.find(|mail| mail.to == [SUPPORT]) {
            let mail = MessageParser::default()
                .parse(&mail.raw)
                .context("no mail")?;
            let answer_to = mail.reply_to().and_then(|to| to.first()?.address());
            ensure!(
                answer_to == Some(ADMIN_EMAIL),
                "answers go to {answer_to:?}"
            );
            let attachment = mail.attachment(0).context("nothing is attached")?;
            let name = attachment.attachment_name().unwrap_or_default();
            ensure!(name.ends_with(".json"), "{name} is attached");
            return Ok(String::from_utf8(attachment.contents().to_vec())?);
        }
        ensure!(Instant::now() < until, "nothing reached {SUPPORT}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn is_about_the_migration(report: &str) -> Result<()> {
    let report: Value = serde_json::from_str(report)?;
    let code = &report["update"]["problem"]["code"];
    ensure!(code == "migration-failed", "it is about {code}");
    Ok(())
}

/// The list of all updates, and the one that failed.
pub(crate) async fn is_in_the_history(admin: &mut Person, _world: &World) -> Result<()> {
    admin.clicks("history-title").await?;
    admin.sees_text("outcome-completed").await?;
    admin.sees_text("outcome-rolled-back").await?;
    admin.looks_at("history").await?;
    admin.clicks_on("1.1.0 → 1.2.0").await?;
    admin.sees_text("problem-migration-failed-state").await?;
    admin.looks_at("history, entry").await?;
    admin.clicks("updates-title").await?;
    // The window waits until it has been seen.
    admin.clicks("verdict-ok").await?;
    admin.sees_no_window().await?;
    Ok(())
}

/// 1.4.0 starts and does not work. Afterwards it is not offered like any other, only to somebody who insists.
pub(crate) async fn is_not_offered_again_as_if_nothing_had_happened(
    admin: &mut Person,
    world: &World,
) -> Result<()> {
    clicks_install(admin, "1.4.0").await?;
    has_failed(admin, "1.4.0", "unhealthy").await?;
    admin.clicks("verdict-ok").await?;
    let served = world.served_version().await?;
    ensure!(served == "1.3.0", "{served} is served");
    let failed = admin
        .t
        .with("problem-failed-before", &[("version", "1.4.0")]);
    admin.sees(&failed).await?;
    admin.does_not_see(&install_text(admin, "1.4.0")).await?;
    admin.looks_at("updates, failed before").await?;
    admin.clicks("updates-insist").await?;
    admin.sees_text("install-insist-text").await?;
    admin.looks_at("updates, insisting").await?;
    admin.clicks("cancel").await?;
    admin.sees_no_window().await
}

/// All four updates are in the history, newest first, and in the audit log.
pub(crate) async fn keeps_all_of_it(admin: &mut Person) -> Result<()> {
    admin.clicks("settings-title").await?;
    admin.takes_picture("settings").await?;
    admin.opens("/settings#rehearsal").await?;
    admin.sees_text("settings-rehearsal").await?;
    admin.takes_picture("settings-rehearsal").await?;
    admin.clicks("audit-title").await?;
    admin.sees_text("audit-report-sent").await?;
    admin.sees_text("audit-update-started").await?;
    admin.sees_text("audit-rehearsal-started").await?;
    admin.sees_text("audit-update-insisted-rehearsal").await?;
    admin.clicks("history-title").await?;
    let updates = [
        "1.3.0 → 1.4.0",
        "1.1.0 → 1.3.0",
        "1.1.0 → 1.2.0",
        "1.0.0 → 1.1.0",
    ];
    let seen = admin.reads().await?;
    let places: Option<Vec<_>> = updates.iter().map(|update| seen.find(update)).collect();
    let places = places.with_context(|| format!("an update is missing: {seen}"))?;
    ensure!(places.is_sorted(), "the order is another: {seen}");
    admin.takes_picture("history").await
}
