//! One request: through the gate, to the application, and its answer back.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;

use crate::body::Body;
use crate::gate::{Flight, Gate};
use crate::notice::{Notice, Visitor};
use crate::upstream::{Failure, Sender};
use crate::{headers, notice, tunnel};

/// What a body of unknown length counts towards the limit of held bytes.
const UNKNOWN_LENGTH: u64 = 64 << 10;

/// What all connections share.
pub(crate) struct Front {
    pub(crate) gate: Arc<Gate>,
    /// The product's name, once it is known.
    pub(crate) name: OnceLock<String>,
}

/// A change of protocol that the client asked for.
struct Change {
    protocol: HeaderValue,
    client: OnUpgrade,
}

/// Answers one request.
pub(crate) async fn answer(
    front: Arc<Front>,
    client: SocketAddr,
    mut request: Request<Incoming>,
) -> Response<Body> {
    if request.method() == Method::CONNECT {
        let mut response = Response::new(Body::own(""));
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        return response;
    }
    let asked = Asked {
        method: request.method().clone(),
        uri: request.uri().clone(),
    };
    let visitor = Visitor::of(request.method(), request.headers());
    let bytes = body_length(request.body());
    let change = headers::upgrade(request.headers()).map(|protocol| Change {
        protocol,
        client: hyper::upgrade::on(&mut request),
    });
    let (mut parts, body) = request.into_parts();
    headers::forward(&mut parts, client);
    if let Some(change) = &change {
        headers::set_upgrade(&mut parts.headers, change.protocol.clone());
    }
    let request = Request::from_parts(parts, body);
    let response = match pass(&front, &asked, request, bytes).await {
        Ok(passed) => passed.into_response(change).unwrap_or_else(|| {
            tracing::warn!(%asked, "the application changed the protocol unasked");
            notice::answer(&Notice::Unreachable, &visitor, front.name())
        }),
        Err((notice, unsent)) => {
            if let Some(unsent) = unsent {
                notice::drain(visitor.expects_continue, unsent.into_body()).await;
            }
            notice::answer(&notice, &visitor, front.name())
        }
    };
    tracing::debug!(%asked, status = response.status().as_u16(), "answered");
    response
}

/// What was asked for, in logs: without the query, which may hold anything.
struct Asked {
    method: Method,
    uri: Uri,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.uri.path())
    }
}

/// The application's response, with the connection and the flight that it belongs to.
struct Answered {
    response: Response<Incoming>,
    sender: Sender,
    flight: Flight,
}

/// Waits at the gate and sends the request. A request of which nothing was sent when another order came waits again.
async fn pass(
    front: &Front,
    asked: &Asked,
    mut request: Request<Incoming>,
    bytes: u64,
) -> Result<Answered, (Notice, Option<Request<Incoming>>)> {
    loop {
        let flight = match front.gate.enter(bytes).await {
            Ok(flight) => flight,
            Err(refusal) => return Err((Notice::from(refusal), Some(request))),
        };
        match flight.upstream().send(request).await {
            Ok((response, sender)) => {
                return Ok(Answered {
                    response,
                    sender,
                    flight,
                });
            }
            Err(Failure::Ended(unsent)) => request = *unsent,
            Err(Failure::Connect(unsent, error)) => {
                tracing::warn!(%asked, upstream = %flight.upstream().address(), %error, "the application cannot be connected to");
                return Err((Notice::Unreachable, Some(*unsent)));
            }
            Err(Failure::Broken(error)) => {
                tracing::warn!(%asked, upstream = %flight.upstream().address(), %error, "the application did not answer");
                return Err((Notice::Unreachable, None));
            }
        }
    }
}

impl Answered {
    /// The answer for the client; `None` when the protocol was changed without having been asked to.
    fn into_response(self, change: Option<Change>) -> Option<Response<Body>> {
        if self.response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return change.and_then(|change| self.into_tunnel(change));
        }
        let (mut parts, incoming) = self.response.into_parts();
        headers::strip(&mut parts.headers);
        parts.version = Version::HTTP_11;
        let endless = parts
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let body = Body::passed(incoming, self.sender, self.flight, endless);
        Some(Response::from_parts(parts, body))
    }

    fn into_tunnel(mut self, change: Change) -> Option<Response<Body>> {
        let protocol = headers::upgrade(self.response.headers())?;
        let application = hyper::upgrade::on(&mut self.response);
        let (mut parts, _) = self.response.into_parts();
        headers::strip(&mut parts.headers);
        headers::set_upgrade(&mut parts.headers, protocol);
        parts.version = Version::HTTP_11;
        parts.extensions = http::Extensions::new();
        tunnel::open(change.client, application, self.flight);
        Some(Response::from_parts(parts, Body::own("")))
    }
}

impl Front {
    fn name(&self) -> Option<&str> {
        self.name.get().map(String::as_str)
    }
}

/// What this body counts towards the limit of held bytes. Nothing of it is read while it is held.
fn body_length(body: &Incoming) -> u64 {
    if body.is_end_stream() {
        return 0;
    }
    body.size_hint().exact().unwrap_or(UNKNOWN_LENGTH)
}
