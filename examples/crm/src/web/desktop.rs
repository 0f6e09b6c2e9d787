//! Programs on users' computers: one of a version that this server does not work with is told so before it does any harm.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::UPGRADE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use semver::Version;
use serde_json::json;

use super::App;
use super::failure::Failure;
use super::visitor::language;

/// The header in which a Desktop says its version. Whoever does not send it is no Desktop.
pub const HEADER: &str = "x-crm-desktop";

/// Answers 426 to Desktops outside the range, with what they need to know to find the right version.
pub async fn known(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(said) = request.headers().get(HEADER) else {
        return next.run(request).await;
    };
    let version = said
        .to_str()
        .ok()
        .and_then(|said| Version::parse(said).ok());
    let Some(version) = version else {
        return Failure::Malformed.into_response();
    };
    let range = &app.tree.settings.desktop;
    if range.matches(&version) {
        return next.run(request).await;
    }
    let message = app
        .tree
        .text(language(request.headers()), "failure-desktop");
    let body = json!({
        "error": "desktop",
        "message": message,
        "server": app.tree.version,
        "desktop": range.to_string(),
    });
    // The status has to name what to upgrade to.
    let upgrade = [(UPGRADE, "crm-desktop")];
    (StatusCode::UPGRADE_REQUIRED, upgrade, Json(body)).into_response()
}
