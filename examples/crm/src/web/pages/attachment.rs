//! Downloading an attachment's file.

use anyhow::Context;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::database::rows;
use crate::letters::inside;
use crate::web::App;
use crate::web::failure::Failure;

/// `GET /attachments/12/file`; letters are plain text.
pub async fn download(State(app): State<App>, Path(id): Path<i64>) -> Result<Response, Failure> {
    let sql = "SELECT path FROM attachment WHERE id = $1".to_owned();
    let found = rows(&app.database.read, sql, &[id.into()]).await?;
    let path = found.first().and_then(|row| row["path"].as_str());
    let path = inside(&app.files, path.ok_or(Failure::Missing)?)?;
    let content = tokio::fs::read(&path)
        .await
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let kind = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((kind, content).into_response())
}
