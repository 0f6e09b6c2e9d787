//! Puts mails into the outbox.

use jiff::Timestamp;
use obnova_text::Lang;
use sqlx::sqlite::SqliteConnection;

use super::{Attachment, MailId, stored};
use crate::store::groups::identifier_key;
use crate::store::{Result, Store, Write, millis};

/// A text that is ready to be sent, in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Which mail it is.
    pub kind: &'static str,
    /// Its language.
    pub language: Lang,
    /// Its subject.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// Where an answer goes, when not to the sender.
    pub reply_to: Option<String>,
    /// Files attached to it.
    pub attachments: Vec<Attachment>,
}

/// Who gets a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Active members of these groups (identifiers); Everyone may be among them.
    Groups(Vec<String>),
    /// All active people.
    Everyone,
}

/// What makes a mail to a person unique: `<topic>:user:<number>`. Two letters of one topic never reach the same person twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Such as `update:7:completed`. Only letters, digits, `-` and `:`, because Message-IDs are made of it.
    pub key: String,
    /// The update it is about.
    pub update: Option<u64>,
}

impl Store {
    /// Commits a transaction that put mail in, and wakes the delivery.
    pub(crate) async fn commit_mail(&self, write: Write) -> Result<()> {
        write.commit().await?;
        self.mail_waiting.notify_one();
        Ok(())
    }
}

/// Puts a letter in for those of the audience who read its language and have not got one of this topic. Returns to how many.
pub(crate) async fn post(
    connection: &mut SqliteConnection,
    letter: &Letter,
    audience: &Audience,
    topic: &Topic,
    domain: &str,
) -> Result<u64> {
    let letter_id = insert_letter(connection, letter, domain).await?;
    let (groups, everyone) = match audience {
        Audience::Everyone => (Vec::new(), true),
        Audience::Groups(groups) => {
            let keys: Vec<String> = groups.iter().map(|name| identifier_key(name)).collect();
            let everyone = keys.iter().any(|key| key == "everyone");
            (keys, everyone)
        }
    };
    let done = sqlx::query(
        "INSERT INTO outbox (dedup, letter_id, update_id, user_id, recipient, name, state, next_attempt, created)
         SELECT ?1 || ':user:' || u.id, ?2, ?3, u.id, u.email, u.name, 'waiting', ?4, ?4
         FROM users u
         WHERE u.active = 1 AND u.language = ?5
           AND ((?6 AND u.id IN everyone)
                OR u.id IN (SELECT m.user_id FROM memberships m JOIN groups g ON g.id = m.group_id
                            WHERE g.identifier_key IN (SELECT value FROM json_each(?7))))
         ORDER BY u.id
         ON CONFLICT (dedup) DO NOTHING",
    )
    .bind(&topic.key)
    .bind(letter_id)
    .bind(topic.update.map(stored))
    .bind(millis(Timestamp::now()))
    .bind(letter.language.tag())
    .bind(everyone)
    .bind(serde_json::to_string(&groups)?)
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() == 0 {
        sqlx::query("DELETE FROM letters WHERE id = ?")
            .bind(letter_id)
            .execute(connection)
            .await?;
    }
    Ok(done.rows_affected())
}

/// Whether the groups (identifiers) have a member who gets mail.
pub(crate) async fn anybody_in(
    connection: &mut SqliteConnection,
    groups: &[String],
) -> Result<bool> {
    let keys: Vec<String> = groups.iter().map(|name| identifier_key(name)).collect();
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM memberships m
                        JOIN groups g ON g.id = m.group_id
                        JOIN users u ON u.id = m.user_id AND u.active = 1
                        WHERE g.identifier_key IN (SELECT value FROM json_each(?1)))
             OR ('everyone' IN (SELECT value FROM json_each(?1)) AND EXISTS (SELECT 1 FROM everyone))",
    )
    .bind(serde_json::to_string(&keys)?)
    .fetch_one(connection)
    .await?)
}

/// Puts a letter in for one address.
pub(crate) async fn post_to(
    connection: &mut SqliteConnection,
    letter: &Letter,
    email: &str,
    topic: &Topic,
    domain: &str,
) -> Result<MailId> {
    let letter_id = insert_letter(connection, letter, domain).await?;
    let now = millis(Timestamp::now());
    let done = sqlx::query(
        "INSERT INTO outbox (dedup, letter_id, update_id, recipient, name, state, next_attempt, created)
         VALUES (?, ?, ?, ?, '', 'waiting', ?, ?)",
    )
    .bind(&topic.key)
    .bind(letter_id)
    .bind(topic.update.map(stored))
    .bind(email)
    .bind(now)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(done.last_insert_rowid())
}

async fn insert_letter(
    connection: &mut SqliteConnection,
    letter: &Letter,
    domain: &str,
) -> Result<i64> {
    let done = sqlx::query(
        "INSERT INTO letters (kind, language, subject, text, html, reply_to, message_domain, created)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(letter.kind)
    .bind(letter.language.tag())
    .bind(&letter.subject)
    .bind(&letter.text)
    .bind(&letter.html)
    .bind(&letter.reply_to)
    .bind(domain)
    .bind(millis(Timestamp::now()))
    .execute(&mut *connection)
    .await?;
    let id = done.last_insert_rowid();
    for attachment in &letter.attachments {
        sqlx::query(
            "INSERT INTO attachments (letter_id, name, media_type, content) VALUES (?, ?, ?, ?)",
        )
        .bind(id)
        .bind(&attachment.name)
        .bind(&attachment.media_type)
        .bind(&attachment.content)
        .execute(&mut *connection)
        .await?;
    }
    Ok(id)
}
