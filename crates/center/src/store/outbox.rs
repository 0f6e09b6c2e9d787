//! Mails on their way. A text is stored once for each language (a letter), a row of the outbox for each person who gets it, so
//! that telling ten thousand people is one quick statement.
//!
//! A mail is `waiting`, then `sending` from just before its content goes to the mail server until the server's answer is
//! stored, then `sent` or `failed`. What is found `sending` when the delivery begins was interrupted in between: nobody can
//! know whether the server took it. It is sent again, under the same Message-ID, because a message that comes twice to a
//! mailbox that does not recognise it is a smaller harm than an administrator who is never told. See `jobs/deliver_mail.rs`.

use jiff::Timestamp;
use obnova_text::Lang;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{FromRow, Row};

use super::users::{Page, search_key};
use super::{Result, Store, StoreError, language, millis, optional_time, time};

mod delivery;
mod posting;

pub(crate) use delivery::Mark;
pub use posting::{Audience, Letter, Topic};
pub(crate) use posting::{anybody_in, post, post_to};

/// Number of a mail; never given again.
pub type MailId = i64;

/// How a mail stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MailState {
    /// It is to be sent, at `next_attempt`.
    Waiting,
    /// It is being handed to the mail server.
    Sending,
    /// The mail server has taken it.
    Sent,
    /// It cannot be sent; `last_error` says why.
    Failed,
}

impl MailState {
    /// All of them.
    pub const ALL: [MailState; 4] = [
        MailState::Waiting,
        MailState::Sending,
        MailState::Sent,
        MailState::Failed,
    ];

    /// The name used in the database, addresses and text keys.
    pub fn as_str(self) -> &'static str {
        match self {
            MailState::Waiting => "waiting",
            MailState::Sending => "sending",
            MailState::Sent => "sent",
            MailState::Failed => "failed",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<MailState> {
        MailState::ALL
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// A mail without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailSummary {
    /// Its number.
    pub id: MailId,
    /// Which mail it is, such as `update_completed_everyone`; see `mails.rs`.
    pub kind: String,
    /// The update it is about.
    pub update: Option<u64>,
    /// The recipient's address.
    pub recipient: String,
    /// The recipient's name.
    pub name: String,
    /// Its language.
    pub language: Lang,
    /// Its subject.
    pub subject: String,
    /// How it stands.
    pub state: MailState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next, while it waits.
    pub next_attempt: Timestamp,
    /// What the mail server, or the way to it, last said against it. English.
    pub last_error: Option<String>,
    /// When it was written.
    pub created: Timestamp,
    /// When the mail server took it.
    pub sent: Option<Timestamp>,
}

impl FromRow<'_, SqliteRow> for MailSummary {
    fn from_row(row: &SqliteRow) -> sqlx::Result<MailSummary> {
        Ok(MailSummary {
            id: row.try_get("id")?,
            kind: row.try_get("kind")?,
            update: row
                .try_get::<Option<i64>, _>("update_id")?
                .map(i64::unsigned_abs),
            recipient: row.try_get("recipient")?,
            name: row.try_get("name")?,
            language: language(row, "language")?,
            subject: row.try_get("subject")?,
            state: MailState::from_name(row.try_get("state")?).unwrap_or(MailState::Failed),
            attempts: row.try_get("attempts")?,
            next_attempt: time(row, "next_attempt")?,
            last_error: row.try_get("last_error")?,
            created: time(row, "created")?,
            sent: optional_time(row, "sent_at")?,
        })
    }
}

/// A whole mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// All but its content.
    pub summary: MailSummary,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// Where an answer goes, when not to the sender.
    pub reply_to: Option<String>,
    /// The Message-ID, the same at every attempt.
    pub message_id: String,
    /// Files attached to it.
    pub attachments: Vec<Attachment>,
}

/// A file attached to a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its name.
    pub name: String,
    /// Its media type, such as `application/json`.
    pub media_type: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// Which mails a list shows.
