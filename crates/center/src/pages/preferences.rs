//! Language and theme, for this browser; the language also for the user who is signed in.

use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use obnova_text::Lang;

use crate::app::Centre;
use crate::error::Failure;
use crate::form::Open;
use crate::page::{LANG_COOKIE, THEME_COOKIE};
use crate::session::Session;
use crate::visitor::Visitor;

/// How long a browser keeps what it is to remember, in seconds.
pub const YEAR: u64 = 365 * 24 * 60 * 60;

/// `POST /preferences`
pub async fn save(
    State(centre): State<Centre>,
    visitor: Visitor,
    session: Option<Extension<Session>>,
    Open(fields): Open,
) -> Result<Response, Failure> {
    let mut cookies = Vec::new();
    if let Ok(lang) = fields.text("lang").parse::<Lang>() {
        cookies.push(visitor.cookie(LANG_COOKIE, lang.tag(), YEAR)?);
        if let Some(Extension(session)) = session
            && session.confirms(fields.raw(crate::form::TOKEN_FIELD))
        {
            centre.store().set_user_language(session.user, lang).await?;
        }
    }
    if let Some(theme) = ["auto", "light", "dark"]
        .into_iter()
        .find(|theme| *theme == fields.text("theme"))
    {
        cookies.push(visitor.cookie(THEME_COOKIE, theme, YEAR)?);
    }
    let cookies = AppendHeaders(cookies.into_iter().map(|value| (header::SET_COOKIE, value)));
    Ok((
        cookies,
        Redirect::to(local(fields.text("back")).unwrap_or("/")),
    )
        .into_response())
}

/// The place to go back to, if it is one of ours: a link cannot lead through here to another site.
pub fn local(place: &str) -> Option<&str> {
    let ours = place.starts_with('/')
        && !place.starts_with("//")
        && !place.contains(['\\', '\r', '\n', '\t'])
        && !place.chars().any(char::is_control);
    ours.then_some(place)
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn only_places_of_ours_are_gone_back_to() {
        assert_eq!(local("/users?page=2"), Some("/users?page=2"));
        for place in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "",
            "/a\r\nb",
        ] {
            assert_eq!(local(place), None, "{place:?}");
        }
    }
}
