//! To everyone: the update is finished, and how to get the Desktop that matches it (S7).

use askama::Template;
use obnova_text::Lang;

use super::announce::Facts;
use super::{Words, letter};
use crate::store::outbox::Letter;

pub(super) const KIND: &str = "update_completed_everyone";
/// The same about a way back.
pub(super) const REVERT: &str = "revert_completed_everyone";

#[derive(Template)]
#[template(path = "mails/update_completed_everyone.html")]
struct Html<'a> {
    words: &'a Words,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mails/update_completed_everyone.txt")]
struct Plain<'a> {
    words: &'a Words,
    link: &'a str,
}

/// Writes it.
pub(super) fn write(facts: &Facts, language: Lang) -> askama::Result<Letter> {
    let words = &Words::new(facts.kind(KIND, REVERT), language, facts.values());
    let link = &facts.center;
    let html = Html { words, link }.render()?;
    let text = Plain { words, link }.render()?;
    Ok(letter(words, text, html))
}
