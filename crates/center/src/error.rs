//! What a page can fail with, and the page that says so. Handlers return a [`Failure`]; [`dress`] makes the page of it, in the
//! reader's language, because a failure does not know who reads.

use askama::Template;
use axum::extract::{OriginalUri, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use obnova_engine::api::Problem;
use obnova_text::Text;

use crate::app::Centre;
use crate::explain::{Explained, explain};
use crate::page::{Page, html};
use crate::session::Session;
use crate::store;

/// Why there is no page.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// There is nothing at this address.
    #[error("not found")]
    NotFound,
    /// The request is not allowed: a forged form, or another site's page.
    #[error("refused")]
    Forbidden,
    /// The request cannot be understood.
    #[error("not understood: {0}")]
    Malformed(String),
    /// More was sent than is taken.
    #[error("too large")]
    TooLarge,
    /// The engine refused or cannot be reached.
    #[error("{}", .0.code)]
    Engine(Box<Problem>),
    /// Something of ours failed; the log says what.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self {
            Failure::NotFound => StatusCode::NOT_FOUND,
            Failure::Forbidden => StatusCode::FORBIDDEN,
            Failure::Malformed(_) => StatusCode::BAD_REQUEST,
            Failure::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Failure::Engine(_) => StatusCode::SERVICE_UNAVAILABLE,
            Failure::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if let Failure::Internal(cause) = &self {
            tracing::error!(%cause, "a page failed: {cause}");
        }
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Failure::Engine(Box::new(problem))
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        match error {
            // It was removed a moment ago, or never was.
            store::StoreError::NotFound => Failure::NotFound,
            error => Failure::Internal(error.to_string()),
        }
    }
}

impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        Failure::Internal(format!("template: {error}"))
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    page: Page,
    t: &'static Text,
    status: u16,
    title: String,
    text: String,
    problem: Option<Explained>,
}

/// Puts a page around every failure and every bare error status.
pub async fn dress(State(centre): State<Centre>, request: Request, next: Next) -> Response {
    let uri = request
        .extensions()
        .get::<OriginalUri>()
        .map_or_else(|| request.uri().clone(), |original| original.0.clone());
    let headers: HeaderMap = request.headers().clone();
    let session = request.extensions().get::<Session>().cloned();
    let response = next.run(request).await;
    let status = response.status();
    let has_page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if !(status.is_client_error() || status.is_server_error()) || has_page {
        return response;
    }
    let failure = response.extensions().get::<Failure>().cloned();
    let page = Page::of(&centre, &uri, &headers, session).await;
    match error_page(page, status, failure) {
        Ok(mut dressed) => {
            *dressed.status_mut() = status;
            for (name, value) in response.headers() {
                if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
                    dressed.headers_mut().insert(name, value.clone());
                }
            }
            dressed
        }
        Err(_) => status.into_response(),
    }
}

fn error_page(
    page: Page,
    status: StatusCode,
    failure: Option<Failure>,
) -> Result<Response, Failure> {
    let t = page.t();
    let kind = match status {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => "not-found",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::PAYLOAD_TOO_LARGE => "too-large",
        StatusCode::SERVICE_UNAVAILABLE => "engine",
        status if status.is_client_error() => "malformed",
        _ => "internal",
    };
    let problem = match failure {
        Some(Failure::Engine(problem)) => Some(explain(t, &problem)),
        _ => None,
    };
    html(&ErrorPage {
        t,
        status: status.as_u16(),
        title: t.get(&format!("error-{kind}-title")),
        text: t.get(&format!("error-{kind}-text")),
        problem,
        page,
    })
}
