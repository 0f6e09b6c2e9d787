//! The page that says why something that was asked for is not done.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use obnova_engine::api::Problem;
use obnova_text::Text;

use crate::error::Failure;
use crate::explain::{Explained, explain};
use crate::page::{Page, html};

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused {
    page: Page,
    t: &'static Text,
    title: String,
    back: &'static str,
    problem: Explained,
}

/// With the text `title` as its heading, and a way back to the address `back`.
///
/// # Errors
/// The template could not be rendered.
pub fn page(
    page: Page,
    title: &str,
    back: &'static str,
    problem: &Problem,
) -> Result<Response, Failure> {
    let t = page.t();
    let answer = html(&Refused {
        t,
        title: t.get(title),
        back,
        problem: explain(t, problem),
        page,
    })?;
    Ok((StatusCode::CONFLICT, answer).into_response())
}
