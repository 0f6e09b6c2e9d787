//! A small real application.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, stream};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

type Body = BoxBody<Bytes, hyper::Error>;

/// A running application; it ends, with all its connections, when this is dropped.
pub struct App {
    pub address: SocketAddr,
    facts: Arc<Facts>,
    _task: JoinSet<()>,
}

struct Facts {
    name: String,
    seen: AtomicU64,
    connections: AtomicU64,
    open: AtomicU64,
    at_once: AtomicU64,
    most: AtomicU64,
    gate: Semaphore,
}

impl App {
    pub async fn start(name: &str) -> App {
        App::listen(name, TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn listen(name: &str, listener: TcpListener) -> App {
        let address = listener.local_addr().unwrap();
        let facts = Arc::new(Facts {
            name: name.to_owned(),
            seen: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            open: AtomicU64::new(0),
            at_once: AtomicU64::new(0),
            most: AtomicU64::new(0),
            gate: Semaphore::new(0),
        });
        let mut task = JoinSet::new();
        task.spawn(accept(listener, Arc::clone(&facts)));
        App {
            address,
            facts,
            _task: task,
        }
    }

    /// Requests whose head has arrived.
    pub fn seen(&self) -> u64 {
        self.facts.seen.load(Ordering::SeqCst)
    }

    /// Connections made so far.
    pub fn connections(&self) -> u64 {
        self.facts.connections.load(Ordering::SeqCst)
    }

    /// The most requests for `/slow` that it answered at one time.
    pub fn most(&self) -> u64 {
        self.facts.most.load(Ordering::SeqCst)
    }

    /// Connections that are open.
    pub fn open(&self) -> u64 {
        self.facts.open.load(Ordering::SeqCst)
    }

    /// Lets one request for `/gate` (or the rest of one `/half`) be answered.
    pub fn release(&self) {
        self.facts.gate.add_permits(1);
    }

    /// Waits until this many requests have arrived.
    pub async fn has_seen(&self, count: u64) {
        eventually(|| self.seen() >= count).await;
    }
}

/// Waits until something holds.
pub async fn eventually(holds: impl Fn() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not come to hold within ten seconds");
}

async fn accept(listener: TcpListener, facts: Arc<Facts>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        facts.connections.fetch_add(1, Ordering::SeqCst);
        facts.open.fetch_add(1, Ordering::SeqCst);
        let facts = Arc::clone(&facts);
        connections.spawn(async move {
            let service = service_fn(|request| {
                let facts = Arc::clone(&facts);
                async move { Ok::<_, Infallible>(answer(facts, request).await) }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
            facts.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn answer(facts: Arc<Facts>, request: Request<Incoming>) -> Response<Body> {
    facts.seen.fetch_add(1, Ordering::SeqCst);
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    match path.as_str() {
        "/slow" => {
            let at_once = facts.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            facts.most.fetch_max(at_once, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(query.parse().unwrap())).await;
            facts.at_once.fetch_sub(1, Ordering::SeqCst);
            text(&facts.name)
        }
        "/gate" => {
            facts.gate.acquire().await.unwrap().forget();
            text(&facts.name)
        }
        "/half" => half(facts),
        "/echo" => Response::new(request.into_body().boxed()),
        "/count" => count(request).await,
        "/count-late" => {
            facts.gate.acquire().await.unwrap().forget();
            count(request).await
        }
        "/bytes" => bytes(query.parse().unwrap()),
        "/events" => events(facts),
        "/headers" => headers(&request),
        "/cookies" => Response::builder()
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .header("connection", "x-private")
            .header("x-private", "1")
            .body(full(""))
            .unwrap(),
        "/nothing" => Response::builder()
            .status(StatusCode::NO_CONTENT)
            .body(full(""))
            .unwrap(),
        "/socket" => socket(facts, request),
        _ => text(&facts.name),
    }
}

fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed()
}

fn text(text: &str) -> Response<Body> {
    Response::new(full(text.to_owned()))
}

fn streamed(
    frames: impl futures_util::Stream<Item = Bytes> + Send + Sync + 'static,
) -> Response<Body> {
    let frames: Pin<Box<dyn futures_util::Stream<Item = _> + Send + Sync>> =
        Box::pin(frames.map(|bytes| Ok(Frame::data(bytes))));
    Response::new(BodyExt::boxed(StreamBody::new(frames)))
}

/// Half of the answer at once, the other half when released.
fn half(facts: Arc<Facts>) -> Response<Body> {
    let first = stream::once(async { Bytes::from_static(b"first") });
    let second = stream::once(async move {
        facts.gate.acquire().await.unwrap().forget();
        Bytes::from_static(b" second")
    });
    streamed(first.chain(second))
}

async fn count(request: Request<Incoming>) -> Response<Body> {
    let mut body = request.into_body();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.unwrap().into_data().map_or(0, |data| data.len());
    }
    text(&length.to_string())
}

fn bytes(length: usize) -> Response<Body> {
    const PIECE: usize = 64 << 10;
    let pieces = stream::iter(0..length.div_ceil(PIECE))
        .map(move |piece| Bytes::from(vec![b'x'; PIECE.min(length - piece * PIECE)]));
    streamed(pieces)
}

/// An event at once and then one every 100 ms, for ever.
fn events(facts: Arc<Facts>) -> Response<Body> {
    let events = stream::unfold(0, move |number| {
        let facts = Arc::clone(&facts);
        async move {
            if number > 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let event = format!("data: {} {number}\n\n", facts.name);
            Some((Bytes::from(event), number + 1))
        }
    });
    let mut response = streamed(events);
    let kind = "text/event-stream; charset=utf-8".parse().unwrap();
    response.headers_mut().insert("content-type", kind);
    response
}

/// The request as it arrived: its line and its headers.
fn headers(request: &Request<Incoming>) -> Response<Body> {
    let mut seen: BTreeMap<String, String> = named(request.headers());
    seen.insert(":uri".into(), request.uri().to_string());
    seen.insert(":method".into(), request.method().to_string());
    seen.insert(":version".into(), format!("{:?}", request.version()));
    text(&serde_json::to_string(&seen).unwrap())
}

fn named(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect()
}

/// A WebSocket that says what it is told, with the application's name before it.
fn socket(facts: Arc<Facts>, mut request: Request<Incoming>) -> Response<Body> {
    let Some(key) = request.headers().get("sec-websocket-key") else {
        return text("no websocket");
    };
    let accept = derive_accept_key(key.as_bytes());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let io = TokioIo::new(upgrade.await.unwrap());
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if let Ok(said) = message.into_text() {
                facts.seen.fetch_add(1, Ordering::SeqCst);
                let said = format!("{}: {said}", facts.name);
                if socket.send(said.into()).await.is_err() {
                    return;
                }
            }
        }
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-accept", accept)
        .body(full(""))
        .unwrap()
}
