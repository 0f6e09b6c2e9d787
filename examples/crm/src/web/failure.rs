//! What can go wrong with a request, and how it is told: a page for people, JSON for programs.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use minijinja::context;
use serde_json::{Value, json};
use tracing::error;

use super::App;
use super::visitor::{Visitor, language};
use crate::store::Refusal;
use crate::told;

/// What went wrong.
#[derive(Debug)]
pub enum Failure {
    /// There is no such page or record.
    Missing,
    /// The request cannot be understood.
    Malformed,
    /// A value that must be unique is there already.
    Taken,
    /// A reference points nowhere, or others refer to the record.
    Referred,
    /// The request was sent from another site's page.
    Foreign,
    /// Our own fault.
    Failed(anyhow::Error),
}

/// Marks a response that [`explain`] has to fill in.
#[derive(Clone)]
struct Unexplained(&'static str);

impl Failure {
    fn status_and_key(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Missing => (StatusCode::NOT_FOUND, "missing"),
            Self::Malformed => (StatusCode::BAD_REQUEST, "malformed"),
            Self::Taken => (StatusCode::CONFLICT, "taken"),
            Self::Referred => (StatusCode::CONFLICT, "referred"),
            Self::Foreign => (StatusCode::FORBIDDEN, "foreign"),
            Self::Failed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "failed"),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, key) = self.status_and_key();
        if let Self::Failed(cause) = &self {
            error!("a request failed: {}", told(cause));
        }
        let mut response = status.into_response();
        response.extensions_mut().insert(Unexplained(key));
        response
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Missing => Self::Missing,
            Refusal::Taken => Self::Taken,
            Refusal::Referred => Self::Referred,
            Refusal::Failed(error) => Self::Failed(error),
        }
    }
}

/// Any address that there is not.
pub async fn not_found() -> Failure {
    Failure::Missing
}

/// Gives failed responses their words.
pub async fn explain(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    let Some(Unexplained(key)) = response.extensions().get::<Unexplained>().cloned() else {
        return response;
    };
    let status = response.status();
    let visitor = Visitor {
        language: language(&headers),
        path: uri.path().to_owned(),
        app,
    };
    if uri.path().starts_with("/api/") {
        return (status, Json(problem(&visitor, key))).into_response();
    }
    let page = visitor.page_with(
        status,
        "error.html",
        context! { key, status => status.as_u16() },
    );
    match page {
        Ok(page) => page,
        Err(_) => (status, visitor.text(&format!("failure-{key}"))).into_response(),
    }
}

fn problem(visitor: &Visitor, key: &str) -> Value {
    json!({ "error": key, "message": visitor.text(&format!("failure-{key}")) })
}
