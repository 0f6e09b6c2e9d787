//! Exports of what going back would lose. All data may be a lot, so an export is a job: the page that began it shows that it runs, and
//! how it has ended. A centre that ends forgets it; the engine writes it to its end all the same.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use jiff::Timestamp;
use obnova_engine::api::{Answer, Exported, Problem, Request};
use obnova_text::Text;

use super::{Outcome, draw};
use crate::app::{Centre, unexpected};
use crate::error::Failure;
use crate::form::Posted;
use crate::format;
use crate::page::{Page, html};
use crate::pages::refused;

/// All data is written into a directory.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// One that takes no longer is shown at once.
const QUICK: Duration = Duration::from_millis(1500);

/// The newest export.
#[derive(Default)]
pub struct Exports(Mutex<Option<Job>>);

#[derive(Clone)]
struct Job {
    update: u64,
    directory: PathBuf,
    began: Timestamp,
    /// How it has ended.
    end: Option<Result<Exported, Problem>>,
}

/// An export that runs, as a part of the page that is fetched again and again.
#[derive(Template)]
#[template(path = "revert_export.html")]
pub struct Part {
    t: &'static Text,
    update: u64,
    directory: String,
    elapsed: String,
}

impl Exports {
    fn lock(&self) -> MutexGuard<'_, Option<Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one runs.
    pub fn is_running(&self) -> bool {
        self.lock().as_ref().is_some_and(|job| job.end.is_none())
    }

    /// How the newest one of this update has ended, once it has.
    pub fn ended(&self, update: u64) -> Option<Result<Exported, Problem>> {
        self.lock().clone().filter(|job| job.update == update)?.end
    }

    /// The one of this update that runs, as a part of its page.
    pub fn running(&self, t: &'static Text, update: u64) -> Option<Part> {
        let job = self.lock().clone()?;
        let runs = job.update == update && job.end.is_none();
        runs.then(|| Part {
            t,
            update,
            directory: job.directory.display().to_string(),
            elapsed: format::running(format::between(job.began, Timestamp::now()), t.lang()),
        })
    }

    /// `false` when another one runs.
    fn begin(&self, update: u64, directory: &std::path::Path) -> bool {
        let mut job = self.lock();
        if job.as_ref().is_some_and(|job| job.end.is_none()) {
            return false;
        }
        *job = Some(Job {
            update,
            directory: directory.to_owned(),
            began: Timestamp::now(),
            end: None,
        });
        true
    }

    fn end(&self, end: Result<Exported, Problem>) {
        if let Some(job) = &mut *self.lock() {
            job.end = Some(end);
        }
    }
}

/// `POST /history/{update}/revert/export`
pub async fn start(
    page: Page,
    State(centre): State<Centre>,
    Path(update): Path<u64>,
    posted: Posted,
) -> Result<Response, Failure> {
    let directory = PathBuf::from(posted.fields.text("directory"));
    if !directory.is_absolute() {
        let fault = Outcome::Fault("revert-directory-absolute");
        return draw(page, &centre, update, fault).await;
    }
    if !centre.exports().begin(update, &directory) {
        return Ok(Redirect::to(&address(update)).into_response());
    }
    let (worker, who) = (centre.clone(), posted.session.email.clone());
    let job = tokio::spawn(async move { run(&worker, &who, directory).await });
    if tokio::time::timeout(QUICK, job).await.is_err() {
        return Ok(Redirect::to(&address(update)).into_response());
    }
    match centre.exports().ended(update) {
        Some(Err(problem)) => refused::page(page, "revert-not-exported", "/history", &problem),
        _ => draw(page, &centre, update, Outcome::Asked).await,
    }
}

async fn run(centre: &Centre, who: &str, directory: PathBuf) {
    let answer = centre.ask(&Request::Export { directory }, PATIENCE).await;
    let end = match answer {
        Ok(Answer::Exported(exported)) => Ok(exported),
        Ok(_) => Err(unexpected()),
        Err(problem) => Err(problem),
    };
    if let Ok(exported) = &end {
        let detail = exported.directory.display().to_string();
        let written = centre.store().audit(who, "data-exported", &detail).await;
        if let Err(error) = written {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                detail,
                "not in the audit log"
            );
        }
    }
    centre.exports().end(end);
}

/// `GET /history/{update}/revert/export`: the part of the page, while it runs; then the page is to be fetched anew.
pub async fn show(
    page: Page,
    State(centre): State<Centre>,
    Path(update): Path<u64>,
) -> Result<Response, Failure> {
    match centre.exports().running(page.t(), update) {
        Some(part) => html(&part),
        None => Ok(([("hx-refresh", "true")], Html("")).into_response()),
    }
}

fn address(update: u64) -> String {
    format!("/history/{update}/revert")
}
