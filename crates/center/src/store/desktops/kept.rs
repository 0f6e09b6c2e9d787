//! What an administrator allows to be kept about Desktops. Their number is random; the only thing they say that can have to do
//! with a person is what the computer said about a failure, since a path can have a user's name in it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::sqlite::SqliteConnection;

use super::super::{Result, Store};

/// The key in the settings' table.
pub(crate) const KEY: &str = "desktops";
/// Days that can be set.
pub const DAYS: std::ops::RangeInclusive<u32> = 1..=3_650;
/// The longest text of a reason, bytes.
const LONGEST: usize = 256;
/// The longest of what the computer said, bytes.
const LONGEST_DETAIL: usize = 2 << 10;
const DETAIL: &str = "detail";

/// What is kept about Desktops, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DesktopSettings {
    /// What.
    pub kept: Kept,
    /// One that has not been seen for so many days does not count as used any more.
    pub used_days: u32,
    /// One that has not been seen for so many days is forgotten; so are counts that are older.
    pub keep_days: u32,
}

impl Default for DesktopSettings {
    fn default() -> Self {
        Self {
            kept: Kept::default(),
            used_days: 30,
            keep_days: 400,
        }
    }
}

impl DesktopSettings {
    /// See `used_days`.
    pub fn used(&self) -> Duration {
        days(self.used_days)
    }

    /// See `keep_days`.
    pub fn keep(&self) -> Duration {
        days(self.keep_days)
    }
}

fn days(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * 24 * 3600)
}

/// How much is kept of what Desktops tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// Nothing at all.
    Nothing,
    /// The installation's random number, its platform and version, and what kind of failure there was.
    #[default]
    Reasons,
    /// Also what the computer said about a failure.
    Details,
}

impl Kept {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Nothing, Self::Reasons, Self::Details];

    /// Its name in forms and texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Reasons => "reasons",
            Self::Details => "details",
        }
    }

    /// What is kept of a reason, as JSON; nothing of one that has no name.
    pub(super) fn of(self, reason: &Value) -> Option<String> {
        let reason = reason.as_object()?;
        let mut kept = Map::new();
        for key in ["reason", "status", "seconds", "starts", "server"] {
            match reason.get(key) {
                Some(Value::String(text)) if text.len() <= LONGEST => {
                    kept.insert(key.to_owned(), text.clone().into());
                }
                Some(Value::Number(number)) => {
                    kept.insert(key.to_owned(), number.clone().into());
                }
                _ => {}
            }
        }
        if self == Self::Details
            && let Some(Value::String(detail)) = reason.get(DETAIL)
        {
            let end = detail.floor_char_boundary(LONGEST_DETAIL);
            kept.insert(DETAIL.to_owned(), detail[..end].into());
        }
        let is_named = kept.get("reason").is_some_and(Value::is_string);
        (is_named && self != Self::Nothing).then(|| Value::Object(kept).to_string())
    }
}

impl Store {
    /// What may be kept about Desktops.
    ///
    /// # Errors
    /// The database failed, or it is not what this version writes.
    pub async fn desktop_settings(&self) -> Result<DesktopSettings> {
        let mut connection = self.read.acquire().await?;
        settings(&mut connection).await
    }
}

/// The same within a transaction.
pub(super) async fn settings(connection: &mut SqliteConnection) -> Result<DesktopSettings> {
    let value: Option<String> = sqlx::query_scalar("SELECT value FROM settings WHERE key = ?")
        .bind(KEY)
        .fetch_optional(connection)
        .await?;
    let read = value.as_deref().map(serde_json::from_str).transpose()?;
    Ok(read.unwrap_or_default())
}

/// Removes what may not be kept any more, in the transaction that says so.
pub(crate) async fn remove_what_is_not_allowed(
    write: &mut SqliteConnection,
    settings: &DesktopSettings,
) -> sqlx::Result<()> {
    match settings.kept {
        Kept::Nothing => {
            sqlx::query("DELETE FROM desktops")
                .execute(&mut *write)
                .await?;
            sqlx::query("DELETE FROM desktop_days")
                .execute(write)
                .await?;
        }
        Kept::Reasons => {
            sqlx::query(
                "UPDATE desktop_reports SET reason = json_remove(reason, '$.detail') WHERE json_extract(reason, '$.detail') IS NOT NULL",
            )
            .execute(write)
            .await?;
        }
        Kept::Details => {}
    }
    Ok(())
}
