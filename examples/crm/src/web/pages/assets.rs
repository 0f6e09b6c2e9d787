//! Files of the tree's `static/`.

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use crate::letters::inside;
use crate::web::App;
use crate::web::failure::Failure;

/// `GET /static/crm.css?v=1.1.0`; the version in the address lets browsers keep it.
pub async fn asset(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Failure> {
    let kind = match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => return Err(Failure::Missing),
    };
    let path = inside(&app.tree.path.join("static"), &name).map_err(|_| Failure::Missing)?;
    let content = tokio::fs::read(path).await.map_err(|_| Failure::Missing)?;
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "public, max-age=86400"),
    ];
    Ok((headers, content).into_response())
}
