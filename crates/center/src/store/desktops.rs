//! Desktops that have reported, and what they reported. Whoever reaches the centre can write here, so everything has a limit.

use std::time::Duration;

use jiff::Timestamp;

use super::attempts::since;
use super::{Result, Store, millis};

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
    /// Why it returned, as JSON.
    pub reason: Option<String>,
}

impl Store {
    /// Keeps what a Desktop says. What it said before, as after an answer that was lost, is kept once.
    ///
    /// # Errors
    /// The database failed.
    pub async fn keep_desktop(&self, desktop: &Desktop, reports: &[Report]) -> Result<()> {
        if reports.is_empty() && self.is_known(desktop).await? {
            return Ok(());
        }
        let now = millis(Timestamp::now());
        let mut write = self.begin().await?;
        let known = sqlx::query(
            "INSERT INTO desktops (installation, platform, version, first_seen, last_seen)
             SELECT ?1, ?2, ?3, ?4, ?4
             WHERE (SELECT count(*) FROM desktops) < ?5 OR EXISTS (SELECT 1 FROM desktops WHERE installation = ?1)
             ON CONFLICT (installation) DO UPDATE SET
             platform = excluded.platform, version = excluded.version, last_seen = excluded.last_seen",
        )
        .bind(&desktop.installation)
        .bind(&desktop.platform)
        .bind(&desktop.version)
        .bind(now)
        .bind(MOST)
        .execute(&mut *write)
        .await?;
        if known.rows_affected() == 0 {
            return Ok(());
        }
        for report in reports {
            sqlx::query(
                "INSERT INTO desktop_reports SELECT ?1, ?2, ?3, ?4, ?5, ?6
                 WHERE (SELECT count(*) FROM desktop_reports) < ?7 ON CONFLICT DO NOTHING",
            )
            .bind(&desktop.installation)
            .bind(millis(report.at))
            .bind(&report.event)
            .bind(&report.version)
            .bind(&report.from)
            .bind(&report.reason)
            .bind(ALL_REPORTS)
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