#[derive(Debug, Clone, Default)]
pub struct MailFilter {
    /// Only those in this state.
    pub state: Option<MailState>,
    /// Only those about this update.
    pub update: Option<u64>,
    /// Part of the recipient's name or address, or of the subject; empty for all.
    pub search: String,
    /// Skip so many.
    pub offset: u32,
    /// Return at most so many.
    pub limit: u32,
}

/// How many mails are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailCounts {
    /// Waiting.
    pub waiting: u64,
    /// Being sent.
    pub sending: u64,
    /// Sent.
    pub sent: u64,
    /// Failed.
    pub failed: u64,
}

impl Store {
    /// Mails, newest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mails(&self, filter: &MailFilter) -> Result<Page<MailSummary>> {
        let search = filter.search.trim().to_lowercase();
        let rows: Vec<SqliteRow> = sqlx::query(
            "SELECT o.id, l.kind, o.update_id, o.recipient, o.name, l.language, l.subject, o.state, o.attempts,
                    o.next_attempt, o.last_error, o.created, o.sent_at, count(*) OVER () AS total
             FROM outbox o JOIN letters l ON l.id = o.letter_id LEFT JOIN users u ON u.id = o.user_id
             WHERE (?1 IS NULL OR o.state = ?1)
               AND (?2 IS NULL OR o.update_id = ?2)
               AND (?3 = '' OR instr(lower(o.recipient), ?3) > 0 OR instr(lower(l.subject), ?3) > 0
                    OR instr(coalesce(u.search_key, lower(o.name)), ?4) > 0)
             ORDER BY o.id DESC LIMIT ?5 OFFSET ?6",
        )
        .bind(filter.state.map(MailState::as_str))
        .bind(filter.update.map(stored))
        .bind(&search)
        .bind(search_key(&search))
        .bind(filter.limit)
        .bind(filter.offset)
        .fetch_all(&self.read)
        .await?;
        let total = match rows.first() {
            Some(row) => row.try_get::<i64, _>("total")?.unsigned_abs(),
            None => 0,
        };
        let items = rows
            .iter()
            .map(MailSummary::from_row)
            .collect::<sqlx::Result<_>>()?;
        Ok(Page { items, total })
    }

    /// How many mails are in each state.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mail_counts(&self) -> Result<MailCounts> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT state, count(*) FROM outbox GROUP BY state")
                .fetch_all(&self.read)
                .await?;
        let mut counts = MailCounts::default();
        for (state, count) in rows {
            let count = count.unsigned_abs();
            match MailState::from_name(&state) {
                Some(MailState::Waiting) => counts.waiting = count,
                Some(MailState::Sending) => counts.sending = count,
                Some(MailState::Sent) => counts.sent = count,
                Some(MailState::Failed) | None => counts.failed += count,
            }
        }
        Ok(counts)
    }

    /// A whole mail.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mail(&self, id: MailId) -> Result<Option<Mail>> {
        let row: Option<SqliteRow> = sqlx::query(
            "SELECT o.id, l.kind, o.update_id, o.recipient, o.name, l.language, l.subject, o.state, o.attempts,
                    o.next_attempt, o.last_error, o.created, o.sent_at,
                    o.dedup, l.text, l.html, l.reply_to, l.message_domain, l.id AS letter
             FROM outbox o JOIN letters l ON l.id = o.letter_id WHERE o.id = ?",
        )
        .bind(id)
        .fetch_optional(&self.read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let installation = self.installation().await?;
        let key = row.try_get::<String, _>("dedup")?.replace(':', ".");
        let domain: String = row.try_get("message_domain")?;
        Ok(Some(Mail {
            summary: MailSummary::from_row(&row)?,
            text: row.try_get("text")?,
            html: row.try_get("html")?,
            reply_to: row.try_get("reply_to")?,
            message_id: format!("<{key}.{installation}@{domain}>"),
            attachments: self.attachments(row.try_get("letter")?).await?,
        }))
    }

    async fn attachments(&self, letter: i64) -> Result<Vec<Attachment>> {
        let rows: Vec<(String, String, Vec<u8>)> = sqlx::query_as(
            "SELECT name, media_type, content FROM attachments WHERE letter_id = ? ORDER BY id",
        )
        .bind(letter)
        .fetch_all(&self.read)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(name, media_type, content)| Attachment {
                name,
                media_type,
                content,
            })
            .collect())
    }

    /// Tries a mail again now: one that waits or failed as it is, under its own Message-ID; one that was sent as a new mail.
    /// Returns the number of the mail that will be sent.
    ///
    /// # Errors
    /// There is no such mail.
    pub async fn resend(&self, id: MailId) -> Result<MailId> {
        let mut write = self.begin().await?;
        let state: Option<String> = sqlx::query_scalar("SELECT state FROM outbox WHERE id = ?")
            .bind(id)
            .fetch_optional(&mut *write)
            .await?;
        let now = millis(Timestamp::now());
        let resent = match MailState::from_name(&state.ok_or(StoreError::NotFound)?) {
            Some(MailState::Sent) => copy_mail(&mut write, id, now).await?,
            Some(MailState::Sending) => id,
            _ => {
                sqlx::query("UPDATE outbox SET state = 'waiting', attempts = 0, next_attempt = ?, created = ? WHERE id = ?")
                    .bind(now)
                    .bind(now)
                    .bind(id)
                    .execute(&mut *write)
                    .await?;
                id
            }
        };
        write.commit().await?;
        self.mail_waiting.notify_one();
        Ok(resent)
    }

    /// Tries all failed mails again now; returns how many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn resend_failed(&self) -> Result<u64> {
        let now = millis(Timestamp::now());
        let done = sqlx::query(
            "UPDATE outbox SET state = 'waiting', attempts = 0, next_attempt = ?, created = ? WHERE state = 'failed'",
        )
        .bind(now)
        .bind(now)
        .execute(&self.write)
        .await?;
        self.mail_waiting.notify_one();
        Ok(done.rows_affected())
    }

    /// Removes mails that were sent or failed before this time, and texts that no mail needs any more.
    pub(crate) async fn remove_old_mails(&self, before: Timestamp) -> Result<u64> {
        let mut write = self.begin().await?;
        let done = sqlx::query(
            "DELETE FROM outbox WHERE state IN ('sent', 'failed') AND coalesce(sent_at, created) < ?",
        )
        .bind(millis(before))
        .execute(&mut *write)
        .await?;
        sqlx::query("DELETE FROM letters WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE letter_id = letters.id)")
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        Ok(done.rows_affected())
    }
}

/// A sent mail once more.
async fn copy_mail(connection: &mut SqliteConnection, id: MailId, now: i64) -> Result<MailId> {
    let done = sqlx::query(
        "INSERT INTO outbox (dedup, letter_id, update_id, user_id, recipient, name, state, next_attempt, created)
         SELECT dedup || ':again:' || (SELECT max(id) + 1 FROM outbox), letter_id, update_id, user_id, recipient, name,
                'waiting', ?, ?
         FROM outbox WHERE id = ?",
    )
    .bind(now)
    .bind(now)
    .bind(id)
    .execute(connection)
    .await?;
    Ok(done.last_insert_rowid())
}

/// Lets all waiting mail be tried now.
pub(super) async fn make_due(connection: &mut SqliteConnection) -> Result<()> {
    sqlx::query("UPDATE outbox SET next_attempt = ? WHERE state = 'waiting'")
        .bind(millis(Timestamp::now()))
        .execute(connection)
        .await?;
    Ok(())
}

/// An update's number as the database keeps it.
fn stored(update: u64) -> i64 {
    i64::try_from(update).unwrap_or(i64::MAX)
}
