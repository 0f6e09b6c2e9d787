//! The way back after an update was finished: first what would be lost, then its export, then a confirmation that has to be
//! typed. Nothing leads here but the last update's own page.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use jiff::tz::TimeZone;
use obnova_engine::api::{Answer, Request, RevertPlan, TableChange};
use obnova_engine::problem;
use obnova_text::Text;

use super::refused;
use crate::app::{Centre, unexpected};
use crate::error::Failure;
use crate::explain::{Explained, explain};
use crate::form::Posted;
use crate::format;
use crate::page::{Page, html};

pub mod export;

/// What was written since is counted table by table.
const PLAN_PATIENCE: Duration = Duration::from_secs(300);
const START_PATIENCE: Duration = Duration::from_secs(60);

#[derive(Template)]
#[template(path = "revert.html")]
struct RevertPage {
    page: Page,
    t: &'static Text,
    update: u64,
    from: String,
    to: String,
    since: String,
    tables: Option<Vec<Row>>,
    /// In tables that are not listed rows may have been changed: the database cannot tell.
    others_unknown: bool,
    files: String,
    nothing_lost: bool,
    obstacles: Vec<Explained>,
    directory: String,
    exported: Option<(String, String)>,
    /// Why the last export failed.
    not_exported: Option<Explained>,
    /// The export that runs.
    exporting: Option<String>,
    fault: Option<String>,
}

/// A table that was written to; a dash where the database cannot tell.
struct Row {
    table: String,
    inserted: String,
    updated: String,
    deleted: String,
}

/// `GET /history/{update}/revert`
pub async fn show(
    page: Page,
    State(centre): State<Centre>,
    Path(update): Path<u64>,
) -> Result<Response, Failure> {
    draw(page, &centre, update, Outcome::Asked).await
}

/// `POST /history/{update}/revert`
pub async fn start(
    page: Page,
    State(centre): State<Centre>,
    Path(update): Path<u64>,
    posted: Posted,
) -> Result<Response, Failure> {
    // The version that is typed is compared with what the page showed; the engine compares the update's number.
    if posted.fields.text("confirm") != posted.fields.text("version") {
        return draw(
            page,
            &centre,
            update,
            Outcome::Fault("revert-not-confirmed"),
        )
        .await;
    }
    if centre.exports().is_running() {
        let fault = Outcome::Fault("revert-still-exporting");
        return draw(page, &centre, update, fault).await;
    }
    let request = Request::Revert {
        update,
        actor: posted.session.name.clone(),
    };
    match centre.ask(&request, START_PATIENCE).await {
        Ok(Answer::Started { update: started }) => {
            let detail = format!(
                "{} (update {started}, takes back {update})",
                posted.fields.text("version")
            );
            centre
                .store()
                .audit(&posted.session.email, "revert-started", &detail)
                .await?;
            Ok(Redirect::to("/updates").into_response())
        }
        Ok(_) => Err(unexpected().into()),
        Err(problem) if problem.code == problem::UPDATE_RUNNING => {
            Ok(Redirect::to("/updates").into_response())
        }
        Err(problem) => refused::page(page, "revert-refused", "/history", &problem),
    }
}

/// What has just happened on this page.
enum Outcome {
    Asked,
    Fault(&'static str),
}

async fn draw(
    page: Page,
    centre: &Centre,
    update: u64,
    outcome: Outcome,
) -> Result<Response, Failure> {
    let plan = match centre.ask(&Request::RevertPlan, PLAN_PATIENCE).await {
        Ok(Answer::RevertPlan(plan)) if plan.update == update => plan,
        Ok(Answer::RevertPlan(_)) => return Err(Failure::NotFound),
        Ok(_) => return Err(unexpected().into()),
        Err(problem) => return refused::page(page, "revert-refused", "/history", &problem),
    };
    let t = page.t();
    let fault = match outcome {
        Outcome::Asked => None,
        Outcome::Fault(key) => Some(t.get(key)),
    };
    let ended = centre.exports().ended(update);
    let exported = ended.as_ref().and_then(|end| end.as_ref().ok());
    let not_exported = ended.as_ref().and_then(|end| end.as_ref().err());
    let exporting = centre.exports().running(t, update);
    let status = match fault {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let answer = html(&RevertPage {
        t,
        update,
        from: plan.from.to_string(),
        to: plan.to.to_string(),
        since: page.moment(&plan.since),
        nothing_lost: plan.files_changed == 0
            && plan
                .written
                .as_ref()
                .is_some_and(|tables| tables.iter().all(is_untouched)),
        others_unknown: plan.written.as_ref().is_some_and(|tables| {
            let mut others = tables.iter().filter(|it| !is_listed(it));
            others.any(|it| !is_untouched(it))
        }),
        files: page.number(&plan.files_changed),
        obstacles: plan.obstacles.iter().map(|it| explain(t, it)).collect(),
        directory: proposed(centre, &plan),
        tables: plan.written.map(|tables| {
            tables
                .iter()
                .filter(|it| is_listed(it))
                .map(|it| row(&page, it))
                .collect()
        }),
        exported: exported.map(|it| (it.directory.display().to_string(), page.bytes(&it.bytes))),
        not_exported: not_exported.map(|it| explain(t, it)),
        exporting: exporting.map(|part| part.render()).transpose()?,
        fault,
        page,
    })?;
    Ok((status, answer).into_response())
}

/// Whether the database knows that nothing was written to this table.
fn is_untouched(change: &TableChange) -> bool {
    counts(change).iter().all(|count| *count == Some(0))
}

/// Whether something is known to have been written to it, or nothing at all is known of it.
fn is_listed(change: &TableChange) -> bool {
    let counts = counts(change);
    counts
        .iter()
        .any(|count| count.is_some_and(|rows| rows > 0))
        || counts.iter().all(Option::is_none)
}

fn counts(change: &TableChange) -> [Option<u64>; 3] {
    [change.inserted, change.updated, change.deleted]
}

fn row(page: &Page, change: &TableChange) -> Row {
    let words = |count: Option<u64>| {
        count.map_or_else(|| "–".to_owned(), |count| format::number(count, page.lang))
    };
    Row {
        table: change.table.clone(),
        inserted: words(change.inserted),
        updated: words(change.updated),
        deleted: words(change.deleted),
    }
}

/// A directory of its own for each export, beside the engine's other files.
fn proposed(centre: &Centre, plan: &RevertPlan) -> String {
    let now = jiff::Timestamp::now().to_zoned(TimeZone::system());
    let name = format!("{}-{}", plan.from, now.strftime("%Y%m%d-%H%M%S"));
    let folder = centre.options().state_dir.join("exports").join(name);
    std::path::absolute(&folder)
        .unwrap_or(folder)
        .display()
        .to_string()
}
