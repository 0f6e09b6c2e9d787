//! The application under one order: its address and the connections to it. A new order makes a new one, so that no
//! connection to an old version is ever used again.
//!
//! **When a request may be sent twice: never.** It is tried again only when nothing of it was sent: connecting failed, or
//! the connection handed the request back untouched. Whatever may have reached the application is answered with an error
//! instead, even where the method is said to be idempotent.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::pace::Pace;

/// An unused connection is kept this long. Short, because an application closes its idle connections after its own time
/// (five seconds is common) and a request sent in that instant would be lost; a new connection on loopback costs next to nothing.
const IDLE: Duration = Duration::from_secs(1);
/// Unused connections kept at most.
const MAX_IDLE: usize = 256;
/// How long a request waits for an application that refuses connections although it should serve.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long one connection may take: the application's queue is full.
const CONNECT: Duration = Duration::from_secs(10);
/// Connections being made at once. When ten thousand held requests are let go, they must not overrun the application's queue.
const CONNECTING: usize = 256;

/// One connection to the application; it carries one request at a time.
pub(crate) type Sender = http1::SendRequest<Incoming>;

/// The application at one address, under one order.
pub(crate) struct Upstream {
    address: SocketAddr,
    pool: Mutex<Pool>,
    connecting: Semaphore,
    pace: Pace,
    ended: AtomicBool,
    cut: watch::Sender<bool>,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Idle>,
    swept: bool,
}

struct Idle {
    sender: Sender,
    since: Instant,
}

/// Why a request has no answer from the application.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing of it was sent, because another order is in force. Here it is.
    Ended(Box<Request<Incoming>>),
    /// Nothing of it was sent, because no connection could be made.
    Connect(Box<Request<Incoming>>, io::Error),
    /// It may have been received.
    Broken(hyper::Error),
}

enum NoConnection {
    Ended,
    Failed(io::Error),
}

impl Upstream {
    pub(crate) fn new(address: SocketAddr) -> Arc<Upstream> {
        Arc::new(Upstream {
            address,
            pool: Mutex::default(),
            connecting: Semaphore::new(CONNECTING),
            pace: Pace::new(),
            ended: AtomicBool::new(false),
            cut: watch::Sender::new(false),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How fast those that were held are let go.
    pub(crate) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Sends a request and waits for the head of its response. Give the connection back with [`Upstream::keep`] when the
    /// response has been read.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(crate) async fn send(
        self: &Arc<Self>,
        mut request: Request<Incoming>,
    ) -> Result<(Response<Incoming>, Sender), Failure> {
        let patience = Instant::now() + PATIENCE;
        loop {
            let mut sender = match self.idle_connection() {
                Some(sender) => sender,
                None => match self.connect(patience).await {
                    Ok(sender) => sender,
                    Err(NoConnection::Ended) => return Err(Failure::Ended(Box::new(request))),
                    Err(NoConnection::Failed(error)) => {
                        return Err(Failure::Connect(Box::new(request), error));
                    }
                },
            };
            let mut error = match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, sender)),
                Err(error) => error,
            };
            let Some(unsent) = error.take_message() else {
                return Err(Failure::Broken(error.into_error()));
            };
            if Instant::now() >= patience {
                let error = io::Error::other(error.into_error());
                return Err(Failure::Connect(Box::new(unsent), error));
            }
            request = unsent;
        }
    }

    /// Takes a connection back for the next request, or closes it.
    pub(crate) fn keep(self: &Arc<Self>, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut pool = self.pool();
        if self.ended.load(Ordering::Relaxed) || pool.idle.len() >= MAX_IDLE {
            return;
        }
        pool.idle.push(Idle {
            sender,
            since: Instant::now(),
        });
        if !pool.swept {
            pool.swept = true;
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Another order is in force: no new request will come. Closes what is unused and cuts what would never end.
    pub(crate) fn end(&self) {
        {
            let mut pool = self.pool();
            // Under the lock, so that no connection is kept after the last was closed.
            self.ended.store(true, Ordering::Relaxed);
            pool.idle = Vec::new();
        }
        self.cut();
    }

    /// Cuts tunnels and event streams.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Waits until tunnels and event streams are to be cut.
    pub(crate) fn until_cut(&self) -> impl Future<Output = ()> + Send + Sync + use<> {
        let mut cut = self.cut.subscribe();
        async move {
            // An error means that the sender is gone, and with it the order.
            let _ = cut.wait_for(|cut| *cut).await;
        }
    }

    /// The connection used last that is ready for a request.
    fn idle_connection(&self) -> Option<Sender> {
        let mut pool = self.pool();
        pool.drop_stale();
        let ready = pool.idle.iter().rposition(|idle| idle.sender.is_ready())?;
        Some(pool.idle.remove(ready).sender)
    }

    /// Makes a connection, again and again as long as it is refused and there is patience.
    async fn connect(&self, patience: Instant) -> Result<Sender, NoConnection> {
        let mut pause = Duration::from_millis(5);
        loop {
            if self.ended.load(Ordering::Relaxed) {
                return Err(NoConnection::Ended);
            }
            let error = match self.connect_once().await {
                Ok(sender) => return Ok(sender),
                Err(error) => error,
            };
            if Instant::now() >= patience {
                return Err(NoConnection::Failed(error));
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    async fn connect_once(&self) -> io::Result<Sender> {
        let _permit = self.connecting.acquire().await.map_err(io::Error::other)?;
        let stream = timeout(CONNECT, TcpStream::connect(self.address)).await??;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "connection to the application ended");
            }
        });
        Ok(sender)
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    fn drop_stale(&mut self) {
        self.idle
            .retain(|idle| idle.since.elapsed() < IDLE && !idle.sender.is_closed());
    }
}

/// Closes connections that have been unused too long; ends when there are none.
async fn sweep(upstream: Weak<Upstream>) {
    loop {
        sleep(IDLE).await;
        let Some(upstream) = upstream.upgrade() else {
            return;
        };
        let mut pool = upstream.pool();
        pool.drop_stale();
        if pool.idle.is_empty() {
            pool.idle = Vec::new();
            pool.swept = false;
            return;
        }
    }
}
