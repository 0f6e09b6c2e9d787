//! To the groups that are told about updates: an update of the server component has begun (S5).

use askama::Template;
use obnova_text::Lang;

use super::announce::Facts;
use super::{Words, letter};
use crate::store::outbox::Letter;

pub(super) const KIND: &str = "update_started_group";
/// The same about a way back.
pub(super) const REVERT: &str = "revert_started_group";

#[derive(Template)]
#[template(path = "mails/update_started_group.html")]
struct Html<'a> {
    words: &'a Words,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mails/update_started_group.txt")]
struct Plain<'a> {
    words: &'a Words,
    link: &'a str,
}

/// Writes it.
pub(super) fn write(facts: &Facts, language: Lang) -> askama::Result<Letter> {
    let words = &Words::new(facts.kind(KIND, REVERT), language, facts.values());
    let link = &facts.updates_page();
    let html = Html { words, link }.render()?;
    let text = Plain { words, link }.render()?;
    Ok(letter(words, text, html))
}
