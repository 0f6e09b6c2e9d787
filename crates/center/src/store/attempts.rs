//! Failed sign-ins, counted so that passwords cannot be tried out. The counts survive a restart.

use std::time::Duration;

use jiff::Timestamp;

use super::{Result, Store, millis};

/// What a sign-in is counted under, and how many failures are too many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Such as an account, or a client's address.
    pub key: String,
    /// With so many failures there may be no more for a while.
    pub most: u64,
}

impl Store {
    /// Counts a sign-in as failed under every limit's key; `None` when one of them has been reached within the last `window`,
    /// and then nothing was counted. Sign-ins at the same instant are dealt with one after the other. Returns what was
    /// counted, in the order of the limits.
    ///
    /// # Errors
    /// The database failed.
    pub async fn count_sign_in(
        &self,
        limits: &[Limit],
        window: Duration,
    ) -> Result<Option<Vec<i64>>> {
        let mut write = self.begin().await?;
        for limit in limits {
            let failed: i64 = sqlx::query_scalar(
                "SELECT count(*) FROM sign_in_attempts WHERE key = ? AND at > ? AND at <= ?",
            )
            .bind(&limit.key)
            .bind(since(window))
            // What a clock has counted that has been set back since must not keep anybody out for a year.
            .bind(soon(window))
            .fetch_one(&mut *write)
            .await?;
            if failed.unsigned_abs() >= limit.most {
                return Ok(None);
            }
        }
        let mut counted = Vec::with_capacity(limits.len());
        for limit in limits {
            let done = sqlx::query("INSERT INTO sign_in_attempts (key, at) VALUES (?, ?)")
                .bind(&limit.key)
                .bind(millis(Timestamp::now()))
                .execute(&mut *write)
                .await?;
            counted.push(done.last_insert_rowid());
        }
        write.commit().await?;
        Ok(Some(counted))
    }

    /// The sign-in did not fail: what was counted for it is taken back, and earlier failures under `key` are forgotten.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_sign_ins(&self, counted: &[i64], key: &str) -> Result<()> {
        sqlx::query(
            "DELETE FROM sign_in_attempts
             WHERE key = ? OR rowid IN (SELECT value FROM json_each(?))",
        )
        .bind(key)
        .bind(serde_json::to_string(counted)?)
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// Removes those older than this, and those that are that far in the future; returns how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn remove_old_sign_ins(&self, older_than: Duration) -> Result<u64> {
        let done = sqlx::query("DELETE FROM sign_in_attempts WHERE at <= ? OR at > ?")
            .bind(since(older_than))
            .bind(soon(older_than))
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected())
    }
}

/// The moment in so long a time.
fn soon(time: Duration) -> i64 {
    millis(Timestamp::now()).saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}

/// The moment so long ago.
pub(super) fn since(time: Duration) -> i64 {
    millis(Timestamp::now()).saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX))
}
