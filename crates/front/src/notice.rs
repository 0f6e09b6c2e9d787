//! What a visitor is told when a request is not let through: a page for people, JSON for programs.

use std::time::Duration;

use askama::Template;
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, EXPECT, RETRY_AFTER,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use obnova_text::{Lang, Text};
use serde::Serialize;

use crate::body::Body;
use crate::gate::Refusal;

/// Seconds after which a visitor should ask again; the page does so by itself.
const RETRY_SECONDS: u32 = 5;
/// A body that nobody will read is read and thrown away up to here, so that the client is through with sending and reads the answer.
const DRAIN_BYTES: usize = 1 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(1);
/// The page is one file without a script, and nothing of the application's belongs to it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// Why a request gets no answer from the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The application is not up yet, or the front does not know where it is.
    Starting,
    /// An update to this version is running.
    Updating(String),
    /// The application should serve and does not answer.
    Unreachable,
}

/// What of a request decides how its notice looks.
pub(crate) struct Visitor {
    is_browser: bool,
    lang: Lang,
    /// Asking again by reloading the page does no harm.
    may_reload: bool,
    /// It sends its body only when told to.
    pub(crate) expects_continue: bool,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct Page<'a> {
    lang: &'a str,
    title: &'a str,
    heading: &'a str,
    text: &'a str,
    hint: &'a str,
    reload: Option<u32>,
}

#[derive(Serialize)]
struct Json<'a> {
    error: &'a str,
    message: &'a str,
    retry_after: u32,
}

impl From<Refusal> for Notice {
    fn from(refusal: Refusal) -> Notice {
        match refusal {
            Refusal::Starting => Notice::Starting,
            Refusal::Updating(to) => Notice::Updating(to),
        }
    }
}

impl Visitor {
    pub(crate) fn of(method: &Method, headers: &HeaderMap) -> Visitor {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        Visitor {
            is_browser: text(ACCEPT).is_some_and(|accept| accept.contains("text/html")),
            lang: text(ACCEPT_LANGUAGE).map_or(Lang::default(), Lang::from_accept_language),
            may_reload: method.is_safe(),
            expects_continue: headers.contains_key(EXPECT),
        }
    }
}

impl Notice {
    fn status(&self) -> StatusCode {
        match self {
            Notice::Starting | Notice::Updating(_) => StatusCode::SERVICE_UNAVAILABLE,
            Notice::Unreachable => StatusCode::BAD_GATEWAY,
        }
    }

    /// The word for programs.
    fn error(&self) -> &'static str {
        match self {
            Notice::Starting => "starting",
            Notice::Updating(_) => "updating",
            Notice::Unreachable => "unreachable",
        }
    }

    fn heading(&self, texts: &Text, name: Option<&str>) -> String {
        let key = format!("front-{}-heading", self.error());
        match name {
            Some(name) => texts.with(&key, &[("name", name)]),
            None => texts.get(&format!("{key}-nameless")),
        }
    }

    fn text(&self, texts: &Text) -> String {
        let key = format!("front-{}-text", self.error());
        match self {
            Notice::Updating(version) => texts.with(&key, &[("version", version)]),
            Notice::Starting | Notice::Unreachable => texts.get(&key),
        }
    }

    /// What the visitor should do. Only a request that was not to change anything is repeated by reloading.
    fn hint(&self, visitor: &Visitor) -> &'static str {
        match self {
            _ if visitor.may_reload => "front-reloads",
            Notice::Starting | Notice::Updating(_) => "front-not-sent",
            Notice::Unreachable => "front-maybe-sent",
        }
    }
}

/// The notice as this visitor can read it.
pub(crate) fn answer(notice: &Notice, visitor: &Visitor, name: Option<&str>) -> Response<Body> {
    let texts = Text::of(visitor.lang);
    let heading = notice.heading(texts, name);
    let text = notice.text(texts);
    let hint = texts.get(notice.hint(visitor));
    let page = Page {
        lang: visitor.lang.tag(),
        title: name.unwrap_or(&heading),
        heading: &heading,
        text: &text,
        hint: &hint,
        reload: visitor.may_reload.then_some(RETRY_SECONDS),
    };
    let (kind, body) = match visitor.is_browser.then(|| page.render()) {
        Some(Ok(page)) => ("text/html; charset=utf-8", page),
        _ => ("application/json", json(notice, &heading)),
    };
    let mut response = Response::new(Body::own(body));
    *response.status_mut() = notice.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
    headers.insert(
        CONTENT_LANGUAGE,
        HeaderValue::from_static(visitor.lang.tag()),
    );
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

fn json(notice: &Notice, message: &str) -> String {
    let json = Json {
        error: notice.error(),
        message,
        retry_after: RETRY_SECONDS,
    };
    // Text and numbers always have a form in JSON.
    serde_json::to_string(&json).unwrap_or_default()
}

/// Reads what a client is sending, within limits, and throws it away; a client that waits to be asked for it is not asked.
pub(crate) async fn drain(expects_continue: bool, mut body: Incoming) {
    if expects_continue {
        return;
    }
    let read = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(less) => left = less,
                None => return,
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIME, read).await;
}
