//! Users from elsewhere: a CSV file, or the query that the settings name, now.

use askama::Template;
use axum::Extension;
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use obnova_text::Text;

use crate::app::Centre;
use crate::error::Failure;
use crate::form::{Posted, TOKEN_FIELD, header_token};
use crate::jobs::import::{self, ImportError, LastImport, Outcome};
use crate::page::{Page, html};
use crate::session::Session;

#[derive(Template)]
#[template(path = "imports.html")]
struct Imports {
    page: Page,
    t: &'static Text,
    is_configured: bool,
    is_daily: bool,
    last: Option<(String, ResultView)>,
    result: Option<ResultView>,
}

struct ResultView {
    counts: Option<Outcome>,
    rows: Vec<RowView>,
    failure: Option<(String, Option<String>)>,
}

struct RowView {
    line: u64,
    email: String,
    reason: String,
}

/// `GET /users/import`
pub async fn show(page: Page, State(centre): State<Centre>) -> Result<Response, Failure> {
    form(page, &centre, None).await
}

/// `POST /users/import`: a file. Its token comes as the first field, before the file is read.
pub async fn upload(
    page: Page,
    State(centre): State<Centre>,
    Extension(session): Extension<Session>,
    headers: axum::http::HeaderMap,
    mut parts: Multipart,
) -> Result<Response, Failure> {
    let mut is_confirmed = header_token(&headers).is_some_and(|token| session.confirms(&token));
    let mut deactivate = false;
    let mut file = None;
    while let Some(part) = parts.next_field().await.map_err(malformed)? {
        match part.name() {
            Some(TOKEN_FIELD) => {
                is_confirmed |= session.confirms(&part.text().await.map_err(malformed)?)
            }
            _ if !is_confirmed => return Err(Failure::Forbidden),
            Some("deactivate") => deactivate = true,
            Some("file") => file = Some(part.bytes().await.map_err(malformed)?),
            _ => {}
        }
    }
    if !is_confirmed {
        return Err(Failure::Forbidden);
    }
    let file = file.ok_or_else(|| Failure::Malformed("no file".into()))?;
    let result = import::from_csv(centre.store(), &file, deactivate).await;
    finish(page, &centre, &session, "users-imported-csv", result).await
}

/// `POST /users/import/now`
pub async fn now(
    page: Page,
    State(centre): State<Centre>,
    posted: Posted,
) -> Result<Response, Failure> {
    let result = import::now(centre.store(), centre.engine()).await;
    finish(page, &centre, &posted.session, "users-imported", result).await
}

async fn finish(
    page: Page,
    centre: &Centre,
    session: &Session,
    action: &str,
    result: Result<Outcome, ImportError>,
) -> Result<Response, Failure> {
    let status = match &result {
        Ok(outcome) => {
            let detail = format!("added {}, changed {}", outcome.added, outcome.changed);
            centre
                .store()
                .audit(&session.email, action, &detail)
                .await?;
            StatusCode::OK
        }
        Err(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let (outcome, failure, detail) = match result {
        Ok(outcome) => (Some(outcome), None, None),
        Err(error) => (
            None,
            Some(error.key().to_owned()),
            error.detail().map(str::to_owned),
        ),
    };
    let import = LastImport {
        at: Timestamp::now(),
        from_file: false,
        outcome,
        failure,
        detail,
    };
    let view = view(page.t(), &import);
    let answer = form(page, centre, Some(view)).await?;
    Ok((status, answer).into_response())
}

fn malformed(error: axum::extract::multipart::MultipartError) -> Failure {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Failure::TooLarge,
        _ => Failure::Malformed(error.to_string()),
    }
}

/// An import as it is told about: the one just made, or the last one.
fn view(t: &Text, import: &LastImport) -> ResultView {
    let outcome = import.outcome.clone();
    let rows = outcome.iter().flat_map(|outcome| &outcome.errors);
    ResultView {
        rows: rows
            .map(|row| RowView {
                line: row.line,
                email: row.email.clone(),
                reason: t.get(&format!("import-row-{}", row.code)),
            })
            .collect(),
        failure: import
            .failure
            .as_ref()
            .map(|key| (t.get(key), import.detail.clone())),
        counts: outcome,
    }
}

async fn form(
    page: Page,
    centre: &Centre,
    result: Option<ResultView>,
) -> Result<Response, Failure> {
    let t = page.t();
    let import = centre.store().settings().await?.import;
    let last = match &result {
        Some(_) => None,
        None => import::last(centre.store()).await?,
    };
    html(&Imports {
        t,
        is_configured: !import.query.is_empty() && !import.database_url.is_empty(),
        is_daily: import.enabled,
        last: last.map(|last| (page.moment(&last.at), view(t, &last))),
        result,
        page,
    })
}
