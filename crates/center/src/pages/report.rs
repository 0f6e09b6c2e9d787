//! The diagnostic report: shown before anything leaves the server, then downloaded or sent to the vendor's support.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use obnova_engine::api::{Answer, Report, Request};
use obnova_text::Text;

use crate::app::{Centre, unexpected};
use crate::error::Failure;
use crate::explain::{Explained, explain};
use crate::form::Posted;
use crate::mails::{self, MailError};
use crate::page::{Page, html};

/// Collecting logs and system facts takes a moment.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage {
    page: Page,
    t: &'static Text,
    update: u64,
    report: Box<Report>,
    problem: Option<Explained>,
    json: String,
    can_send: bool,
}

/// `GET /updates/report/{update}`
pub async fn show(
    page: Page,
    State(centre): State<Centre>,
    Path(update): Path<u64>,
) -> Result<Response, Failure> {
    let report = fetch(&centre, update).await?;
    let t = page.t();
    let problem = report
        .update
        .as_ref()
        .and_then(|update| update.problem.as_ref())
        .map(|problem| explain(t, problem));
    html(&ReportPage {
        t,
        update,
        problem,
        json: pretty(&report)?,
        can_send: centre.store().settings().await?.can_send(),
        report,
        page,
    })
}

/// `GET /updates/report/{update}/download`
pub async fn download(
    State(centre): State<Centre>,
    Path(update): Path<u64>,
) -> Result<Response, Failure> {
    let report = fetch(&centre, update).await?;
    let product: String = report
        .product
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    let headers = [
        (
            header::CONTENT_TYPE,
            "application/json; charset=utf-8".to_owned(),
        ),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"obnova-report-{product}-{update}.json\""),
        ),
    ];
    Ok((headers, pretty(&report)?).into_response())
}

/// `POST /updates/report/{update}/send`
pub async fn send(
    State(centre): State<Centre>,
    Path(update): Path<u64>,
    posted: Posted,
) -> Result<Response, Failure> {
    let report = fetch(&centre, update).await?;
    let store = centre.store();
    let user = store
        .user(posted.session.user)
        .await?
        .ok_or(Failure::Forbidden)?;
    match mails::send_report(store, &report, &user).await {
        Ok(_) => {
            let to = report.support_email.as_deref().unwrap_or_default();
            store
                .audit(
                    &user.email,
                    "report-sent",
                    &format!("update {update} to {to}"),
                )
                .await?;
            Ok(Redirect::to(&format!("/updates/report/{update}?done=report-sent")).into_response())
        }
        Err(MailError::NoAddress) => Err(Failure::Malformed("no support address".into())),
        Err(error) => Err(Failure::Internal(error.to_string())),
    }
}

async fn fetch(centre: &Centre, update: u64) -> Result<Box<Report>, Failure> {
    match centre
        .ask(
            &Request::Report {
                update: Some(update),
            },
            PATIENCE,
        )
        .await
    {
        Ok(Answer::Report(report)) => Ok(report),
        Ok(_) => Err(unexpected().into()),
        Err(problem) if problem.code == obnova_engine::problem::UNKNOWN_UPDATE => {
            Err(Failure::NotFound)
        }
        Err(problem) => Err(problem.into()),
    }
}

fn pretty(report: &Report) -> Result<String, Failure> {
    serde_json::to_string_pretty(report).map_err(|error| Failure::Internal(error.to_string()))
}
