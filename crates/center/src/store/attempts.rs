//! Failed sign-ins, counted so that passwords cannot be tried out. The counts survive a restart.

use std::time::Duration;

use jiff::Timestamp;

use super::{Result, Store, millis};

impl Store {
    /// Remembers a failed sign-in under a key: an account, a client's address.
    ///
    /// # Errors
    /// The database failed.
    pub async fn add_failed_sign_in(&self, key: &str) -> Result<()> {
        sqlx::query("INSERT INTO sign_in_attempts (key, at) VALUES (?, ?)")
            .bind(key)
            .bind(millis(Timestamp::now()))
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// How many sign-ins failed under this key within the last `window`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn failed_sign_ins(&self, key: &str, window: Duration) -> Result<u64> {
        let count: i64 =
            sqlx::query_scalar("SELECT count(*) FROM sign_in_attempts WHERE key = ? AND at > ?")
                .bind(key)
                .bind(since(window))
                .fetch_one(&self.read)
                .await?;
        Ok(count.unsigned_abs())
    }

    /// Forgets the failed sign-ins of a key, after a successful one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_failed_sign_ins(&self, key: &str) -> Result<()> {
        sqlx::query("DELETE FROM sign_in_attempts WHERE key = ?")
            .bind(key)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Removes those older than this; returns how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn remove_old_sign_ins(&self, older_than: Duration) -> Result<u64> {
        let done = sqlx::query("DELETE FROM sign_in_attempts WHERE at <= ?")
            .bind(since(older_than))
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected())
    }
}

fn since(window: Duration) -> i64 {
    millis(Timestamp::now()).saturating_sub(i64::try_from(window.as_millis()).unwrap_or(i64::MAX))
}
