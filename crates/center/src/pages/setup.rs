//! The first administrator. Whoever can read the code from the server's disk may make one; once there is one, the page is gone.

use askama::Template;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use obnova_text::Text;
use sha2::{Digest, Sha256};

use super::faults::{fault_key, password_fault};
use crate::app::Centre;
use crate::attempt::{Attempt, Device};
use crate::auth;
use crate::error::Failure;
use crate::form::{Fields, Open};
use crate::page::{Page, html};
use crate::session;
use crate::store::users::UserData;
use crate::visitor::Visitor;

#[derive(Template)]
#[template(path = "setup.html")]
struct Setup {
    page: Page,
    t: &'static Text,
    code: String,
    path: String,
    name: String,
    email: String,
    error: Option<String>,
}

/// `GET /setup`
pub async fn show(page: Page, State(centre): State<Centre>) -> Result<Response, Failure> {
    needed(&centre).await?;
    form(page, &centre, &Fields::default(), None)
}

/// `POST /setup`
pub async fn create(
    page: Page,
    State(centre): State<Centre>,
    visitor: Visitor,
    Open(fields): Open,
) -> Result<Response, Failure> {
    needed(&centre).await?;
    let t = page.t();
    let refuse = |page, key: &str| {
        let answer = form(page, &centre, &fields, Some(t.get(key)))?;
        Ok((StatusCode::UNPROCESSABLE_ENTITY, answer).into_response())
    };
    let Some(attempt) = Attempt::begin(centre.store(), "(set-up)", visitor, None).await? else {
        return refuse(page, "setup-wait");
    };
    if !is_the_code(&centre, fields.text("code")) {
        return refuse(page, "setup-wrong-code");
    }
    attempt.succeed(centre.store()).await?;
    if let Some(key) = password_fault(&fields) {
        return refuse(page, key);
    }
    let data = UserData {
        name: fields.text("name").to_owned(),
        email: fields.text("email").to_owned(),
        language: page.lang,
    };
    let hash = auth::hash(fields.raw("password").to_owned()).await?;
    let store = centre.store();
    let id = match store.add_first_administrator(&data, &hash).await {
        Ok(id) => id.ok_or(Failure::NotFound)?,
        Err(error) => match fault_key(&error) {
            Some(key) => return refuse(page, key),
            None => return Err(error.into()),
        },
    };
    // Without an administrator's absence the code opens nothing any more; the file goes for tidiness.
    let _ = std::fs::remove_file(centre.setup_code());
    store.audit(&data.email, "set-up", &data.name).await?;
    let user = store.user(id).await?.ok_or(Failure::NotFound)?;
    let cookie = session::begin(store, visitor, &user).await?;
    let device = Device::remember(None, store, visitor, user.id).await?;
    let cookies = AppendHeaders([(header::SET_COOKIE, cookie), (header::SET_COOKIE, device)]);
    Ok((cookies, Redirect::to("/updates")).into_response())
}

async fn needed(centre: &Centre) -> Result<(), Failure> {
    match centre.store().administrator_count().await? {
        0 => Ok(()),
        _ => Err(Failure::NotFound),
    }
}

fn is_the_code(centre: &Centre, typed: &str) -> bool {
    let Ok(code) = std::fs::read_to_string(centre.setup_code()) else {
        return false;
    };
    let code = code.trim();
    !code.is_empty() && Sha256::digest(code) == Sha256::digest(typed.to_lowercase())
}

fn form(
    page: Page,
    centre: &Centre,
    fields: &Fields,
    error: Option<String>,
) -> Result<Response, Failure> {
    html(&Setup {
        t: page.t(),
        code: fields.text("code").to_owned(),
        path: centre.setup_code().display().to_string(),
        name: fields.text("name").to_owned(),
        email: fields.text("email").to_owned(),
        error,
        page,
    })
}
