//! One user: added, changed, given a password, removed.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use obnova_text::{Lang, Text};

use super::faults::{fault_key, password_fault};
use crate::app::Centre;
use crate::auth;
use crate::error::Failure;
use crate::form::{Fields, Posted};
use crate::page::{Page, html};
use crate::store::StoreError;
use crate::store::groups::GroupId;
use crate::store::users::{Source, User, UserData, UserId};

#[derive(Template)]
#[template(path = "user.html")]
struct UserPage {
    page: Page,
    t: &'static Text,
    user: Option<User>,
    name: String,
    email: String,
    language: Lang,
    active: bool,
    groups: Vec<Choice>,
    error: Option<String>,
    is_self: bool,
    is_imported: bool,
}

/// A group that can be ticked.
struct Choice {
    id: GroupId,
    name: String,
    ticked: bool,
}

#[derive(Template)]
#[template(path = "user_remove.html")]
struct RemovePage {
    page: Page,
    t: &'static Text,
    user: User,
}

/// `GET /users/new`
pub async fn new(page: Page, State(centre): State<Centre>) -> Result<Response, Failure> {
    let mut fields = Fields::default();
    fields.set(
        "language",
        centre.store().settings().await?.default_language.tag(),
    );
    form(page, &centre, None, &fields, None).await
}

/// `POST /users`
pub async fn add(
    page: Page,
    State(centre): State<Centre>,
    posted: Posted,
) -> Result<Response, Failure> {
    let fields = &posted.fields;
    let has_password = !fields.raw("password").is_empty();
    if has_password && let Some(key) = password_fault(fields) {
        return refuse(page, &centre, None, fields, key).await;
    }
    let store = centre.store();
    let id = match store.add_user(&data(fields)).await {
        Ok(id) => id,
        Err(error) => return fault(page, &centre, None, fields, error).await,
    };
    if has_password {
        let hash = auth::hash(fields.raw("password").to_owned()).await?;
        store.set_password_hash(id, Some(&hash)).await?;
    }
    store.set_groups_of(id, &group_ids(fields)).await?;
    store
        .audit(&posted.session.email, "user-added", fields.text("email"))
        .await?;
    Ok(Redirect::to("/users?done=user-added").into_response())
}

/// `GET /users/{id}`
pub async fn edit(
    page: Page,
    State(centre): State<Centre>,
    Path(id): Path<UserId>,
) -> Result<Response, Failure> {
    let user = find(&centre, id).await?;
    let fields = filled(&centre, &user).await?;
    form(page, &centre, Some(user), &fields, None).await
}

/// `POST /users/{id}`
pub async fn change(
    page: Page,
    State(centre): State<Centre>,
    Path(id): Path<UserId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let user = find(&centre, id).await?;
    let fields = &posted.fields;
    let store = centre.store();
    let changed = async {
        let data = data(fields);
        if (&data.name, &data.email, data.language) != (&user.name, &user.email, user.language) {
            store.change_user(id, &data).await?;
        }
        store.set_groups_of(id, &group_ids(fields)).await?;
        store.set_user_active(id, fields.ticked("active")).await
    };
    if let Err(error) = changed.await {
        return fault(page, &centre, Some(user), fields, error).await;
    }
    store
        .audit(&posted.session.email, "user-changed", &user.email)
        .await?;
    Ok(Redirect::to("/users?done=user-changed").into_response())
}

/// `POST /users/{id}/password`
pub async fn set_password(
    page: Page,
    State(centre): State<Centre>,
    Path(id): Path<UserId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let user = find(&centre, id).await?;
    let fields = &posted.fields;
    if let Some(key) = password_fault(fields) {
        let filled = filled(&centre, &user).await?;
        return refuse(page, &centre, Some(user), &filled, key).await;
    }
    let hash = auth::hash(fields.raw("password").to_owned()).await?;
    centre.store().set_password_hash(id, Some(&hash)).await?;
    centre
        .store()
        .audit(&posted.session.email, "password-set", &user.email)
        .await?;
    let place = match id == posted.session.user {
        true => "/sign-in".to_owned(),
        false => format!("/users/{id}?done=password-set"),
    };
    Ok(Redirect::to(&place).into_response())
}

