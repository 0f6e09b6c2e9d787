//! Who did what, when. Append only: the database itself refuses a change or a deletion.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{FromRow, Row};

use super::attempts::since;
use super::{Result, Store, millis, time};

/// The actor of what the centre does by itself.
pub const SYSTEM: &str = "system";
/// The actor of what somebody did who is nobody we know.
pub const STRANGER: &str = "stranger";

/// Lines that say the same, of those that strangers can cause.
const SAME_AN_HOUR: i64 = 5;
/// Lines with the same action, of those that strangers can cause.
const ALL_AN_HOUR: i64 = 60;

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number; larger is later.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who: an e-mail address, [`SYSTEM`] or [`STRANGER`].
    pub actor: String,
    /// What, as a short constant such as `user.added`.
    pub action: String,
    /// To what, in words that need no translation. Never a secret.
    pub detail: String,
}

impl FromRow<'_, SqliteRow> for AuditEntry {
    fn from_row(row: &SqliteRow) -> sqlx::Result<AuditEntry> {
        Ok(AuditEntry {
            id: row.try_get("id")?,
            at: time(row, "at")?,
            actor: row.try_get("actor")?,
            action: row.try_get("action")?,
            detail: row.try_get("detail")?,
        })
    }
}

impl Store {
    /// Writes a line.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit(&self, actor: &str, action: &str, detail: &str) -> Result<()> {
        let mut connection = self.write.acquire().await?;
        insert(&mut connection, actor, action, detail).await
    }

    /// Writes a line that strangers can cause, and so not without end: the log is never shortened. Of lines that say the same,
    /// so many an hour; of all with this action, so many, and then one with the action `<action>-often`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_stranger(&self, actor: &str, action: &str, detail: &str) -> Result<()> {
        let since = since(Duration::from_secs(3600));
        let mut write = self.begin().await?;
        let (all, same): (i64, i64) = sqlx::query_as(
            "SELECT count(*), count(*) FILTER (WHERE actor = ? AND detail = ?) FROM audit WHERE action = ? AND at > ?",
        )
        .bind(actor)
        .bind(detail)
        .bind(action)
        .bind(since)
        .fetch_one(&mut *write)
        .await?;
        if same >= SAME_AN_HOUR || all >= ALL_AN_HOUR {
            return Ok(());
        }
        insert(&mut write, actor, action, detail).await?;
        if all + 1 == ALL_AN_HOUR {
            insert(&mut write, SYSTEM, &format!("{action}-often"), "").await?;
        }
        Ok(write.commit().await?)
    }

    /// Lines, newest first, before number `before` where given.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit_log(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>> {
        Ok(sqlx::query_as(
            "SELECT id, at, actor, action, detail FROM audit WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2",
        )
        .bind(before)
        .bind(limit)
        .fetch_all(&self.read)
        .await?)
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    actor: &str,
    action: &str,
    detail: &str,
) -> Result<()> {
    sqlx::query("INSERT INTO audit (at, actor, action, detail) VALUES (?, ?, ?, ?)")
        .bind(millis(Timestamp::now()))
        .bind(actor)
        .bind(action)
        .bind(detail)
        .execute(connection)
        .await?;
    Ok(())
}
