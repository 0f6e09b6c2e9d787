//! To the vendor's support: a diagnostic report, attached as JSON (S11). Answers go to the administrator who sent it.

use askama::Template;
use obnova_engine::api::Report;

use super::{MailError, Words, letter};
use crate::explain::{Explained, explain};
use crate::store::outbox::{Attachment, Letter};
use crate::store::users::User;

pub(super) const KIND: &str = "report_to_support";

#[derive(Template)]
#[template(path = "mails/report_to_support.html")]
struct Html<'a> {
    words: &'a Words,
    has_update: bool,
    problem: Option<&'a Explained>,
}

#[derive(Template)]
#[template(path = "mails/report_to_support.txt")]
struct Plain<'a> {
    words: &'a Words,
    has_update: bool,
    problem: Option<&'a Explained>,
}

/// Writes it, in the language of the administrator who sends it.
pub(super) fn write(report: &Report, from: &User) -> Result<Letter, MailError> {
    let update = report.update.as_ref();
    let version = |version: Option<&semver::Version>| version.map(ToString::to_string);
    let words = &Words::new(
        KIND,
        from.language,
        vec![
            ("product", report.product.clone()),
            ("installed", report.installed.to_string()),
            ("obnova", report.obnova.clone()),
            ("name", from.name.clone()),
            ("email", from.email.clone()),
            ("from", version(update.map(|u| &u.from)).unwrap_or_default()),
            ("to", version(update.map(|u| &u.to)).unwrap_or_default()),
        ],
    );
    let has_update = update.is_some();
    let problem = update
        .and_then(|update| update.problem.as_ref())
        .map(|problem| explain(words.text, problem));
    let problem = problem.as_ref();
    let html = Html {
        words,
        has_update,
        problem,
    }
    .render()?;
    let text = Plain {
        words,
        has_update,
        problem,
    }
    .render()?;
    let mut letter = letter(words, text, html);
    letter.reply_to = Some(from.email.clone());
    letter.attachments.push(Attachment {
        name: format!("{}-report.json", file_name(&report.product)),
        media_type: "application/json".to_owned(),
        content: serde_json::to_vec_pretty(report)?,
    });
    Ok(letter)
}

/// The product's identifier as part of a file's name.
fn file_name(product: &str) -> String {
    product
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}
