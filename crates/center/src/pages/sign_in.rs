//! Signing in and out.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use obnova_text::Text;
use serde::Deserialize;

use super::preferences::local;
use crate::app::Centre;
use crate::attempt::{Attempt, Device, WINDOW};
use crate::auth;
use crate::error::Failure;
use crate::form::{Open, Posted};
use crate::page::{Page, html};
use crate::session;
use crate::store::audit::STRANGER;
use crate::visitor::Visitor;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    page: Page,
    t: &'static Text,
    next: String,
    email: String,
    error: Option<String>,
}

/// Where to go after signing in.
#[derive(Deserialize)]
pub struct Next {
    next: Option<String>,
}

/// `GET /sign-in`
pub async fn show(
    page: Page,
    State(centre): State<Centre>,
    Query(query): Query<Next>,
) -> Result<Response, Failure> {
    let next = query.next.as_deref().and_then(local).unwrap_or("/updates");
    if page.session.is_some() {
        return Ok(Redirect::to(next).into_response());
    }
    if centre.store().administrator_count().await? == 0 {
        return Ok(Redirect::to("/setup").into_response());
    }
    html(&SignIn {
        t: page.t(),
        next: next.to_owned(),
        email: String::new(),
        error: None,
        page,
    })
}

/// `POST /sign-in`
pub async fn sign_in(
    page: Page,
    State(centre): State<Centre>,
    visitor: Visitor,
    headers: HeaderMap,
    Open(fields): Open,
) -> Result<Response, Failure> {
    let email = fields.text("email").to_owned();
    let next = local(fields.text("next")).unwrap_or("/updates").to_owned();
    let t = page.t();
    let old_session = page.session.clone();
    let refuse = |status, error| {
        let page = SignIn {
            t,
            next: next.clone(),
            email: email.clone(),
            error: Some(error),
            page,
        };
        Ok((status, html(&page)?).into_response())
    };
    let store = centre.store();
    let (user, hash) = match store.user_by_email(&email).await? {
        Some((user, hash)) => (Some(user), hash),
        None => (None, None),
    };
    let told = Device::told(&headers, visitor);
    let known = match (&told, &user) {
        (Some(device), Some(user)) if device.is_of(store, user.id).await? => Some(device),
        _ => None,
    };
    // What was typed and is nobody's address may be a password in the wrong field: it is not written anywhere.
    let actor = user
        .as_ref()
        .map_or(STRANGER, |user| &user.email)
        .to_owned();
    let address = visitor.address.to_string();
    let Some(attempt) = Attempt::begin(store, &email, visitor, known).await? else {
        tracing::warn!(%address, "a sign-in from {address} has to wait: too many have failed");
        store
            .audit_stranger(&actor, "sign-in-refused", &address)
            .await?;
        return refuse(StatusCode::TOO_MANY_REQUESTS, wait(t));
    };
    let right = auth::verify(fields.raw("password").to_owned(), hash).await?;
    let user = match user {
        Some(user) if right && user.active && store.is_administrator(user.id).await? => user,
        _ => {
            tracing::info!(%address, "a sign-in from {address} failed");
            store
                .audit_stranger(&actor, "sign-in-failed", &address)
                .await?;
            return refuse(StatusCode::UNAUTHORIZED, t.get("sign-in-wrong"));
        }
    };
    attempt.succeed(store).await?;
    if let Some(old) = old_session {
        old.end(store).await?;
    }
    let session = session::begin(store, visitor, &user).await?;
    let device = Device::remember(told, store, visitor, user.id).await?;
    store.audit(&user.email, "signed-in", &address).await?;
    let cookies = AppendHeaders([(header::SET_COOKIE, session), (header::SET_COOKIE, device)]);
    Ok((cookies, Redirect::to(&next)).into_response())
}

fn wait(t: &Text) -> String {
    let minutes = (WINDOW.as_secs() / 60).to_string();
    t.with("sign-in-wait", &[("minutes", &minutes)])
}

/// `POST /sign-out`
pub async fn sign_out(
    State(centre): State<Centre>,
    visitor: Visitor,
    posted: Posted,
) -> Result<Response, Failure> {
    posted.session.end(centre.store()).await?;
    centre
        .store()
        .audit(&posted.session.email, "signed-out", "")
        .await?;
    Ok((
        [(header::SET_COOKIE, session::no_cookie(visitor)?)],
        Redirect::to("/sign-in"),
    )
        .into_response())
}
