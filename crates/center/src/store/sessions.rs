//! Sign-ins that last. Only a hash of the token is kept, so that a copy of the database opens no session.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use super::users::{User, UserId};
use super::{Result, Store, millis, time};

/// How old `last_seen` may get before a request refreshes it; every request would be a write.
const SEEN_RESOLUTION: Duration = Duration::from_secs(60);

/// A session and its user.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who signed in; active.
    pub user: User,
    /// The last request, to a minute.
    pub last_seen: Timestamp,
    /// Whether the user is in the group Administrator.
    pub is_administrator: bool,
}

impl Store {
    /// Begins a session; `token_hash` is a SHA-256 of the token in the cookie.
    ///
    /// # Errors
    /// The database failed.
    pub async fn add_session(
        &self,
        token_hash: &[u8],
        user: UserId,
        lasts: Duration,
    ) -> Result<()> {
        let now = millis(Timestamp::now());
        sqlx::query("INSERT INTO sessions (token_hash, user_id, created, last_seen, expires) VALUES (?, ?, ?, ?, ?)")
            .bind(token_hash)
            .bind(user)
            .bind(now)
            .bind(now)
            .bind(now.saturating_add(i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX)))
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// The session of this token, unless it has ended or its user was shut out. Remembers that it was seen.
    ///
    /// # Errors
    /// The database failed.
    pub async fn session(&self, token_hash: &[u8]) -> Result<Option<Session>> {
        let now = Timestamp::now();
        let row: Option<SqliteRow> = sqlx::query(
            "SELECT u.id, u.name, u.email, u.language, u.password_hash IS NOT NULL AS has_password, u.source, u.active,
                    u.created, s.last_seen,
                    EXISTS (SELECT 1 FROM memberships m JOIN groups g ON g.id = m.group_id
                            WHERE m.user_id = u.id AND g.identifier_key = 'administrator') AS is_administrator
             FROM sessions s JOIN users u ON u.id = s.user_id
             WHERE s.token_hash = ? AND s.expires > ? AND u.active = 1",
        )
        .bind(token_hash)
        .bind(millis(now))
        .fetch_optional(&self.read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let session = Session {
            user: User::from_row(&row)?,
            last_seen: time(&row, "last_seen")?,
            is_administrator: row.try_get("is_administrator")?,
        };
        if now.duration_since(session.last_seen).unsigned_abs() > SEEN_RESOLUTION {
            sqlx::query("UPDATE sessions SET last_seen = ? WHERE token_hash = ?")
                .bind(millis(now))
                .bind(token_hash)
                .execute(&self.write)
                .await?;
        }
        Ok(Some(session))
    }

    /// Ends a session (sign-out).
    ///
    /// # Errors
    /// The database failed.
    pub async fn end_session(&self, token_hash: &[u8]) -> Result<()> {
        sqlx::query("DELETE FROM sessions WHERE token_hash = ?")
            .bind(token_hash)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Removes sessions that have ended; returns how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn remove_ended_sessions(&self) -> Result<u64> {
        let done = sqlx::query("DELETE FROM sessions WHERE expires <= ?")
            .bind(millis(Timestamp::now()))
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected())
    }
}
