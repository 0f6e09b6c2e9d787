//! Protected copies that are kept: how old and how large they are, and deleting one.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use obnova_engine::api::{Answer, ProtectedCopy, Request};
use obnova_text::Text;

use super::refused;
use crate::app::{Centre, unexpected};
use crate::error::Failure;
use crate::form::Posted;
use crate::page::{Page, html};

/// Sizes are asked of the database's server.
const PATIENCE: Duration = Duration::from_secs(30);
/// Deleting a large directory takes its time.
const DELETE_PATIENCE: Duration = Duration::from_secs(300);

#[derive(Template)]
#[template(path = "copies.html")]
struct Copies {
    page: Page,
    t: &'static Text,
    copies: Vec<ProtectedCopy>,
    total: String,
}

#[derive(Template)]
#[template(path = "copy_delete.html")]
struct Delete {
    page: Page,
    t: &'static Text,
    copy: ProtectedCopy,
}

/// `GET /history/copies`
pub async fn list(page: Page, State(centre): State<Centre>) -> Result<Response, Failure> {
    let copies = fetch(&centre).await?;
    let total = copies.iter().map(|copy| copy.bytes).sum();
    html(&Copies {
        t: page.t(),
        total: page.bytes(&total),
        copies,
        page,
    })
}

/// `GET /history/copies/{update}/delete`: the question.
pub async fn confirm(
    page: Page,
    State(centre): State<Centre>,
    Path(update): Path<u64>,
) -> Result<Response, Failure> {
    let copies = fetch(&centre).await?;
    let copy = copies
        .into_iter()
        .find(|copy| copy.update == update && !copy.is_last)
        .ok_or(Failure::NotFound)?;
    html(&Delete {
        t: page.t(),
        copy,
        page,
    })
}

/// `POST /history/copies/{update}/delete`
pub async fn delete(
    page: Page,
    State(centre): State<Centre>,
    Path(update): Path<u64>,
    posted: Posted,
) -> Result<Response, Failure> {
    match centre
        .ask(&Request::DeleteCopy { update }, DELETE_PATIENCE)
        .await
    {
        Ok(Answer::Copies { .. }) => {
            let detail = format!("update {update}");
            centre
                .store()
                .audit(&posted.session.email, "copy-deleted", &detail)
                .await?;
            Ok(Redirect::to("/history/copies?done=copy-deleted").into_response())
        }
        Ok(_) => Err(unexpected().into()),
        Err(problem) => refused::page(page, "copies-not-deleted", "/history/copies", &problem),
    }
}

/// All copies, newest first.
///
/// # Errors
/// The engine does not say.
pub async fn fetch(centre: &Centre) -> Result<Vec<ProtectedCopy>, Failure> {
    match centre.ask(&Request::Copies, PATIENCE).await? {
        Answer::Copies { copies } => Ok(copies),
        _ => Err(unexpected().into()),
    }
}
