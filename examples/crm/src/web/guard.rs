//! What protects visitors: requests that change something must come from this site, and answers say how they may be used.

use axum::extract::Request;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::failure::Failure;

/// Refuses changes that another site's page asks a visitor's browser for. Programs send neither header and may pass:
/// nobody's browser can be tricked into that.
pub async fn same_origin(request: Request, next: Next) -> Response {
    if request.method().is_safe() || is_own(request.headers()) {
        next.run(request).await
    } else {
        Failure::Foreign.into_response()
    }
}

fn is_own(headers: &HeaderMap) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = header(ORIGIN.as_str()) else {
        return true;
    };
    let Some((_, origin_host)) = origin.split_once("://") else {
        return false;
    };
    // Behind a proxy the browser's host is in the forwarded header, which a foreign page cannot set.
    let hosts = [header(HOST.as_str()), header("x-forwarded-host")];
    hosts.into_iter().flatten().any(|host| host == origin_host)
}

/// Adds the headers that narrow down what a browser does with an answer.
pub async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        is_own(&headers)
    }

    #[test]
    fn a_form_on_another_site_is_refused() {
        assert!(!own(&[
            ("sec-fetch-site", "cross-site"),
            ("host", "crm.example")
        ]));
        assert!(!own(&[
            ("origin", "https://evil.example"),
            ("host", "crm.example")
        ]));
        assert!(!own(&[("origin", "null"), ("host", "crm.example")]));
    }

    #[test]
    fn own_pages_and_programs_may_write() {
        assert!(own(&[("sec-fetch-site", "same-origin")]));
        assert!(own(&[
            ("origin", "https://crm.example"),
            ("host", "crm.example")
        ]));
        assert!(own(&[("host", "crm.example")]));
    }
}
