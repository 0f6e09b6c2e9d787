//! To everyone who was told that an update began: it was not finished, and work goes on.

use askama::Template;
use obnova_text::Lang;

use super::announce::Facts;
use super::{Words, letter};
use crate::store::outbox::Letter;

pub(super) const KIND: &str = "update_undone_everyone";
/// The same about a way back.
pub(super) const REVERT: &str = "revert_undone_everyone";

#[derive(Template)]
#[template(path = "mails/update_undone_everyone.html")]
struct Html<'a> {
    words: &'a Words,
    is_partial: bool,
}

#[derive(Template)]
#[template(path = "mails/update_undone_everyone.txt")]
struct Plain<'a> {
    words: &'a Words,
    is_partial: bool,
}

/// Writes it.
pub(super) fn write(facts: &Facts, language: Lang) -> askama::Result<Letter> {
    let words = &Words::new(facts.kind(KIND, REVERT), language, facts.values());
    // Required stops before the one that failed stay installed.
    let is_partial = facts.seen.hop > 1;
    let html = Html { words, is_partial }.render()?;
    let text = Plain { words, is_partial }.render()?;
    Ok(letter(words, text, html))
}
