//! To the groups that are told about updates: the update failed and was undone, in words: what happened, what state the
//! data is in now, what to do.

use askama::Template;
use obnova_engine::api::Problem;
use obnova_text::Lang;

use super::announce::Facts;
use super::{Words, letter};
use crate::explain::{Explained, explain};
use crate::store::outbox::Letter;

pub(super) const KIND: &str = "update_failed_group";
/// The same about a way back.
pub(super) const REVERT: &str = "revert_failed_group";

#[derive(Template)]
#[template(path = "mails/update_failed_group.html")]
struct Html<'a> {
    words: &'a Words,
    problem: &'a Explained,
    is_partial: bool,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mails/update_failed_group.txt")]
struct Plain<'a> {
    words: &'a Words,
    problem: &'a Explained,
    is_partial: bool,
    link: &'a str,
}

/// Writes it. What the machine said stays out: it may hold customers' data, and mail is read in many places.
pub(super) fn write(facts: &Facts, problem: &Problem, language: Lang) -> askama::Result<Letter> {
    let mut values = facts.values();
    values.push(("code", problem.code.clone()));
    let words = &Words::new(facts.kind(KIND, REVERT), language, values);
    let problem = &explain(words.text, problem);
    // Required stops before the one that failed stay installed.
    let is_partial = facts.seen.hop > 1;
    let link = &facts.updates_page();
    let html = Html {
        words,
        problem,
        is_partial,
        link,
    }
    .render()?;
    let text = Plain {
        words,
        problem,
        is_partial,
        link,
    }
    .render()?;
    Ok(letter(words, text, html))
}
