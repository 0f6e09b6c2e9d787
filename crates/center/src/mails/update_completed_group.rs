//! To the groups that are told about updates: the update of the server component is finished (S5).

use askama::Template;
use obnova_text::Lang;

use super::announce::Facts;
use super::{Words, letter};
use crate::format;
use crate::store::outbox::Letter;

pub(super) const KIND: &str = "update_completed_group";
/// The same about a way back.
pub(super) const REVERT: &str = "revert_completed_group";

#[derive(Template)]
#[template(path = "mails/update_completed_group.html")]
struct Html<'a> {
    words: &'a Words,
    link: &'a str,
    welcome: &'a str,
}

#[derive(Template)]
#[template(path = "mails/update_completed_group.txt")]
struct Plain<'a> {
    words: &'a Words,
    link: &'a str,
    welcome: &'a str,
}

/// Writes it; `blackout_ms` is how long requests were held.
pub(super) fn write(facts: &Facts, blackout_ms: u64, language: Lang) -> askama::Result<Letter> {
    let mut values = facts.values();
    values.push(("held", format::took(blackout_ms, language)));
    let words = &Words::new(facts.kind(KIND, REVERT), language, values);
    let link = &facts.updates_page();
    let welcome = &facts.center;
    let html = Html {
        words,
        link,
        welcome,
    }
    .render()?;
    let text = Plain {
        words,
        link,
        welcome,
    }
    .render()?;
    Ok(letter(words, text, html))
}
