//! All updates so far, and one of them in detail.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use obnova_engine::api::{Answer, Outcome, Request, UpdateKind, UpdateSummary};
use obnova_text::Text;

use super::copies;
use super::progress::Steps;
use crate::app::{Centre, unexpected};
use crate::error::Failure;
use crate::explain::{Explained, explain};
use crate::forecast::{Accuracy, Compared, Foretold};
use crate::format;
use crate::page::{Page, html};

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Template)]
#[template(path = "history.html")]
struct History {
    page: Page,
    t: &'static Text,
    updates: Vec<Entry>,
    accuracy: Option<Accuracy>,
}

#[derive(Template)]
#[template(path = "history_entry.html")]
struct HistoryEntry {
    page: Page,
    t: &'static Text,
    entry: Entry,
    then: Vec<String>,
    problem: Option<Explained>,
    steps: String,
    finished: Option<String>,
    /// The version that one could go back to from here.
    back_to: Option<String>,
}

struct Entry {
    update: u64,
    from: String,
    to: String,
    actor: String,
    started: String,
    tag: &'static str,
    outcome: String,
    took: String,
    blackout: String,
    is_revert: bool,
    foretold: Option<Foretold>,
    compared: Option<Compared>,
    reason: Option<String>,
}

/// `GET /history`
pub async fn list(page: Page, State(centre): State<Centre>) -> Result<Response, Failure> {
    let updates = fetch(&centre).await?;
    let accuracy = Accuracy::of(page.t(), &updates);
    let updates = updates.iter().map(|update| entry(&page, update)).collect();
    html(&History {
        t: page.t(),
        accuracy,
        updates,
        page,
    })
}

/// `GET /history/{update}`
pub async fn show(
    page: Page,
    State(centre): State<Centre>,
    Path(number): Path<u64>,
) -> Result<Response, Failure> {
    let updates = fetch(&centre).await?;
    let update = updates
        .iter()
        .find(|update| update.update == number)
        .ok_or(Failure::NotFound)?;
    let t = page.t();
    html(&HistoryEntry {
        t,
        entry: entry(&page, update),
        then: update.then.iter().map(ToString::to_string).collect(),
        problem: update.problem.as_ref().map(|problem| explain(t, problem)),
        steps: Steps::new(t, &update.steps, None).html(),
        finished: update.finished.map(|at| page.moment(&at)),
        back_to: back_to(&centre, update).await,
        page,
    })
}

/// Where `revert` leads from this update, if it is the one that can be taken back now.
async fn back_to(centre: &Centre, update: &UpdateSummary) -> Option<String> {
    if update.outcome != Outcome::Completed {
        return None;
    }
    // Without an answer the page is shown without the way back.
    let copies = copies::fetch(centre).await.ok()?;
    let copy = copies
        .iter()
        .find(|copy| copy.update == update.update && copy.can_revert)?;
    Some(copy.version.to_string())
}

async fn fetch(centre: &Centre) -> Result<Vec<UpdateSummary>, Failure> {
    match centre.ask(&Request::History, PATIENCE).await? {
        Answer::History { updates } => Ok(updates),
        _ => Err(unexpected().into()),
    }
}

fn entry(page: &Page, update: &UpdateSummary) -> Entry {
    let t = page.t();
    let (tag, key) = match update.outcome {
        Outcome::Running => ("warn", "outcome-running"),
        Outcome::Completed => ("good", "outcome-completed"),
        Outcome::RolledBack => ("bad", "outcome-rolled-back"),
    };
    let dash = || "–".to_owned();
    Entry {
        update: update.update,
        from: update.from.to_string(),
        to: update.to.to_string(),
        actor: update.actor.clone(),
        started: page.moment(&update.started),
        tag,
        outcome: t.get(key),
        took: update
            .finished
            .map_or_else(dash, |at| page.took(&format::between(update.started, at))),
        blackout: update.blackout_ms.map_or_else(dash, |ms| page.took(&ms)),
        is_revert: update.kind != UpdateKind::Install,
        foretold: update
            .forecast
            .as_ref()
            .map(|forecast| Foretold::new(t, forecast)),
        compared: Compared::of(t, update),
        reason: update
            .problem
            .as_ref()
            .map(|problem| explain(t, problem).what),
    }
}
