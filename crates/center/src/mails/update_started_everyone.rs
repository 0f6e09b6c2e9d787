//! To everyone: an update has begun (S6).

use askama::Template;
use obnova_text::Lang;

use super::announce::Facts;
use super::{Words, letter};
use crate::store::outbox::Letter;

pub(super) const KIND: &str = "update_started_everyone";
/// The same about a way back.
pub(super) const REVERT: &str = "revert_started_everyone";

#[derive(Template)]
#[template(path = "mails/update_started_everyone.html")]
struct Html<'a> {
    words: &'a Words,
}

#[derive(Template)]
#[template(path = "mails/update_started_everyone.txt")]
struct Plain<'a> {
    words: &'a Words,
}

/// Writes it.
pub(super) fn write(facts: &Facts, language: Lang) -> askama::Result<Letter> {
    let words = &Words::new(facts.kind(KIND, REVERT), language, facts.values());
    let html = Html { words }.render()?;
    let text = Plain { words }.render()?;
    Ok(letter(words, text, html))
}
