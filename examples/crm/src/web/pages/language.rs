//! Choosing the language.

use axum::extract::Path;
use axum::http::HeaderMap;
use axum::http::header::{REFERER, SET_COOKIE};
use axum::response::{IntoResponse, Redirect, Response};

use crate::web::failure::Failure;
use crate::web::visitor::known;

/// `GET /language/en`: remembers it and goes back to the page it was chosen on.
pub async fn choose(Path(language): Path<String>, headers: HeaderMap) -> Result<Response, Failure> {
    let language = known(&language).ok_or(Failure::Missing)?;
    let cookie = format!("language={language}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly");
    let back = headers
        .get(REFERER)
        .and_then(|value| value.to_str().ok())
        .and_then(path);
    let back = back.unwrap_or_else(|| "/".to_owned());
    Ok(([(SET_COOKIE, cookie)], Redirect::to(&back)).into_response())
}

/// The path and query of an address, so that nobody is led to another site.
fn path(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let path = rest.find('/').map(|start| &rest[start..])?;
    (!path.starts_with("//")).then(|| path.to_owned())
}
