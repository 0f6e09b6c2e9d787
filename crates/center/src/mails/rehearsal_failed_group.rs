//! To the groups that are told about updates: a rehearsal that began by itself failed. Nobody had asked, so nobody looks.

use askama::Template;
use obnova_engine::api::Rehearsal;
use obnova_text::Lang;

use super::{Words, letter};
use crate::explain::{Explained, explain};
use crate::store::outbox::Letter;

pub(super) const KIND: &str = "rehearsal_failed_group";

#[derive(Template)]
#[template(path = "mails/rehearsal_failed_group.html")]
struct Html<'a> {
    words: &'a Words,
    problem: Option<&'a Explained>,
    link: &'a str,
}

#[derive(Template)]
#[template(path = "mails/rehearsal_failed_group.txt")]
struct Plain<'a> {
    words: &'a Words,
    problem: Option<&'a Explained>,
    link: &'a str,
}

/// Writes it; `center` is the centre's address, empty when it is not known. What the machine said stays out: it may hold
/// customers' data, and mail is read in many places.
pub(super) fn write(
    product: &str,
    center: &str,
    rehearsal: &Rehearsal,
    language: Lang,
) -> askama::Result<Letter> {
    let values = vec![
        ("product", product.to_owned()),
        ("from", rehearsal.from.to_string()),
        ("to", rehearsal.version.to_string()),
    ];
    let words = &Words::new(KIND, language, values);
    let problem = rehearsal
        .problem
        .as_ref()
        .map(|problem| explain(words.text, problem));
    let problem = problem.as_ref();
    let link = &match center {
        "" => String::new(),
        center => format!("{center}/updates/rehearsal/{}", rehearsal.version),
    };
    let html = Html {
        words,
        problem,
        link,
    }
    .render()?;
    let text = Plain {
        words,
        problem,
        link,
    }
    .render()?;
    Ok(letter(words, text, html))
}
