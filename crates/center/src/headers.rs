//! Headers of every answer: what a browser may do with a page of ours, and that nobody keeps a copy of it.

use axum::Extension;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::visitor::Visitor;

/// No script, style, image or connection but our own, none written inside a page, and no page of ours inside another's.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'";

const ALWAYS: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Browsers stay with HTTPS for a year.
const ONLY_HTTPS: &str = "max-age=31536000";

/// Adds the headers; to whoever comes over HTTPS, also the one that keeps browsers there. A handler that has set one itself (the
/// mail preview's stricter policy) keeps its own.
pub async fn secure(visitor: Extension<Visitor>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        absent(headers, name, value);
    }
    absent(headers, "content-security-policy", POLICY);
    absent(headers, "cache-control", "no-store");
    if visitor.is_secure {
        absent(headers, "strict-transport-security", ONLY_HTTPS);
    }
    response
}

fn absent(headers: &mut HeaderMap, name: &'static str, value: &'static str) {
    let name = HeaderName::from_static(name);
    if !headers.contains_key(&name) {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Refuses a change that another site's page asks for. Browsers say where a request comes from; a program that says nothing is
/// no browser, holds nobody's cookies by accident, and is let through (its form still needs the session's token).
pub async fn same_site(request: Request, next: Next) -> Response {
    if is_safe(request.method()) || comes_from_here(request.headers()) {
        next.run(request).await
    } else {
        StatusCode::FORBIDDEN.into_response()
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn comes_from_here(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return matches!(site, "same-origin" | "none");
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => origin
            .split_once("://")
            .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host)),
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn another_sites_page_is_told_apart() {
        assert!(comes_from_here(&with(&[("sec-fetch-site", "same-origin")])));
        assert!(!comes_from_here(&with(&[("sec-fetch-site", "cross-site")])));
        assert!(!comes_from_here(&with(&[("sec-fetch-site", "same-site")])));
        assert!(comes_from_here(&with(&[
            ("origin", "http://a:1"),
            ("host", "a:1")
        ])));
        assert!(!comes_from_here(&with(&[
            ("origin", "http://b"),
            ("host", "a")
        ])));
        assert!(!comes_from_here(&with(&[
            ("origin", "null"),
            ("host", "a")
        ])));
        assert!(comes_from_here(&with(&[("host", "a")])));
    }
}
