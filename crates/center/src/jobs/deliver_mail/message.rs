//! A mail of the outbox as a message: text and HTML, headers, attachments.

use std::time::SystemTime;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use crate::store::outbox::Mail;

/// Why there can be no message.
pub(super) enum Unsendable {
    /// The sender in the settings is no address: no mail can be sent.
    Sender(String),
    /// Something of this mail.
    Mail(String),
}

/// Writes it. Lettre encodes names and subjects, and takes no line break into a header.
pub(super) fn compose(mail: &Mail, sender: &str) -> Result<Message, Unsendable> {
    let from: Mailbox = sender
        .parse()
        .map_err(|error| Unsendable::Sender(format!("the sender {sender:?}: {error}")))?;
    build(mail, from).map_err(|error| Unsendable::Mail(error.to_string()))
}

fn build(mail: &Mail, from: Mailbox) -> Result<Message, Box<dyn std::error::Error>> {
    let summary = &mail.summary;
    let address: Address = summary.recipient.parse()?;
    let name = (!summary.name.is_empty()).then(|| summary.name.clone());
    let mut message = Message::builder()
        .from(from)
        .to(Mailbox::new(name, address))
        .subject(summary.subject.as_str())
        // When it was written, so that news that had to wait is not taken for fresh.
        .date(SystemTime::from(summary.created))
        .message_id(Some(mail.message_id.clone()))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        // Exchange looks at this one instead: no answers from those who are away.
        .raw_header(header("X-Auto-Response-Suppress", "OOF, AutoReply"))
        .raw_header(header("Content-Language", summary.language.tag()));
    if let Some(reply_to) = &mail.reply_to {
        message = message.reply_to(reply_to.parse()?);
    }
    let content = MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone());
    if mail.attachments.is_empty() {
        return Ok(message.multipart(content)?);
    }
    let mut parts = MultiPart::mixed().multipart(content);
    for attachment in &mail.attachments {
        parts = parts.singlepart(attached(attachment)?);
    }
    Ok(message.multipart(parts)?)
}

fn attached(
    attachment: &crate::store::outbox::Attachment,
) -> Result<SinglePart, Box<dyn std::error::Error>> {
    let media_type = ContentType::parse(&attachment.media_type)?;
    Ok(Attachment::new(attachment.name.clone()).body(attachment.content.clone(), media_type))
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}
