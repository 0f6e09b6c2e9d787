//! Who did what in the centre.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use obnova_text::Text;
use serde::Deserialize;

use crate::app::Centre;
use crate::error::Failure;
use crate::page::{Page, html};
use crate::store::audit::{STRANGER, SYSTEM};

/// Lines on one page.
const PER_PAGE: u32 = 100;

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit {
    page: Page,
    t: &'static Text,
    lines: Vec<Line>,
    older: Option<i64>,
}

struct Line {
    at: String,
    actor: String,
    action: String,
    detail: String,
}

/// From which line on the list goes back.
#[derive(Deserialize)]
pub struct Wanted {
    before: Option<i64>,
}

/// `GET /audit`
pub async fn show(
    page: Page,
    State(centre): State<Centre>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let found = centre.store().audit_log(wanted.before, PER_PAGE).await?;
    let t = page.t();
    let older = match found.len() >= PER_PAGE as usize {
        true => found.last().map(|line| line.id),
        false => None,
    };
    let lines = found
        .into_iter()
        .map(|line| {
            let key = format!("audit-{}", line.action.replace(['.', '_'], "-"));
            Line {
                at: page.moment(&line.at),
                actor: actor(t, line.actor),
                // An action of an older version may have no words any more; then its name says it.
                action: if t.has(&key) {
                    t.get(&key)
                } else {
                    line.action
                },
                detail: line.detail,
            }
        })
        .collect();
    html(&Audit {
        t,
        lines,
        older,
        page,
    })
}

/// Who it was, in words where it was nobody with an address.
fn actor(t: &Text, actor: String) -> String {
    match actor.as_str() {
        SYSTEM => t.get("centre"),
        STRANGER => t.get("audit-stranger"),
        _ => actor,
    }
}
