//! A test mail, which an administrator sends from the Notifications page.

use askama::Template;
use obnova_text::Lang;

use super::{Words, letter};
use crate::store::outbox::Letter;

pub(super) const KIND: &str = "test_mail";

#[derive(Template)]
#[template(path = "mails/test_mail.html")]
struct Html<'a> {
    words: &'a Words,
}

#[derive(Template)]
#[template(path = "mails/test_mail.txt")]
struct Plain<'a> {
    words: &'a Words,
}

/// Writes it.
pub(super) fn write(product: &str, language: Lang) -> askama::Result<Letter> {
    let words = &Words::new(KIND, language, vec![("product", product.to_owned())]);
    let html = Html { words }.render()?;
    let text = Plain { words }.render()?;
    Ok(letter(words, text, html))
}