/// `GET /users/{id}/remove`
pub async fn confirm_removal(
    page: Page,
    State(centre): State<Centre>,
    Path(id): Path<UserId>,
) -> Result<Response, Failure> {
    let user = find(&centre, id).await?;
    html(&RemovePage {
        t: page.t(),
        user,
        page,
    })
}

/// `POST /users/{id}/remove`
pub async fn remove(
    page: Page,
    State(centre): State<Centre>,
    Path(id): Path<UserId>,
    posted: Posted,
) -> Result<Response, Failure> {
    let user = find(&centre, id).await?;
    match centre.store().delete_user(id).await {
        Ok(()) => {
            centre
                .store()
                .audit(&posted.session.email, "user-removed", &user.email)
                .await?;
            Ok(Redirect::to("/users?done=user-removed").into_response())
        }
        Err(error) => match fault_key(&error) {
            None => Err(error.into()),
            Some(key) => {
                let fields = filled(&centre, &user).await?;
                refuse(page, &centre, Some(user), &fields, key).await
            }
        },
    }
}

async fn find(centre: &Centre, id: UserId) -> Result<User, Failure> {
    centre.store().user(id).await?.ok_or(Failure::NotFound)
}

/// The form as the user stands.
async fn filled(centre: &Centre, user: &User) -> Result<Fields, Failure> {
    let mut fields = Fields::default();
    fields.set("name", &user.name);
    fields.set("email", &user.email);
    fields.set("language", user.language.tag());
    if user.active {
        fields.set("active", "yes");
    }
    for group in centre.store().groups_of(user.id).await? {
        fields.set("groups", &group.to_string());
    }
    Ok(fields)
}

fn data(fields: &Fields) -> UserData {
    UserData {
        name: fields.text("name").to_owned(),
        email: fields.text("email").to_owned(),
        language: fields.text("language").parse().unwrap_or_default(),
    }
}

fn group_ids(fields: &Fields) -> Vec<GroupId> {
    fields
        .all("groups")
        .iter()
        .filter_map(|id| id.parse().ok())
        .collect()
}

async fn fault(
    page: Page,
    centre: &Centre,
    user: Option<User>,
    fields: &Fields,
    error: StoreError,
) -> Result<Response, Failure> {
    match fault_key(&error) {
        Some(key) => refuse(page, centre, user, fields, key).await,
        None => Err(error.into()),
    }
}

async fn refuse(
    page: Page,
    centre: &Centre,
    user: Option<User>,
    fields: &Fields,
    key: &str,
) -> Result<Response, Failure> {
    let error = page.t().get(key);
    let answer = form(page, centre, user, fields, Some(error)).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, answer).into_response())
}

async fn form(
    page: Page,
    centre: &Centre,
    user: Option<User>,
    fields: &Fields,
    error: Option<String>,
) -> Result<Response, Failure> {
    let ticked = group_ids(fields);
    let groups = centre.store().groups().await?;
    let groups = groups
        .into_iter()
        .filter(|group| !group.is_everyone())
        .map(|group| Choice {
            id: group.id,
            ticked: ticked.contains(&group.id),
            name: group.identifier,
        })
        .collect();
    let me = page.session.as_ref().map(|session| session.user);
    html(&UserPage {
        t: page.t(),
        name: fields.text("name").to_owned(),
        email: fields.text("email").to_owned(),
        language: fields.text("language").parse().unwrap_or_default(),
        active: fields.ticked("active"),
        groups,
        error,
        is_self: user.as_ref().is_some_and(|user| Some(user.id) == me),
        is_imported: user
            .as_ref()
            .is_some_and(|user| user.source == Source::Import),
        user,
        page,
    })
}
