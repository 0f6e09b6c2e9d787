//! Desktops counted and listed. Each is looked at with the last thing that happened to it.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use super::super::attempts::since;
use super::super::users::Page;
use super::super::{Result, Store, optional_time, time};

/// Each Desktop with the last thing that it told.
macro_rules! with_last_event {
    ($what:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM desktops d LEFT JOIN desktop_reports r ON r.installation = d.installation
             AND (r.at, r.event) = (SELECT at, event FROM desktop_reports
             WHERE installation = d.installation ORDER BY at DESC, event DESC LIMIT 1) ",
            $rest
        )
    };
}

/// The same for a [`DesktopFilter`], whose values are the first four.
macro_rules! narrowed {
    ($what:literal, $rest:literal) => {
        concat!(
            with_last_event!($what, ""),
            "WHERE (?1 = '' OR instr(d.installation, ?1) > 0 OR instr(lower(d.platform), ?1) > 0 OR instr(lower(d.version), ?1) > 0)
             AND CASE ?2 WHEN 'matching' THEN d.last_seen > ?3 AND d.version = ?4
                         WHEN 'other' THEN d.last_seen > ?3 AND d.version IS NOT ?4
                         WHEN 'returned' THEN d.last_seen > ?3 AND r.event = 'returned'
                         WHEN 'unused' THEN d.last_seen <= ?3 ELSE 1 END ",
            $rest
        )
    };
}

/// What a list of Desktops is narrowed to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// All.
    #[default]
    All,
    /// In use, in the server's version.
    Matching,
    /// In use, in another version.
    Other,
    /// In use, and the last thing that happened is that a version was left again.
    Returned,
    /// Not seen for long.
    Unused,
}

impl Standing {
    /// All of them, as they are offered.
    pub const ALL: [Self; 5] = [
        Self::All,
        Self::Matching,
        Self::Other,
        Self::Returned,
        Self::Unused,
    ];

    /// Its name in addresses and texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Matching => "matching",
            Self::Other => "other",
            Self::Returned => "returned",
            Self::Unused => "unused",
        }
    }
}

/// Which Desktops.
#[derive(Debug, Clone, Default)]
pub struct DesktopFilter {
    /// A part of the number, the version or the platform.
    pub search: String,
    /// How they stand.
    pub standing: Standing,
    /// The server's version, for [`Standing::Matching`] and [`Standing::Other`].
    pub server: Option<String>,
    /// See [`super::kept::DesktopSettings::used`].
    pub used: Duration,
}

/// A Desktop as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its random number.
    pub installation: String,
    /// Its platform.
    pub platform: String,
    /// Its version; nothing before the first installation.
    pub version: Option<String>,
    /// When it first reported.
    pub first_seen: Timestamp,
    /// When it last reported.
    pub last_seen: Timestamp,
    /// The last thing that happened to it.
    pub last: Option<Happened>,
}

/// What happened to a Desktop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// When, by the Desktop's clock.
    pub at: Timestamp,
    /// `installed` or `returned`.
    pub event: String,
    /// What ran before.
    pub from: Option<String>,
    /// Why, as JSON.
    pub reason: Option<String>,
}

impl FromRow<'_, SqliteRow> for Seen {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let last = match optional_time(row, "at")? {
            Some(at) => Some(Happened {
                at,
                event: row.try_get("event")?,
                from: row.try_get("from_version")?,
                reason: row.try_get("reason")?,
            }),
            None => None,
        };
        Ok(Self {
            installation: row.try_get("installation")?,
            platform: row.try_get("platform")?,
            version: row.try_get("version")?,
            first_seen: time(row, "first_seen")?,
            last_seen: time(row, "last_seen")?,
            last,
        })
    }
}

/// How many there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Known at all.
    pub known: u64,
    /// In use.
    pub used: u64,
    /// Of those in use, in the server's version.
    pub matching: u64,
    /// Of those in use, that have left a version again.
    pub returned: u64,
}

/// How many Desktops in use there are of a version on a platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfVersion {
    /// The version; nothing before the first installation.
    pub version: Option<String>,
    /// The platform.
    pub platform: String,
    /// How many.
    pub desktops: u64,
}

/// How many Desktops in use have left a version for the same kind of reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The version that was left.
    pub version: String,
    /// One of their reasons, as JSON.
    pub reason: Option<String>,
    /// How many.
    pub desktops: u64,
}

