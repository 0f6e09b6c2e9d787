//! Browsers in which somebody has signed in before. Only a hash of the token is kept.

use std::time::Duration;

use jiff::Timestamp;

use super::attempts::since;
use super::users::UserId;
use super::{Result, Store, millis};

/// Browsers remembered for a user; the one unused for longest is forgotten for a new one.
const PER_USER: u32 = 20;

impl Store {
    /// Whether this user has signed in from this browser.
    ///
    /// # Errors
    /// The database failed.
    pub async fn knows_device(&self, token_hash: &[u8], user: UserId) -> Result<bool> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM devices WHERE token_hash = ? AND user_id = ?)",
        )
        .bind(token_hash)
        .bind(user)
        .fetch_one(&self.read)
        .await?)
    }

    /// Whether anybody has signed in from this browser.
    ///
    /// # Errors
    /// The database failed.
    pub async fn is_device(&self, token_hash: &[u8]) -> Result<bool> {
        let query = "SELECT EXISTS (SELECT 1 FROM devices WHERE token_hash = ?)";
        Ok(sqlx::query_scalar(query)
            .bind(token_hash)
            .fetch_one(&self.read)
            .await?)
    }

    /// Remembers that this user has signed in from this browser.
    ///
    /// # Errors
    /// The database failed.
    pub async fn remember_device(&self, token_hash: &[u8], user: UserId) -> Result<()> {
        let mut write = self.begin().await?;
        sqlx::query(
            "INSERT INTO devices VALUES (?, ?, ?)
             ON CONFLICT DO UPDATE SET last_used = excluded.last_used",
        )
        .bind(token_hash)
        .bind(user)
        .bind(millis(Timestamp::now()))
        .execute(&mut *write)
        .await?;
        sqlx::query(
            "DELETE FROM devices WHERE user_id = ?1 AND token_hash NOT IN
             (SELECT token_hash FROM devices WHERE user_id = ?1 ORDER BY last_used DESC LIMIT ?2)",
        )
        .bind(user)
        .bind(PER_USER)
        .execute(&mut *write)
        .await?;
        Ok(write.commit().await?)
    }

    /// Forgets browsers that nobody has signed in from for so long; returns how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn remove_old_devices(&self, unused: Duration) -> Result<u64> {
        let done = sqlx::query("DELETE FROM devices WHERE last_used <= ?")
            .bind(since(unused))
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected())
    }
}
