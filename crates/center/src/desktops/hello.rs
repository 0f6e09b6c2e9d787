//! `GET /desktop/v1/hello`: which version this server is. All Desktops ask it after an update, so one answer of the engine
//! does for all who ask within a second.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use obnova_engine::api::Phase;
use semver::Version;
use serde::Serialize;
use tokio::sync::Mutex;

use crate::app::Centre;

/// How long an answer is good.
const GOOD: Duration = Duration::from_secs(1);

/// The answer kept for others.
pub type Greeting = Mutex<Option<(Instant, Option<Hello>)>>;

/// What a Desktop is told.
#[derive(Debug, Clone, Serialize)]
pub struct Hello {
    /// The version of this interface.
    api: u32,
    product: String,
    name: String,
    /// The version of the server component.
    server: Version,
    /// The Desktop version that this server would like; the vendor's signatures decide unless there is one.
    desktop: Option<Version>,
    /// Where the application is, for programs that are told of the centre only.
    application: Option<String>,
    /// `serving`, `updating` or `stopped`.
    state: &'static str,
}

/// Answers.
pub async fn show(State(centre): State<Centre>) -> Response {
    match greeting(&centre).await {
        Some(hello) => Json(hello).into_response(),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn greeting(centre: &Centre) -> Option<Hello> {
    // Those who come while the engine is asked wait here for its answer.
    let mut kept = centre.greeting().lock().await;
    if let Some((at, hello)) = &*kept
        && at.elapsed() < GOOD
    {
        return hello.clone();
    }
    let hello = centre.state().await.ok().map(|state| Hello {
        api: 1,
        product: state.product.clone(),
        name: state.name.clone(),
        server: state.installed.clone(),
        desktop: None,
        application: state
            .public_address
            .as_deref()
            .and_then(crate::pages::welcome::web_address),
        state: match (&state.phase, &state.serving) {
            (Phase::Idle, Some(_)) => "serving",
            (Phase::Idle, None) => "stopped",
            _ => "updating",
        },
    });
    *kept = Some((Instant::now(), hello.clone()));
    hello
}
