//! Groups of users.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use obnova_text::Text;

use super::faults::fault_key;
use crate::app::Centre;
use crate::error::Failure;
use crate::form::Posted;
use crate::page::{Page, html};
use crate::store::StoreError;
use crate::store::groups::{Group, GroupId};

#[derive(Template)]
#[template(path = "groups.html")]
struct GroupsPage {
    page: Page,
    t: &'static Text,
    groups: Vec<Group>,
    /// Groups that get the mails about updates on the server.
    notified: Vec<String>,
    error: Option<String>,
}

/// `GET /groups`
pub async fn list(page: Page, State(centre): State<Centre>) -> Result<Response, Failure> {
    show(page, &centre, None).await
}

/// `POST /groups`
pub async fn add(
    page: Page,
    State(centre): State<Centre>,
    posted: Posted,
) -> Result<Response, Failure> {
    let name = posted.fields.text("name");
    let result = centre.store().add_group(name).await.map(drop);
    finish(page, &centre, &posted, result, "group-added", name).await
}

/// `POST /groups/{id}`
pub async fn rename(
    page: Page,
    State(centre): State<Centre>,
    Path(id): Path<GroupId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let name = posted.fields.text("name");
    let result = centre.store().rename_group(id, name).await;
    finish(page, &centre, &posted, result, "group-renamed", name).await
}

/// `POST /groups/{id}/remove`
pub async fn remove(
    page: Page,
    State(centre): State<Centre>,
    Path(id): Path<GroupId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let groups = centre.store().groups().await?;
    let group = groups
        .into_iter()
        .find(|group| group.id == id)
        .ok_or(Failure::NotFound)?;
    let result = centre.store().delete_group(id).await;
    finish(
        page,
        &centre,
        &posted,
        result,
        "group-removed",
        &group.identifier,
    )
    .await
}

async fn finish(
    page: Page,
    centre: &Centre,
    posted: &Posted,
    result: Result<(), StoreError>,
    action: &str,
    detail: &str,
) -> Result<Response, Failure> {
    match result {
        Ok(()) => {
            centre
                .store()
                .audit(&posted.session.email, action, detail)
                .await?;
            Ok(Redirect::to(&format!("/groups?done={action}")).into_response())
        }
        Err(error) => match fault_key(&error) {
            None => Err(error.into()),
            Some(key) => {
                let error = page.t().get(key);
                let answer = show(page, centre, Some(error)).await?;
                Ok((StatusCode::UNPROCESSABLE_ENTITY, answer).into_response())
            }
        },
    }
}

async fn show(page: Page, centre: &Centre, error: Option<String>) -> Result<Response, Failure> {
    let groups = centre.store().groups().await?;
    let notified = centre.store().settings().await?.notify_groups;
    html(&GroupsPage {
        t: page.t(),
        groups,
        notified,
        error,
        page,
    })
}
