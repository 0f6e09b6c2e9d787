//! Headers on their way through: what belongs to one connection only is taken off, and the application is told who asked.

use std::net::{IpAddr, SocketAddr};

use http::header::{
    CONNECTION, COOKIE, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// Those that describe one connection (RFC 9110, 7.6.1) and those that are meant for a proxy.
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HTTP2_SETTINGS,
];

/// The protocol that a message changes to, such as `websocket`. Not HTTP/2: the front speaks it itself, and behind an
/// upgrade of its own the application would get requests that the front does not see.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let asks = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    let protocol = headers.get(UPGRADE)?;
    let is_http = protocol.to_str().map_or(true, |value| {
        value.split(',').any(|token| {
            let token = token.trim().to_ascii_lowercase();
            token.starts_with("h2") || token.starts_with("http/") || token.starts_with("tls/")
        })
    });
    (asks && !is_http).then(|| protocol.clone())
}

/// Takes off what belongs to the connection it came on.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Puts the change of protocol back on.
pub(crate) fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Makes the head of a client's request into that of a request to the application.
pub(crate) fn forward(parts: &mut Parts, client: SocketAddr) {
    let client = client.ip().to_canonical();
    strip(&mut parts.headers);
    // The front has answered (or will, when it reads the body) with 100 Continue itself.
    parts.headers.remove(EXPECT);
    if parts.version == Version::HTTP_2 {
        join_cookies(&mut parts.headers);
    }
    set_host(parts);
    set_forwarded(&mut parts.headers, client);
    let path = parts.uri.path_and_query().cloned();
    parts.uri = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    parts.version = Version::HTTP_11;
    parts.extensions = http::Extensions::new();
}

/// HTTP/2 may send cookies one by one; HTTP/1.1 has one header for them (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(COOKIE, joined);
    }
}

/// An address in the request line (HTTP/2, or the absolute form) goes before `Host` (RFC 9112, 3.2.2).
fn set_host(parts: &mut Parts) {
    let named = parts.uri.authority().and_then(|authority| {
        let host = authority.as_str();
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        HeaderValue::from_str(host).ok()
    });
    match named {
        Some(host) => {
            parts.headers.insert(HOST, host);
        }
        None => {
            // Only HTTP/1.0 may come without.
            parts
                .headers
                .entry(HOST)
                .or_insert(HeaderValue::from_static("localhost"));
        }
    }
}

/// Who asked, how, and by which name. What a proxy in front of this one says is believed when it is near (this machine, a
/// private network); from anywhere else such headers may be made up to mislead the application. The chain of addresses is
/// only added to, as everywhere: its last one is true.
fn set_forwarded(headers: &mut HeaderMap, client: IpAddr) {
    let mut chain = Vec::new();
    for value in headers.get_all(FORWARDED_FOR) {
        chain.extend_from_slice(value.as_bytes());
        chain.extend_from_slice(b", ");
    }
    chain.extend_from_slice(client.to_string().as_bytes());
    if let Ok(chain) = HeaderValue::from_bytes(&chain) {
        headers.insert(FORWARDED_FOR, chain);
    }
    if !is_near(client) {
        for claim in [FORWARDED, FORWARDED_PROTO, FORWARDED_HOST, REAL_IP] {
            headers.remove(claim);
        }
    }
    headers
        .entry(FORWARDED_PROTO)
        .or_insert(HeaderValue::from_static("http"));
    if !headers.contains_key(FORWARDED_HOST)
        && let Some(host) = headers.get(HOST).cloned()
    {
        headers.insert(FORWARDED_HOST, host);
    }
}

fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(request: http::request::Builder, client: &str) -> Parts {
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        forward(&mut parts, format!("{client}:4000").parse().unwrap());
        parts
    }

    #[test]
    fn headers_of_the_connection_are_taken_off() {
        let request = http::Request::get("/")
            .header("connection", "close, x-private")
            .header("x-private", "1")
            .header("keep-alive", "timeout=5")
            .header("te", "trailers")
            .header("x-public", "1");
        let headers = forwarded(request, "10.0.0.1").headers;
        assert!(headers.contains_key("x-public"));
        for gone in ["connection", "x-private", "keep-alive", "te"] {
            assert!(!headers.contains_key(gone), "{gone}");
        }
    }

    #[test]
    fn a_client_cannot_have_the_forwarding_headers_taken_off() {
        let request = http::Request::get("/").header("connection", "x-forwarded-for, host");
        let headers = forwarded(request.header("host", "crm.example"), "203.0.113.5").headers;
        assert_eq!(headers["x-forwarded-for"], "203.0.113.5");
        assert!(headers.contains_key("host"));
    }

    #[test]
    fn the_client_is_added_to_the_chain() {
        let request = http::Request::get("/").header("x-forwarded-for", "198.51.100.7");
        let headers = forwarded(request, "10.0.0.1").headers;
        assert_eq!(headers["x-forwarded-for"], "198.51.100.7, 10.0.0.1");
    }

    #[test]
    fn a_near_proxy_is_believed_and_a_far_client_is_not() {
        let request = || {
            http::Request::get("/")
                .header("host", "crm.example")
                .header("x-forwarded-proto", "https")
                .header("x-forwarded-host", "public.example")
                .header("forwarded", "for=198.51.100.7")
        };
        let near = forwarded(request(), "192.168.1.2").headers;
        assert_eq!(near["x-forwarded-proto"], "https");
        assert_eq!(near["x-forwarded-host"], "public.example");
        let far = forwarded(request(), "203.0.113.5").headers;
        assert_eq!(far["x-forwarded-proto"], "http");
        assert_eq!(far["x-forwarded-host"], "crm.example");
        assert!(near.contains_key("forwarded") && !far.contains_key("forwarded"));
    }

    #[test]
    fn the_address_in_the_request_line_goes_before_the_host_header() {
        let request = http::Request::get("http://user@right.example/a?b=c");
        let parts = forwarded(request.header("host", "wrong.example"), "10.0.0.1");
        assert_eq!(parts.headers["host"], "right.example");
        assert_eq!(parts.uri, "/a?b=c");
    }

    #[test]
    fn cookies_of_http2_are_joined() {
        let request = http::Request::get("https://crm.example/")
            .version(Version::HTTP_2)
            .header("cookie", "a=1")
            .header("cookie", "b=2");
        let headers = forwarded(request, "10.0.0.1").headers;
        assert_eq!(headers["cookie"], "a=1; b=2");
    }

    #[test]
    fn a_change_to_http2_is_not_passed_on() {
        let asks = |protocol| {
            let mut headers = HeaderMap::new();
            set_upgrade(&mut headers, HeaderValue::from_static(protocol));
            upgrade(&headers).is_some()
        };
        assert!(asks("websocket"));
        assert!(!asks("h2c"));
        assert!(!asks("HTTP/2.0, websocket"));
        assert!(!asks("TLS/1.0"));
    }
}