impl Store {
    /// Counts them; `server` is the server's version.
    ///
    /// # Errors
    /// The database failed.
    pub async fn desktop_totals(&self, server: Option<&str>, used: Duration) -> Result<Totals> {
        let row = sqlx::query(with_last_event!(
            "count(*) AS known, coalesce(sum(d.last_seen > ?1), 0) AS used,
             coalesce(sum(d.last_seen > ?1 AND d.version = ?2), 0) AS matching,
             coalesce(sum(d.last_seen > ?1 AND r.event = 'returned'), 0) AS returned",
            ""
        ))
        .bind(since(used))
        .bind(server)
        .fetch_one(&self.read)
        .await?;
        let count = |name: &str| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
        Ok(Totals {
            known: count("known")?,
            used: count("used")?,
            matching: count("matching")?,
            returned: count("returned")?,
        })
    }

    /// Counts those in use by version and platform; the most frequent `most` of these.
    ///
    /// # Errors
    /// The database failed.
    pub async fn desktop_versions(&self, used: Duration, most: u32) -> Result<Vec<OfVersion>> {
        let rows = sqlx::query(
            "SELECT version, platform, count(*) AS desktops FROM desktops WHERE last_seen > ?
             GROUP BY version, platform ORDER BY count(*) DESC, version, platform LIMIT ?",
        )
        .bind(since(used))
        .bind(most)
        .fetch_all(&self.read)
        .await?;
        let of = |row: &SqliteRow| {
            Ok(OfVersion {
                version: row.try_get("version")?,
                platform: row.try_get("platform")?,
                desktops: row.try_get::<i64, _>("desktops")?.unsigned_abs(),
            })
        };
        Ok(rows.iter().map(of).collect::<sqlx::Result<_>>()?)
    }

    /// Counts those in use that have left a version again, by version and kind of reason; the most frequent `most` of these.
    ///
    /// # Errors
    /// The database failed.
    pub async fn desktop_failures(&self, used: Duration, most: u32) -> Result<Vec<Failed>> {
        let rows = sqlx::query(with_last_event!(
            "coalesce(r.from_version, '') AS version, json_remove(min(r.reason), '$.detail') AS reason, count(*) AS desktops",
            "WHERE d.last_seen > ? AND r.event = 'returned' GROUP BY r.from_version, json_extract(r.reason, '$.reason')
             ORDER BY count(*) DESC LIMIT ?"
        ))
        .bind(since(used))
        .bind(most)
        .fetch_all(&self.read)
        .await?;
        let of = |row: &SqliteRow| {
            Ok(Failed {
                version: row.try_get("version")?,
                reason: row.try_get("reason")?,
                desktops: row.try_get::<i64, _>("desktops")?.unsigned_abs(),
            })
        };
        Ok(rows.iter().map(of).collect::<sqlx::Result<_>>()?)
    }

    /// Desktops, those that reported last first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn desktops(
        &self,
        filter: &DesktopFilter,
        offset: u32,
        limit: u32,
    ) -> Result<Page<Seen>> {
        let rows = sqlx::query(narrowed!(
            "d.*, r.at, r.event, r.from_version, r.reason, count(*) OVER () AS total",
            "ORDER BY d.last_seen DESC, d.installation LIMIT ?5 OFFSET ?6"
        ))
        .bind(filter.search.trim().to_lowercase())
        .bind(filter.standing.name())
        .bind(since(filter.used))
        .bind(&filter.server)
        .bind(limit)
        .bind(offset)
        .fetch_all(&self.read)
        .await?;
        let total = match rows.first() {
            Some(row) => row.try_get::<i64, _>("total")?.unsigned_abs(),
            None => 0,
        };
        let items = rows
            .iter()
            .map(Seen::from_row)
            .collect::<sqlx::Result<_>>()?;
        Ok(Page { items, total })
    }

    /// The next Desktops in the order of their numbers, after this one: for what goes through all of them without keeping them
    /// in memory, while others come and go.
    ///
    /// # Errors
    /// The database failed.
    pub async fn desktops_after(
        &self,
        filter: &DesktopFilter,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Seen>> {
        let rows = sqlx::query(narrowed!(
            "d.*, r.at, r.event, r.from_version, r.reason",
            "AND d.installation > ?5 ORDER BY d.installation LIMIT ?6"
        ))
        .bind(filter.search.trim().to_lowercase())
        .bind(filter.standing.name())
        .bind(since(filter.used))
        .bind(&filter.server)
        .bind(after)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        Ok(rows
            .iter()
            .map(Seen::from_row)
            .collect::<sqlx::Result<_>>()?)
    }
}
