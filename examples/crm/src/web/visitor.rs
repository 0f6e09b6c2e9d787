//! Who asks: the language, and what every page of theirs shows.

use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT_LANGUAGE, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use minijinja::context;
use minijinja::value::Value;

use super::App;
use super::failure::Failure;
use crate::report::today;
use crate::tree::LANGUAGES;

/// One request's visitor.
pub struct Visitor {
    /// The application.
    pub app: App,
    /// Their language.
    pub language: &'static str,
    /// The path they asked for.
    pub path: String,
}

impl Visitor {
    /// Renders a page.
    pub fn page(&self, template: &str, own: Value) -> Result<Response, Failure> {
        self.page_with(StatusCode::OK, template, own)
    }

    /// Renders a page with a status.
    pub fn page_with(
        &self,
        status: StatusCode,
        template: &str,
        own: Value,
    ) -> Result<Response, Failure> {
        let tree = &self.app.tree;
        let common = context! {
            version => tree.version,
            language => self.language,
            section => self.section(),
            navigation => tree.navigation(),
            today => today().to_string(),
        };
        let html = tree.render(self.language, template, context! { ..own, ..common })?;
        Ok((status, Html(html)).into_response())
    }

    /// The first part of the path, which is an entry of the navigation: `/contacts` of `/contacts/12`.
    fn section(&self) -> String {
        let first = self.path.split('/').nth(1).unwrap_or_default();
        format!("/{first}")
    }

    /// A text in the visitor's language.
    pub fn text(&self, key: &str) -> String {
        self.app.tree.text(self.language, key)
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Self {
            app: app.clone(),
            language: language(&parts.headers),
            path: parts.uri.path().to_owned(),
        })
    }
}

/// The language chosen on the page, else the browser's first one that there is.
pub fn language(headers: &HeaderMap) -> &'static str {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let cookies = header(COOKIE).unwrap_or_default().split(';');
    let chosen = cookies
        .filter_map(|cookie| cookie.trim().strip_prefix("language="))
        .find_map(known);
    chosen
        .or_else(|| preferred(header(ACCEPT_LANGUAGE).unwrap_or_default()))
        .unwrap_or(LANGUAGES[0])
}

/// The known language of an `Accept-Language` header with the greatest weight.
fn preferred(header: &str) -> Option<&'static str> {
    let mut best: Option<(&'static str, f32)> = None;
    for entry in header.split(',') {
        let mut parts = entry.trim().split(";q=");
        let tag = parts.next().unwrap_or_default();
        let weight = parts
            .next()
            .and_then(|q| q.trim().parse().ok())
            .unwrap_or(1.0);
        let primary = tag.split('-').next().unwrap_or_default();
        if let Some(language) = known(&primary.to_lowercase())
            && best.is_none_or(|(_, heaviest)| weight > heaviest)
            && weight > 0.0
        {
            best = Some((language, weight));
        }
    }
    best.map(|(language, _)| language)
}

/// One of the tree's languages by its tag.
pub fn known(tag: &str) -> Option<&'static str> {
    LANGUAGES.into_iter().find(|language| *language == tag)
}

#[cfg(test)]
mod tests {
    use super::preferred;

    #[test]
    fn the_heaviest_known_language_is_chosen() {
        assert_eq!(preferred("de, en-GB;q=0.8, cs;q=0.9"), Some("cs"));
        assert_eq!(preferred("en-US,en;q=0.5"), Some("en"));
        assert_eq!(preferred("de, fr"), None);
    }
}
