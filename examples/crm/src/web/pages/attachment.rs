//! Attachments of a contact: upload, download, deletion.

use anyhow::{Context, anyhow};
use axum::extract::multipart::Multipart;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};

use crate::database::{Record, rows, statement};
use crate::letters::{inside, safe_name};
use crate::web::App;
use crate::web::failure::Failure;

/// Most bytes of one upload.
pub const LARGEST_UPLOAD: usize = 10 << 20;

/// `GET /attachments/12/file`; text is shown, anything else is saved and never run as part of this site.
pub async fn download(State(app): State<App>, Path(id): Path<i64>) -> Result<Response, Failure> {
    let attachment = existing(&app, id).await?;
    let path = inside(&app.files, text(&attachment, "path"))?;
    let content = tokio::fs::read(&path)
        .await
        .with_context(|| format!("{} cannot be read", path.display()))?;
    let (kind, way) = if path.extension().is_some_and(|extension| extension == "txt") {
        ("text/plain; charset=utf-8", "inline")
    } else {
        ("application/octet-stream", "attachment")
    };
    let headers = [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, way)];
    Ok((headers, content).into_response())
}

/// `POST /contacts/7/attachments`: the file that a form sends.
pub async fn upload(
    State(app): State<App>,
    Path(contact): Path<i64>,
    mut form: Multipart,
) -> Result<Response, Failure> {
    while let Some(part) = form.next_field().await.map_err(|_| Failure::Malformed)? {
        let Some(name) = part.file_name().map(safe_name) else {
            continue;
        };
        let content = part.bytes().await.map_err(|_| Failure::Malformed)?;
        if content.is_empty() {
            continue;
        }
        let layout = &app.tree.settings.attachments;
        layout
            .store(&app.database, &app.files, contact, &name, &content)
            .await?;
    }
    Ok(Redirect::to(&format!("/contacts/{contact}")).into_response())
}

/// `POST /attachments/12/delete`: the row, then the file; a file without a row is seen by nobody.
pub async fn delete(State(app): State<App>, Path(id): Path<i64>) -> Result<Response, Failure> {
    let attachment = existing(&app, id).await?;
    let sql = "DELETE FROM attachment WHERE id = $1".to_owned();
    statement(sql, &[id.into()])
        .execute(&app.database.write)
        .await
        .map_err(|error| anyhow!(error))?;
    let path = inside(&app.files, text(&attachment, "path"))?;
    tokio::fs::remove_file(&path)
        .await
        .with_context(|| format!("{} cannot be deleted", path.display()))?;
    let contact = &attachment["contact_id"];
    Ok(Redirect::to(&format!("/contacts/{contact}")).into_response())
}

async fn existing(app: &App, id: i64) -> Result<Record, Failure> {
    let sql = "SELECT contact_id, path FROM attachment WHERE id = $1".to_owned();
    let found = rows(&app.database.read, sql, &[id.into()]).await?;
    found.into_iter().next().ok_or(Failure::Missing)
}

fn text<'a>(attachment: &'a Record, name: &str) -> &'a str {
    attachment[name].as_str().unwrap_or_default()
}
