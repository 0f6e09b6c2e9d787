//! The description of every address here, for programs that test it; see `cargo xtask schemathesis`. It is kept by hand in
//! `openapi.json`, and a test compares it with the routes.

use axum::http::{HeaderName, header};

/// `GET /openapi.json`
pub async fn show() -> ([(HeaderName, &'static str); 1], &'static str) {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, include_str!("../openapi.json"))
}
