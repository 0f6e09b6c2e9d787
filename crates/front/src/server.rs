//! The listening socket and the connections of clients.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use obnova_engine::client::Client;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::gate::Gate;
use crate::proxy::Front;
use crate::{Options, orders, proxy};

/// A client has this long to send the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// A silent HTTP/2 client is asked whether it is alive this often, and has [`PONG_TIME`] to say so.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PONG_TIME: Duration = Duration::from_secs(20);
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 256;
/// At the end, requests under way have this long; those that are held then get the maintenance page.
const GRACE: Duration = Duration::from_secs(10);
const LAST_GRACE: Duration = Duration::from_secs(1);
/// Pause after a connection could not be accepted because the process or the machine has too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// A client that vanished without a word is noticed after about this long.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// Serves until `shutdown`, then lets requests under way finish.
pub(crate) async fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()>,
) {
    let front = Arc::new(Front {
        gate: Gate::new(),
        name: options.name.map_or_else(OnceLock::new, OnceLock::from),
    });
    // A set ends its tasks when it is dropped, however this function ends.
    let mut engine = JoinSet::new();
    engine.spawn(orders::follow(
        Arc::clone(&front),
        Client::new(&options.state_dir),
    ));
    let ending = watch::Sender::new(false);
    let mut connections = JoinSet::new();
    let builder = Arc::new(builder());
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            (stream, client) = accept(&listener) => {
                connections.spawn(Connection {
                    front: Arc::clone(&front),
                    client,
                    builder: Arc::clone(&builder),
                    ending: ending.subscribe(),
                }.serve(stream));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    ending.send_replace(true);
    finish(&front, connections).await;
}

/// Lets requests under way finish, then refuses what is held.
async fn finish(front: &Front, mut connections: JoinSet<()>) {
    tracing::info!(connections = connections.len(), "ending");
    front.gate.cut_endless();
    let mut all = pin!(async { while connections.join_next().await.is_some() {} });
    if timeout(GRACE, all.as_mut()).await.is_err() {
        front.gate.close();
        let _ = timeout(LAST_GRACE, all).await;
    }
}

/// The next connection. Survives whatever one connection, or too many, can do to a listening socket.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The client was gone before it was accepted.
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PONG_TIME)
        .max_concurrent_streams(STREAMS);
    builder
}

/// One client's connection.
struct Connection {
    front: Arc<Front>,
    client: SocketAddr,
    builder: Arc<Builder<TokioExecutor>>,
    ending: watch::Receiver<bool>,
}

impl Connection {
    async fn serve(mut self, stream: TcpStream) {
        if let Err(error) = prepare(&stream) {
            tracing::debug!(%error, "connection lost");
            return;
        }
        let asked = AtomicBool::new(false);
        let service = service_fn(|request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            let answer = proxy::answer(Arc::clone(&self.front), self.client, request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = self
            .builder
            .serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        // hyper's own limit starts when it knows which HTTP is spoken; a client may never say even that.
        let mut silence = pin!(sleep(HEAD_TIME));
        let mut watched = true;
        let mut open = true;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(error, "connection ended");
                    }
                    return;
                }
                () = silence.as_mut(), if watched => {
                    if !asked.load(Ordering::Relaxed) {
                        return;
                    }
                    watched = false;
                }
                _ = self.ending.changed(), if open => {
                    connection.as_mut().graceful_shutdown();
                    open = false;
                }
            }
        }
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    rustix::net::sockopt::set_socket_keepalive(stream, true)?;
    rustix::net::sockopt::set_tcp_keepidle(stream, KEEP_ALIVE)?;
    Ok(())
}
