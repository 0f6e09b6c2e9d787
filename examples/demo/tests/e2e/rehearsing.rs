//! Updates that are tried on a clone before, and one that is taken back after.

use anyhow::{Result, ensure};
use obnova_demo::world::World;

use crate::installing::install_text;
use crate::person::Person;
use crate::waiting::Saving;

/// So many times somebody's patience, for a rehearsal on a busy machine.
const PATIENCE: usize = 6;

/// 1.1.0 is rehearsed: it will work, and the page says how long people will wait.
pub(crate) async fn passes(admin: &mut Person, world: &World) -> Result<()> {
    rehearses(admin, "1.1.0").await?;
    ends(admin, "rehearsal-outcome-passed").await?;
    for key in [
        "forecast-blackout",
        "forecast-people",
        "forecast-way-back",
        "forecast-disk",
    ] {
        admin.sees_text(key).await?;
    }
    let passed = [("version", "1.1.0")];
    let said = admin.t.with("rehearsal-said-passed", &passed);
    admin.sees(&said).await?;
    let served = world.served_version().await?;
    ensure!(served == "1.0.0", "{served} is served");
    admin.looks_at("rehearsal passed").await?;
    admin.takes_picture("rehearsal-passed").await?;
    admin.clicks("rehearsal-details").await?;
    admin.sees_text("rehearsal-passed-means").await?;
    admin.looks_at("rehearsal, details").await?;
    admin.clicks("updates-title").await
}

/// 1.2.0 is rehearsed and would fail: Install is not there any more, only a way for those who insist.
pub(crate) async fn fails_and_is_refused(admin: &mut Person, world: &World) -> Result<()> {
    rehearses(admin, "1.2.0").await?;
    ends(admin, "rehearsal-outcome-failed").await?;
    admin.sees_text("rehearsal-untouched").await?;
    let version = [("version", "1.2.0")];
    let obstacle = admin.t.with("problem-rehearsal-failed", &version);
    admin.sees(&obstacle).await?;
    admin.does_not_see(&install_text(admin, "1.2.0")).await?;
    let served = world.served_version().await?;
    ensure!(served == "1.1.0", "{served} is served");
    admin.looks_at("rehearsal failed").await?;
    admin.takes_picture("rehearsal-failed").await?;
    admin.clicks("rehearsal-details").await?;
    admin.sees_text("rehearsal-why-failed").await?;
    admin.sees_text("rehearsal-log").await?;
    admin.looks_at("rehearsal failed, details").await?;
    admin.clicks("updates-title").await
}

/// Installs in spite of the failed rehearsal.
pub(crate) async fn insists(admin: &mut Person) -> Result<()> {
    admin.clicks("updates-insist").await?;
    admin.sees_a_window().await?;
    admin.sees_text("install-insist-rehearsal-text").await?;
    admin.clicks("install-start").await
}

async fn rehearses(admin: &mut Person, version: &str) -> Result<()> {
    let start = admin.t.with("rehearsal-start", &[("version", version)]);
    admin.clicks_on(&start).await?;
    let running = admin.t.with("rehearsal-running", &[("version", version)]);
    admin.sees(&running).await?;
    admin.sees_text("rehearsal-cancel").await
}

/// Without touching anything.
async fn ends(admin: &Person, key: &str) -> Result<()> {
    for _ in 1..PATIENCE {
        if admin.sees_text(key).await.is_ok() {
            return Ok(());
        }
    }
    admin.sees_text(key).await
}

/// What is kept from before the last update, and the way back to it: first what would be lost, then the confirmation.
pub(crate) async fn goes_back(admin: &mut Person, world: &World) -> Result<()> {
    // Somebody works on in the new version: that is what would be lost.
    Saving::begin(world.front).await?.finish().await?;
    admin.clicks("copies-title").await?;
    admin.sees_text("copies-is-last").await?;
    admin.looks_at("copies").await?;
    admin.takes_picture("copies").await?;
    admin.clicks_on("1.1.0 → 1.3.0").await?;
    admin.clicks("revert-zone").await?;
    admin.looks_at("history, danger zone").await?;
    let version = [("version", "1.1.0")];
    admin
        .clicks_on(&admin.t.with("revert-look", &version))
        .await?;
    admin.sees_text("revert-lost").await?;
    admin.looks_at("revert").await?;
    admin.takes_picture("revert").await?;
    admin
        .fills_field(&admin.t.with("revert-confirm", &version), "1.1.0")
        .await?;
    admin
        .clicks_on(&admin.t.with("revert-do", &version))
        .await?;
    admin
        .sees(&admin.t.with("verdict-reverted", &version))
        .await?;
    admin.looks_at("reverted").await?;
    admin.clicks("verdict-ok").await?;
    admin.sees_no_window().await?;
    let served = world.served_version().await?;
    ensure!(served == "1.1.0", "{served} is served");
    admin.clicks("history-title").await?;
    admin.sees_text("history-revert").await?;
    admin.sees_text("accuracy-title").await?;
    admin.looks_at("history, with a way back").await
}
