//! The outbox as the one who delivers sees it: what is due, and how it fares.
//!
//! That a mail was sent must be stored as soon as the server has taken it: a process that dies in between makes it come twice.
//! So such a mark is only written, which takes microseconds and survives the process; it is not synced, which takes
//! milliseconds and survives a power failure too. It is synced with the next mail: before a mail's content goes out, its
//! own mark is synced ([`Store::sync_marks`]), and with it all marks before. A power failure therefore makes no more mails come
//! twice than there are connections.

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::{MailId, make_due};
use crate::store::{FILE_NAME, Result, Store, StoreError, millis, optional_time};

/// How a mail fares.
#[derive(Debug)]
pub(crate) enum Mark {
    /// Its content goes out next.
    Sending(MailId),
    /// The server has taken it.
    Sent(MailId),
    /// It cannot be sent, ever; why.
    Failed(MailId, String),
    /// It could not be sent this time; why, and when next.
    Waiting(MailId, String, Timestamp),
    /// The mail server could not be used: it is put off with all others, by [`Store::defer_due_mails`].
    Due(MailId, Timestamp),
}

impl Mark {
    async fn set(&self, connection: &mut SqliteConnection) -> Result<()> {
        let query = match self {
            Mark::Sending(id) => {
                sqlx::query("UPDATE outbox SET state = 'sending' WHERE id = ?")
                    .bind(id)
            }
            Mark::Sent(id) => sqlx::query(
                "UPDATE outbox SET state = 'sent', attempts = attempts + 1, sent_at = ?, last_error = NULL WHERE id = ?",
            )
            .bind(millis(Timestamp::now()))
            .bind(id),
            Mark::Failed(id, error) => {
                sqlx::query("UPDATE outbox SET state = 'failed', attempts = attempts + 1, last_error = ? WHERE id = ?")
                    .bind(error)
                    .bind(id)
            }
            Mark::Waiting(id, error, next_attempt) => sqlx::query(
                "UPDATE outbox SET state = 'waiting', attempts = attempts + 1, last_error = ?, next_attempt = ? WHERE id = ?",
            )
            .bind(error)
            .bind(millis(*next_attempt))
            .bind(id),
            Mark::Due(id, now) => {
                sqlx::query("UPDATE outbox SET state = 'waiting', next_attempt = ? WHERE id = ?")
                    .bind(millis(*now))
                    .bind(id)
            }
        };
        query.execute(connection).await?;
        Ok(())
    }
}

impl Store {
    /// The numbers of the first mails that are due, in the order in which they were put in; those that were tried without
    /// success come after all others, so that one that a server stumbles over does not hold up the rest.
    ///
    /// No mail is put off beyond `longest`: one that is was put off by a clock that has been set back since, and is due.
    pub(crate) async fn due_mails(
        &self,
        now: Timestamp,
        longest: Timestamp,
        limit: u32,
    ) -> Result<Vec<MailId>> {
        Ok(sqlx::query_scalar(
            "SELECT id FROM outbox WHERE state = 'waiting' AND (next_attempt <= ? OR next_attempt > ?)
             ORDER BY attempts, id LIMIT ?",
        )
        .bind(millis(now))
        .bind(millis(longest))
        .bind(limit)
        .fetch_all(&self.read)
        .await?)
    }

    /// When the next waiting mail is due.
    pub(crate) async fn next_due_mail(&self) -> Result<Option<Timestamp>> {
        let row: SqliteRow =
            sqlx::query("SELECT min(next_attempt) AS next FROM outbox WHERE state = 'waiting'")
                .fetch_one(&self.read)
                .await?;
        Ok(optional_time(&row, "next")?)
    }

    /// Stores how these mails fare, in one transaction that is not synced.
    pub(crate) async fn mark_mails(&self, marks: &[Mark]) -> Result<()> {
        let mut write = self.marks.begin_with("BEGIN IMMEDIATE").await?;
        for mark in marks {
            mark.set(&mut write).await?;
        }
        Ok(write.commit().await?)
    }

    /// Syncs all marks so far: they are in SQLite's write-ahead log.
    pub(crate) async fn sync_marks(&self) -> Result<()> {
        let path = self.data_dir().join(format!("{FILE_NAME}-wal"));
        let sync = {
            let path = path.clone();
            move || std::fs::File::open(path)?.sync_data()
        };
        tokio::task::spawn_blocking(sync)
            .await
            .map_err(std::io::Error::other)
            .flatten()
            .map_err(|source| StoreError::File { path, source })
    }

    /// The mail server cannot be used: everything that is due waits until then, and everything that a clock which has been set
    /// back since put off for longer. Counts as an attempt for all of it.
    pub(crate) async fn defer_due_mails(&self, error: &str, until: Timestamp) -> Result<()> {
        sqlx::query(
            "UPDATE outbox SET attempts = attempts + 1, last_error = ?, next_attempt = ?
             WHERE state = 'waiting' AND (next_attempt <= ? OR next_attempt > ?)",
        )
        .bind(error)
        .bind(millis(until))
        .bind(millis(Timestamp::now()))
        .bind(millis(until))
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// Lets all waiting mail be tried now.
    pub(crate) async fn make_mails_due(&self) -> Result<()> {
        let mut write = self.begin().await?;
        make_due(&mut write).await?;
        Ok(write.commit().await?)
    }

    /// Mails that were on their way when the centre ended are sent again; returns how many. Only for the one who delivers,
    /// before it begins.
    pub(crate) async fn take_back_interrupted(&self) -> Result<u64> {
        let done = sqlx::query(
            "UPDATE outbox SET state = 'waiting', attempts = attempts + 1, last_error = 'interrupted while sending', next_attempt = ?
             WHERE state = 'sending'",
        )
        .bind(millis(Timestamp::now()))
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected())
    }

    /// Gives up mails written before this time that still wait though they were tried so often; returns how many.
    pub(crate) async fn give_up_older(&self, than: Timestamp, tried: u32) -> Result<u64> {
        let done = sqlx::query(
            "UPDATE outbox SET state = 'failed', last_error = 'given up: ' || coalesce(last_error, 'never tried')
             WHERE state = 'waiting' AND created < ? AND attempts >= ?",
        )
        .bind(millis(than))
        .bind(tried)
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected())
    }
}
