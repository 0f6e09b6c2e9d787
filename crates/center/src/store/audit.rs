//! Who did what, when. Append only: the database itself refuses a change or a deletion.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use super::{Result, Store, millis, time};

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number; larger is later.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who: an e-mail address, or the centre's own `system`.
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
        sqlx::query("INSERT INTO audit (at, actor, action, detail) VALUES (?, ?, ?, ?)")
            .bind(millis(Timestamp::now()))
            .bind(actor)
            .bind(action)
            .bind(detail)
            .execute(&self.write)
            .await?;
        Ok(())
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
