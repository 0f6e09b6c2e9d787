//! The mails. One file each here, with its two templates, `templates/mails/<mail>.txt` and `.html`; the words are in
//! `mails.ftl`, where a mail also has its name for lists, `mail-kind-<mail, dashes for underscores>`. To add one: its file and
//! templates, its texts, and a `mod` line.
//!
//! [`announce`] decides which event of the engine makes which mails. Nothing is sent from here: mails are put into the
//! outbox, and `jobs/deliver_mail.rs` sends them.

use jiff::Timestamp;
use lettre::message::Mailbox;
use obnova_engine::api::Report;
use obnova_text::{Lang, Text};

use crate::store::outbox::{Letter, MailId, Topic, post_to};
use crate::store::settings::CenterSettings;
use crate::store::users::{User, parse_email};
use crate::store::{Store, StoreError};

pub(crate) mod announce;
pub(crate) mod rehearsal_failed_group;
mod report_to_support;
mod test_mail;
mod update_completed_everyone;
mod update_completed_group;
mod update_failed_group;
mod update_started_everyone;
mod update_started_group;
mod update_undone_everyone;

/// Right side of a Message-ID when the sender's address has none to offer.
const NO_DOMAIN: &str = "obnova.invalid";

/// Why a mail could not be put into the outbox.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It could not be stored, or its recipient is no address.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It could not be written.
    #[error("the mail's text could not be made")]
    Write(#[from] askama::Error),
    /// The vendor gives no address for reports.
    #[error("the vendor gives no address for reports")]
    NoAddress,
    /// The report could not be written as JSON.
    #[error("the report could not be written")]
    Report(#[from] serde_json::Error),
}

/// The words of one mail: its texts with its values in them.
struct Words {
    kind: &'static str,
    text: &'static Text,
    values: Vec<(&'static str, String)>,
}

impl Words {
    fn new(kind: &'static str, language: Lang, values: Vec<(&'static str, String)>) -> Words {
        Words {
            kind,
            text: Text::of(language),
            values,
        }
    }

    /// The mail's own text of this name: `mail-<kind>-<name>`.
    fn own(&self, name: &str) -> String {
        self.get(&format!("mail-{}-{name}", self.kind.replace('_', "-")))
    }

    /// The text of this key.
    fn get(&self, key: &str) -> String {
        let values: Vec<(&str, &str)> = self
            .values
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        self.text.with(key, &values)
    }

    /// The language's tag, for HTML.
    fn lang(&self) -> &'static str {
        self.text.lang().tag()
    }
}

/// A subject is one line, whatever values it has in it.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control())
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// A letter of these parts.
fn letter(words: &Words, text: String, html: String) -> Letter {
    Letter {
        kind: words.kind,
        language: words.text.lang(),
        subject: one_line(&words.own("subject")),
        text: text.trim().to_owned() + "\n",
        html,
        reply_to: None,
        attachments: Vec::new(),
    }
}

/// The domain of the sender's address, for Message-IDs.
pub(crate) fn message_domain(settings: &CenterSettings) -> String {
    settings.mail_from.parse::<Mailbox>().map_or_else(
        |_| NO_DOMAIN.to_owned(),
        |from| from.email.domain().to_owned(),
    )
}

/// Whether mail can be sent from this: `name@example.com` or `Name <name@example.com>`.
pub fn sender_is_valid(sender: &str) -> bool {
    !sender.chars().any(char::is_control) && sender.parse::<Mailbox>().is_ok()
}

/// The product's name, or what the mails call it before the centre has met its engine.
fn product_or_default(name: String) -> String {
    if name.is_empty() {
        "Obnova".to_owned()
    } else {
        name
    }
}

/// Puts a test mail to this address into the outbox; how it fares is seen there, under the number returned.
///
/// # Errors
/// Not an address, or it could not be stored.
pub async fn send_test(store: &Store, to: &str, language: Lang) -> Result<MailId, MailError> {
    let to = parse_email(to)?;
    let product = product_or_default(store.product_name().await?);
    let letter = test_mail::write(&product, language)?;
    post_once(store, &letter, "test", to).await
}

/// Puts a diagnostic report for the vendor's support into the outbox, with the report attached as JSON. An answer goes to
/// `from`, the administrator who sends it.
///
/// # Errors
/// The report names no address for it, or it could not be stored.
pub async fn send_report(store: &Store, report: &Report, from: &User) -> Result<MailId, MailError> {
    let to = report
        .support_email
        .as_deref()
        .ok_or(MailError::NoAddress)?;
    let to = parse_email(to)?;
    let letter = report_to_support::write(report, from)?;
    post_once(store, &letter, "report", to).await
}

/// Posts a letter that no event asks for, so that there may be many of a topic.
async fn post_once(
    store: &Store,
    letter: &Letter,
    topic: &str,
    to: &str,
) -> Result<MailId, MailError> {
    let domain = message_domain(&store.settings().await?);
    let topic = Topic {
        key: format!(
            "{topic}:{}:{}",
            Timestamp::now().as_millisecond(),
            hex::encode(rand::random::<[u8; 4]>())
        ),
        update: None,
    };
    let mut write = store.begin().await?;
    let id = post_to(&mut write, letter, to, &topic, &domain).await?;
    store.commit_mail(write).await?;
    Ok(id)
}

#[cfg(test)]
pub(crate) mod tests;
