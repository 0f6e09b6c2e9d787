//! A form that was sent: its fields, read only after its token against forgery was compared with the session's.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};

use crate::app::Centre;
use crate::error::Failure;
use crate::session::Session;

/// The name of the field with the token.
pub const TOKEN_FIELD: &str = "_csrf";

/// The largest form without files, bytes.
const MAX_FORM: usize = 1 << 20;

/// The fields of a form, in order.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a form that is not too large.
    async fn read(mut request: Request) -> Result<Fields, Failure> {
        DefaultBodyLimit::max(MAX_FORM).apply(&mut request);
        match Bytes::from_request(request, &()).await {
            Ok(body) => Ok(Fields::parse(&body)),
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Failure::TooLarge),
            Err(error) => Err(Failure::Malformed(error.body_text())),
        }
    }

    /// Parses a form's body.
    pub fn parse(body: &[u8]) -> Fields {
        Fields(url::form_urlencoded::parse(body).into_owned().collect())
    }

    /// Adds a field: to fill a form that is about to be shown.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// A field without the white space around it; empty when it is missing.
    pub fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// A field exactly as typed: passwords.
    pub fn raw(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }

    /// A field that may be left empty.
    pub fn optional(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|value| !value.is_empty())
    }

    /// Every value of a field that can be there several times.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// Whether a box is ticked.
    pub fn ticked(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }
}

/// A form of somebody who is signed in; refused without the session's token.
pub struct Posted {
    /// Who sent it.
    pub session: Session,
    /// What it says.
    pub fields: Fields,
}

impl FromRequest<Centre> for Posted {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &Centre) -> Result<Posted, Failure> {
        let session = request
            .extensions()
            .get::<Session>()
            .cloned()
            .ok_or(Failure::Forbidden)?;
        let token = header_token(request.headers());
        let fields = Fields::read(request).await?;
        let token = token.unwrap_or_else(|| fields.raw(TOKEN_FIELD).to_owned());
        if session.confirms(&token) {
            Ok(Posted { session, fields })
        } else {
            Err(Failure::Forbidden)
        }
    }
}

/// The token as htmx sends it.
pub fn header_token(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("x-csrf-token")?;
    value.to_str().ok().map(str::to_owned)
}

/// A form of somebody who is not signed in: sign-in and set-up. [`crate::headers::same_site`] has seen where it comes from.
pub struct Open(pub Fields);

impl FromRequest<Centre> for Open {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &Centre) -> Result<Open, Failure> {
        let is_form = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| {
                kind.as_bytes()
                    .starts_with(b"application/x-www-form-urlencoded")
            });
        if !is_form {
            return Err(Failure::Malformed("not a form".into()));
        }
        Ok(Open(Fields::read(request).await?))
    }
}
