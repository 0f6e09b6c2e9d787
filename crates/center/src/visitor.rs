//! Where a request comes from: the client's address, and whether the browser speaks HTTPS. Behind a reverse proxy the
//! connection says neither; the proxy does, in `X-Forwarded-For` and `X-Forwarded-Proto`. Anybody can send these headers, so
//! they count only from a proxy on this machine or one that is listed.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::Centre;
use crate::error::Failure;

/// Who sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visitor {
    /// The client's address, as far as trusted proxies and the connection tell.
    pub address: IpAddr,
    /// Whether cookies may go over HTTPS only: this request came so, or the centre is set to it.
    pub is_secure: bool,
}

/// Finds out who sends the request, for all that come after.
pub async fn recognise(State(centre): State<Centre>, mut request: Request, next: Next) -> Response {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |info| info.0.ip());
    let options = centre.options();
    let mut visitor = visitor(peer, request.headers(), &options.trusted_proxies);
    visitor.is_secure |= options.secure_cookies;
    request.extensions_mut().insert(visitor);
    next.run(request).await
}

impl FromRequestParts<Centre> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Centre) -> Result<Visitor, Failure> {
        let visitor = parts.extensions.get().copied();
        visitor.ok_or_else(|| Failure::Internal("a request of nobody".into()))
    }
}

impl Visitor {
    /// A cookie as all of the centre's are: for this host only, out of reach of scripts. No seconds take it away.
    ///
    /// # Errors
    /// The value has characters that a header cannot have.
    pub fn cookie(&self, name: &str, value: &str, seconds: u64) -> Result<HeaderValue, Failure> {
        let secure = if self.is_secure { "; Secure" } else { "" };
        HeaderValue::from_str(&format!(
            "{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
        ))
        .map_err(|error| Failure::Internal(error.to_string()))
    }

    /// Clients that one person can have are counted as one: whoever has an IPv6 address has a whole /64 of them.
    pub fn network(&self) -> String {
        match self.address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let prefix = address.to_bits() >> 64 << 64;
                format!("{}/64", Ipv6Addr::from_bits(prefix))
            }
        }
    }
}

/// Goes back along the proxies, from the nearest, as long as they are trusted; the first that is not is the client.
fn visitor(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> Visitor {
    let is_trusted = |address: IpAddr| address.is_loopback() || trusted.contains(&address);
    let mut visitor = Visitor {
        address: peer.to_canonical(),
        is_secure: false,
    };
    if !is_trusted(visitor.address) {
        return visitor;
    }
    visitor.is_secure = values(headers, "x-forwarded-proto")
        .next_back()
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    for said in values(headers, "x-forwarded-for").rev() {
        // What is no address was said by somebody before the last proxy that is trusted; that one stays the client.
        let Some(address) = address(said) else { break };
        visitor.address = address;
        if !is_trusted(address) {
            break;
        }
    }
    visitor
}

/// The values of a header that may be there several times and have several values, in order.
fn values<'h>(headers: &'h HeaderMap, name: &str) -> impl DoubleEndedIterator<Item = &'h str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Some proxies add the client's port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, forwarded: &[&'static str], scheme: &'static str) -> (String, bool) {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_static(value));
        }
        headers.append("x-forwarded-proto", HeaderValue::from_static(scheme));
        let trusted = [IpAddr::from([10, 0, 0, 1])];
        let visitor = visitor(peer.parse().unwrap(), &headers, &trusted);
        (visitor.address.to_string(), visitor.is_secure)
    }

    #[test]
    fn only_a_trusted_proxy_says_who_the_client_is() {
        let forged = ["198.51.100.7"];
        let client = |text: &str, secure| (text.to_owned(), secure);
        assert_eq!(
            from("203.0.113.5", &forged, "https"),
            client("203.0.113.5", false)
        );
        assert_eq!(
            from("127.0.0.1", &forged, "https"),
            client("198.51.100.7", true)
        );
        assert_eq!(from("::1", &forged, "http"), client("198.51.100.7", false));
        assert_eq!(
            from("10.0.0.1", &forged, "HTTPS"),
            client("198.51.100.7", true)
        );
        assert_eq!(
            from("::ffff:10.0.0.1", &forged, ""),
            client("198.51.100.7", false)
        );
        assert_eq!(
            from("10.0.0.2", &forged, "https"),
            client("10.0.0.2", false)
        );
    }

    #[test]
    fn what_a_client_puts_before_the_proxys_word_is_not_believed() {
        let client = |forwarded: &[&'static str]| from("127.0.0.1", forwarded, "https").0;
        assert_eq!(client(&["1.1.1.1, 203.0.113.5"]), "203.0.113.5");
        assert_eq!(client(&["1.1.1.1", "203.0.113.5"]), "203.0.113.5");
        assert_eq!(client(&["1.1.1.1, 203.0.113.5, 10.0.0.1"]), "203.0.113.5");
        assert_eq!(client(&["nonsense, 10.0.0.1"]), "10.0.0.1");
        assert_eq!(client(&["203.0.113.5:4711"]), "203.0.113.5");
        assert_eq!(client(&["[2001:db8::7]:4711"]), "2001:db8::7");
        assert_eq!(client(&[""]), "127.0.0.1");
    }

    #[test]
    fn an_ipv6_network_counts_as_one_client() {
        let visitor = |text: &str| Visitor {
            address: text.parse().unwrap(),
            is_secure: false,
        };
        assert_eq!(visitor("2001:db8:1:2:3::4").network(), "2001:db8:1:2::/64");
        assert_eq!(visitor("203.0.113.5").network(), "203.0.113.5");
    }
}
