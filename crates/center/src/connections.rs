//! Takes connections and answers what comes over them. As `axum::serve` does, but whoever connects and then says nothing, or
//! only a little now and then, does not keep the connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tower::ServiceExt;

/// Longest time for a request's headers, from the connection or the answer before on.
const LONGEST_HEADERS: Duration = Duration::from_secs(10);
/// What one connection may have in memory in each direction, bytes: headers that are read, an answer that nobody takes.
const BUFFER: usize = 16 << 10;
/// Pause when no connection can be taken, as when there are too many open files.
const PAUSE: Duration = Duration::from_millis(500);

/// The end of one connection, in the hands of those who answer what comes over it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cut(Arc<Notify>);

impl Cut {
    /// Ends the connection, whatever is under way on it.
    pub(crate) fn cut(&self) {
        self.0.notify_one();
    }

    /// Ready when it is to end.
    pub(crate) async fn wanted(&self) {
        self.0.notified().await;
    }
}

/// Serves until `ended` is true and the requests under way are answered.
pub(crate) async fn serve(
    listener: TcpListener,
    pages: Router,
    mut ended: watch::Receiver<bool>,
) -> io::Result<()> {
    raise_limit();
    let under_way = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = ended.wait_for(|ended| *ended) => break,
        };
        match accepted {
            Ok((stream, peer)) => take(stream, peer, pages.clone(), &under_way),
            Err(error) => {
                tracing::warn!(%error, "no connection can be taken for now: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    under_way.shutdown().await;
    Ok(())
}

/// Raises the soft limit of open files to the hard one: the usual 1024 would be less than thousands of Desktops need.
fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, files = ?limit.current, "the limit of open files stays as it is");
    }
}

fn take(stream: TcpStream, peer: SocketAddr, pages: Router, under_way: &GracefulShutdown) {
    // Small answers are sent at once; where that cannot be had they are only a little later.
    let _ = stream.set_nodelay(true);
    let cut = Cut::default();
    let given = cut.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(given.clone());
        pages.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LONGEST_HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    let connection = under_way.watch(connection);
    // A browser that breaks off is nothing to tell anybody.
    tokio::spawn(async move {
        tokio::select! {
            _ = connection => {}
            () = cut.wanted() => {}
        }
    });
}
