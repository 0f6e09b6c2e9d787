//! How many Desktops had which version on which day. A day's last count stays, so a centre that was down has a gap, and one that
//! is killed has the count of an hour before.

use jiff::civil::Date;
use sqlx::Row;

use super::kept::{Kept, settings};
use crate::store::attempts::since;
use crate::store::{Result, Store, undecodable};

/// Versions and platforms counted for one day, the most frequent first: inventors of versions do not fill the disk.
const MOST: i64 = 100;

/// A day's count of one version on all platforms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The day, where the server is.
    pub day: Date,
    /// The version; nothing before the first installation.
    pub version: Option<String>,
    /// How many Desktops.
    pub desktops: u64,
}

impl Store {
    /// Counts the Desktops in use, as this day's count so far, and forgets counts that are too old.
    ///
    /// # Errors
    /// The database failed.
    pub async fn count_desktops(&self, today: Date) -> Result<()> {
        let mut write = self.begin().await?;
        let allowed = settings(&mut write).await?;
        if allowed.kept == Kept::Nothing {
            return Ok(());
        }
        sqlx::query("DELETE FROM desktop_days WHERE day = ?1 OR day < date(?1, ?2)")
            .bind(today.to_string())
            .bind(format!("-{} days", allowed.keep_days))
            .execute(&mut *write)
            .await?;
        sqlx::query(
            "INSERT INTO desktop_days
             SELECT ?1, coalesce(version, ''), platform, count(*) FROM desktops WHERE last_seen > ?2
             GROUP BY version, platform ORDER BY count(*) DESC LIMIT ?3",
        )
        .bind(today.to_string())
        .bind(since(allowed.used()))
        .bind(MOST)
        .execute(&mut *write)
        .await?;
        Ok(write.commit().await?)
    }

    /// The counts from this day on, oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn desktop_days(&self, from: Date) -> Result<Vec<Count>> {
        let rows = sqlx::query(
            "SELECT day, version, sum(desktops) AS desktops FROM desktop_days WHERE day >= ? GROUP BY day, version ORDER BY day",
        )
        .bind(from.to_string())
        .fetch_all(&self.read)
        .await?;
        let counts = rows.iter().map(|row| {
            let day: &str = row.try_get("day")?;
            let version: String = row.try_get("version")?;
            Ok(Count {
                day: day
                    .parse()
                    .map_err(|error: jiff::Error| undecodable("day", error))?,
                version: Some(version).filter(|version| !version.is_empty()),
                desktops: row.try_get::<i64, _>("desktops")?.unsigned_abs(),
            })
        });
        Ok(counts.collect::<sqlx::Result<_>>()?)
    }
}
