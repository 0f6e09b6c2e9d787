//! What every page has: its reader's language and theme, who is signed in, and what is known of the engine.

use askama::Template;
use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use obnova_engine::api::{Phase, Problem, State as EngineState};
use obnova_text::{Lang, Text};

use crate::app::Centre;
use crate::error::Failure;
use crate::session::Session;
use crate::{assets, format};

/// The name of the cookie that holds a visitor's language.
pub const LANG_COOKIE: &str = "obnova_lang";
/// The name of the cookie that holds a visitor's theme.
pub const THEME_COOKIE: &str = "obnova_theme";

/// The frame of a page. Every template has it as `page`.
pub struct Page {
    /// The reader's language.
    pub lang: Lang,
    /// `light`, `dark` or `auto`.
    pub theme: &'static str,
    /// Path and query: where to come back to after switching the language.
    pub here: String,
    /// The first part of the path, which the contents mark as current.
    pub section: String,
    /// Who is signed in.
    pub session: Option<Session>,
    /// The application's name; the product's own while the engine has never been reached.
    pub product: String,
    /// What the engine says, or why it says nothing.
    pub engine: Result<Box<EngineState>, Problem>,
    /// What was just done, as the address says after a form was sent.
    pub done: Option<String>,
}

impl Page {
    /// The texts in the reader's language.
    pub fn t(&self) -> &'static Text {
        Text::of(self.lang)
    }

    /// The address of an asset.
    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// The session's token against forged forms; empty without a session.
    pub fn csrf(&self) -> &str {
        self.session.as_ref().map_or("", |session| &session.csrf)
    }

    /// The user's name who is signed in.
    pub fn user(&self) -> &str {
        self.session.as_ref().map_or("", |session| &session.name)
    }

    /// `hx-headers` of the whole page.
    pub fn hx_headers(&self) -> String {
        serde_json::json!({ "X-CSRF-Token": self.csrf() }).to_string()
    }

    /// Whether an update is running: a dot in the contents on every page.
    pub fn updating(&self) -> bool {
        self.engine
            .as_ref()
            .is_ok_and(|state| !matches!(state.phase, Phase::Idle))
    }

    /// A moment in words.
    pub fn moment(&self, at: &Timestamp) -> String {
        format::moment(*at, self.lang)
    }

    /// A duration in words.
    pub fn took(&self, ms: &u64) -> String {
        format::took(*ms, self.lang)
    }

    /// A size in words.
    pub fn bytes(&self, count: &u64) -> String {
        format::bytes(*count, self.lang)
    }

    /// A whole number with its thousands apart.
    pub fn number(&self, count: &u64) -> String {
        format::number(*count, self.lang)
    }
}

impl FromRequestParts<Centre> for Page {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        centre: &Centre,
    ) -> Result<Page, Self::Rejection> {
        let uri = parts
            .extensions
            .get::<OriginalUri>()
            .map_or_else(|| parts.uri.clone(), |original| original.0.clone());
        let session = parts.extensions.get::<Session>().cloned();
        Ok(Page::of(centre, &uri, &parts.headers, session).await)
    }
}

impl Page {
    /// The frame for a request's address, headers and session.
    pub async fn of(
        centre: &Centre,
        uri: &Uri,
        headers: &HeaderMap,
        session: Option<Session>,
    ) -> Page {
        let lang = language(headers, session.as_ref());
        let engine = centre.state().await;
        Page {
            lang,
            theme: theme(headers),
            here: uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
            section: uri.path().split('/').nth(1).unwrap_or_default().to_owned(),
            session,
            product: centre.product(),
            engine,
            done: done(uri, lang),
        }
    }
}

/// The message for `?done=<what>`, if there is a text `done-<what>`.
fn done(uri: &Uri, lang: Lang) -> Option<String> {
    let query = uri.query()?;
    let values: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let find = |name: &str| {
        values
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_ref())
    };
    let key = format!("done-{}", find("done")?);
    let text = Text::of(lang);
    text.has(&key)
        .then(|| text.with(&key, &[("count", find("count").unwrap_or("0"))]))
}

/// The user's own language, else the one chosen in this browser, else the browser's.
fn language(headers: &HeaderMap, session: Option<&Session>) -> Lang {
    if let Some(session) = session {
        return session.lang;
    }
    if let Some(lang) = cookie(headers, LANG_COOKIE).and_then(|value| value.parse().ok()) {
        return lang;
    }
    headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .map(Lang::from_accept_language)
        .unwrap_or_default()
}

fn theme(headers: &HeaderMap) -> &'static str {
    match cookie(headers, THEME_COOKIE) {
        Some("light") => "light",
        Some("dark") => "dark",
        _ => "auto",
    }
}

/// The value of a cookie.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// A template as an answer.
///
/// # Errors
/// The template could not be rendered.
pub fn html(template: &impl Template) -> Result<Response, Failure> {
    Ok(Html(template.render()?).into_response())
}

/// Whether htmx asked, for a part of a page.
pub fn is_fragment(headers: &HeaderMap) -> bool {
    headers.contains_key("hx-request")
}
