//! Who is signed in: a random token in a cookie, its hash in the database.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use obnova_text::Lang;
use sha2::{Digest, Sha256};

use crate::app::Centre;
use crate::error::Failure;
use crate::page::{cookie, is_fragment};
use crate::store::Store;
use crate::store::users::{User, UserId};
use crate::visitor::Visitor;

/// A session ends this long after it began.
const LASTS: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// A session ends this long after its last request.
const IDLE: Duration = Duration::from_secs(8 * 60 * 60);

/// Somebody who is signed in, and an administrator.
#[derive(Clone)]
pub struct Session {
    /// The user's number.
    pub user: UserId,
    /// The user's name.
    pub name: String,
    /// The user's address: the actor in journal and audit log.
    pub email: String,
    /// The user's language.
    pub lang: Lang,
    /// The token that every form of this session carries.
    pub csrf: String,
    token_hash: Vec<u8>,
}

impl Session {
    /// Whether this is the session's token against forged forms.
    pub fn confirms(&self, token: &str) -> bool {
        // Digests are compared, so the time taken says nothing about the token.
        Sha256::digest(token) == Sha256::digest(&self.csrf)
    }

    /// Ends it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn end(&self, store: &Store) -> Result<(), Failure> {
        Ok(store.end_session(&self.token_hash).await?)
    }
}

/// Begins a session with a new token; returns the cookie to set.
///
/// # Errors
/// The database failed.
pub async fn begin(store: &Store, visitor: Visitor, user: &User) -> Result<HeaderValue, Failure> {
    let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    store
        .add_session(&Sha256::digest(&token), user.id, LASTS)
        .await?;
    visitor.cookie(cookie_name(visitor), &token, LASTS.as_secs())
}

/// The cookie that takes the session's token away from the browser.
///
/// # Errors
/// Never in practice.
pub fn no_cookie(visitor: Visitor) -> Result<HeaderValue, Failure> {
    visitor.cookie(cookie_name(visitor), "", 0)
}

/// With the prefix a browser takes the cookie from this host over HTTPS only, never from a neighbour.
fn cookie_name(visitor: Visitor) -> &'static str {
    match visitor.is_secure {
        true => "__Host-obnova_session",
        false => "obnova_session",
    }
}

/// Finds the session of the request, if it has one, for all that come after.
pub async fn recognise(
    State(centre): State<Centre>,
    visitor: Visitor,
    mut request: Request,
    next: Next,
) -> Response {
    match find(centre.store(), visitor, request.headers()).await {
        Ok(Some(session)) => {
            request.extensions_mut().insert(session);
        }
        Ok(None) => {}
        Err(failure) => return failure.into_response(),
    }
    next.run(request).await
}

async fn find(
    store: &Store,
    visitor: Visitor,
    headers: &HeaderMap,
) -> Result<Option<Session>, Failure> {
    let Some(token) = cookie(headers, cookie_name(visitor)).filter(|token| !token.is_empty())
    else {
        return Ok(None);
    };
    let token_hash = Sha256::digest(token).to_vec();
    let Some(found) = store.session(&token_hash).await? else {
        return Ok(None);
    };
    let idle = Timestamp::now()
        .duration_since(found.last_seen)
        .unsigned_abs();
    if !found.is_administrator || idle > IDLE {
        store.end_session(&token_hash).await?;
        return Ok(None);
    }
    let csrf = URL_SAFE_NO_PAD.encode(Sha256::digest(format!("obnova form token\0{token}")));
    Ok(Some(Session {
        user: found.user.id,
        name: found.user.name,
        email: found.user.email,
        lang: found.user.language,
        csrf,
        token_hash,
    }))
}

/// Lets only those through who are signed in; others are led to the sign-in, and back afterwards.
pub async fn required(State(centre): State<Centre>, request: Request, next: Next) -> Response {
    if request.extensions().get::<Session>().is_some() {
        return next.run(request).await;
    }
    let is_first_run = matches!(centre.store().administrator_count().await, Ok(0));
    let place = match request.uri().path_and_query() {
        _ if is_first_run => "/setup".to_owned(),
        Some(path)
            if request.method() == axum::http::Method::GET && !is_fragment(request.headers()) =>
        {
            let next: String =
                url::form_urlencoded::byte_serialize(path.as_str().as_bytes()).collect();
            format!("/sign-in?next={next}")
        }
        _ => "/sign-in".to_owned(),
    };
    if is_fragment(request.headers()) {
        // htmx follows this one with the whole page; a redirect it would put into the fragment's place.
        return (StatusCode::UNAUTHORIZED, [("hx-redirect", place)]).into_response();
    }
    if wants_stream(request.headers()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    Redirect::to(&place).into_response()
}

fn wants_stream(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .is_some_and(|accept| accept.as_bytes().starts_with(b"text/event-stream"))
}
