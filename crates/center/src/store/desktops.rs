//! Desktops that have reported, and what they reported. Whoever reaches the centre can write here, so everything has a limit.
//! [`overview`] counts and lists them, [`days`] keeps how many there were of which version, [`kept`] decides what is kept at all.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use sqlx::sqlite::SqliteConnection;

use super::attempts::since;
use super::{Result, Store, millis};

pub mod days;
pub mod kept;
pub mod overview;

use kept::{DesktopSettings, Kept};

/// Installations that are remembered; a flood of invented ones pushes nobody out, it is not taken.
const MOST: i64 = 100_000;
/// Reports kept of one installation.
const REPORTS: i64 = 50;
/// Reports kept of all together: some hundred megabytes, whoever invents them.
const ALL_REPORTS: i64 = 200_000;
/// How soon a Desktop that has nothing new to say is written down again.
const AGAIN: Duration = Duration::from_secs(600);

/// A Desktop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desktop {
    /// Its random number.
    pub installation: String,
    /// Its platform.
    pub platform: String,
    /// Its version; nothing before the first installation.
    pub version: Option<String>,
}

/// Something that happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// When.
    pub at: Timestamp,
    /// What ran after it.
    pub version: String,
    /// What ran before it.
    pub from: Option<String>,
    /// `installed` or `returned`.
    pub event: String,
    /// Why it returned. Only what the settings allow is kept of it.
    pub reason: Option<Value>,
}

impl Store {
    /// Keeps what a Desktop says, as far as the settings allow. What it said before, as after an answer that was lost, is kept
    /// once.
    ///
    /// # Errors
    /// The database failed.
    pub async fn keep_desktop(&self, desktop: &Desktop, reports: &[Report]) -> Result<()> {
        // What is not kept needs no turn for writing.
        let allowed = self.desktop_settings().await?;
        if allowed.kept == Kept::Nothing || (reports.is_empty() && self.is_known(desktop).await?) {
            return Ok(());
        }
        let mut write = self.begin().await?;
        // Whoever has changed the settings meanwhile has removed what they do not allow; nothing of it may come after.
        let allowed = kept::settings(&mut write).await?;
        if allowed.kept != Kept::Nothing && put(&mut write, desktop).await? {
            put_reports(&mut write, desktop, reports, &allowed).await?;
        }
        Ok(write.commit().await?)
    }

    /// Whether it said the same a short while ago: thousands that only look must not wait for each other's writing.
    async fn is_known(&self, desktop: &Desktop) -> Result<bool> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM desktops WHERE installation = ? AND platform = ? AND version IS ? AND last_seen > ?)",
        )
        .bind(&desktop.installation)
        .bind(&desktop.platform)
        .bind(&desktop.version)
        .bind(since(AGAIN))
        .fetch_one(&self.read)
        .await?)
    }

    /// Forgets Desktops that have not been seen for so long; returns how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn remove_old_desktops(&self, unseen: Duration) -> Result<u64> {
        let done = sqlx::query("DELETE FROM desktops WHERE last_seen <= ?")
            .bind(since(unseen))
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected())
    }
}

/// Remembers it; false when there are too many already.
async fn put(write: &mut SqliteConnection, desktop: &Desktop) -> sqlx::Result<bool> {
    let now = millis(Timestamp::now());
    let known = sqlx::query(
        "UPDATE desktops SET platform = ?, version = ?, last_seen = ? WHERE installation = ?",
    )
    .bind(&desktop.platform)
    .bind(&desktop.version)
    .bind(now)
    .bind(&desktop.installation)
    .execute(&mut *write)
    .await?;
    if known.rows_affected() > 0 {
        return Ok(true);
    }
    // They are counted only for one that is new.
    let new = sqlx::query(
        "INSERT INTO desktops (installation, platform, version, first_seen, last_seen)
         SELECT ?1, ?2, ?3, ?4, ?4 WHERE (SELECT count(*) FROM desktops) < ?5",
    )
    .bind(&desktop.installation)
    .bind(&desktop.platform)
    .bind(&desktop.version)
    .bind(now)
    .bind(MOST)
    .execute(&mut *write)
    .await?;
    Ok(new.rows_affected() > 0)
}

async fn put_reports(
    write: &mut SqliteConnection,
    desktop: &Desktop,
    reports: &[Report],
    allowed: &DesktopSettings,
) -> sqlx::Result<()> {
    if reports.is_empty() {
        return Ok(());
    }
    let there: i64 = sqlx::query_scalar("SELECT count(*) FROM desktop_reports")
        .fetch_one(&mut *write)
        .await?;
    let room = usize::try_from(ALL_REPORTS - there).unwrap_or(0);
    for report in reports.iter().take(room) {
        sqlx::query("INSERT INTO desktop_reports VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(&desktop.installation)
            .bind(millis(report.at))
            .bind(&report.event)
            .bind(&report.version)
            .bind(&report.from)
            .bind(
                report
                    .reason
                    .as_ref()
                    .and_then(|reason| allowed.kept.of(reason)),
            )
            .execute(&mut *write)
            .await?;
    }
    sqlx::query(
        "DELETE FROM desktop_reports WHERE installation = ?1 AND at <= (SELECT at FROM desktop_reports
         WHERE installation = ?1 ORDER BY at DESC LIMIT 1 OFFSET ?2)",
    )
    .bind(&desktop.installation)
    .bind(REPORTS)
    .execute(&mut *write)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
