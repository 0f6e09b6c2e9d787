//! A bad network line: a TCP proxy on loopback that can be told at any moment what goes wrong from now on, also on
//! connections that are open.

mod connection;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

/// What is wrong with the line. Bytes are counted from the server to the client, for each connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// Nobody listens: connections are refused, and open ones reset.
    Dead,
    /// The connection ends as if the server had said all, after so many bytes.
    Cut(u64),
    /// The connection is reset after so many bytes.
    Reset(u64),
    /// So many bytes a second.
    Trickle(u64),
    /// Connections are taken, and nothing is ever answered.
    Silent,
    /// One bit in each piece of so many bytes is flipped.
    Wrong(u64),
}

/// The running proxy. It stops when this value is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    trouble: watch::Sender<Trouble>,
    counts: Arc<Counts>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// What has been passed, and hurt.
#[derive(Debug, Default)]
struct Counts {
    bytes: AtomicU64,
    hurt: AtomicU64,
}

impl Proxy {
    /// A proxy before the server at this address, on a free port of 127.0.0.1, with which nothing is wrong yet.
    ///
    /// # Errors
    /// No port is free.
    pub fn before(server: SocketAddr) -> Result<Proxy> {
        Proxy::between((Ipv4Addr::LOCALHOST, 0).into(), server)
    }

    /// The same at this address.
    ///
    /// # Errors
    /// The address is in use.
    pub fn between(address: SocketAddr, server: SocketAddr) -> Result<Proxy> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = {
            let _inside = runtime.enter();
            listen(address)?
        };
        let address = listener.local_addr()?;
        let (trouble, told) = watch::channel(Trouble::None);
        let (stop, stopped) = oneshot::channel();
        let counts = Arc::new(Counts::default());
        let line = Line {
            address,
            server,
            trouble: told,
            counts: counts.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("proxy".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = line.serve(listener) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Proxy {
            address,
            trouble,
            counts,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says what is wrong from now on.
    pub fn trouble(&self, trouble: Trouble) {
        self.trouble.send_replace(trouble);
    }

    /// How many bytes have come from the server.
    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }

    /// How many times something was done to a connection or to its bytes.
    pub fn hurt(&self) -> u64 {
        self.counts.hurt.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Fails only when the proxy's thread has ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // It listens on the same port again after it was dead.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

#[derive(Clone)]
struct Line {
    address: SocketAddr,
    server: SocketAddr,
    trouble: watch::Receiver<Trouble>,
    counts: Arc<Counts>,
}

impl Line {
    async fn serve(mut self, mut listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    if let Ok((client, _)) = accepted {
                        let line = self.clone();
                        // Ends with its connection, whichever side ended it.
                        connections.spawn(async move { line.pass(client).await.ok() });
                    }
                }
                alive = self.until(|trouble| trouble == Trouble::Dead) => {
                    if alive.is_err() {
                        return;
                    }
                    drop(listener);
                    if self.until(|trouble| trouble != Trouble::Dead).await.is_err() {
                        return;
                    }
                    listener = loop {
                        match listen(self.address) {
                            Ok(listener) => break listener,
                            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                        }
                    };
                }
            }
            while connections.try_join_next().is_some() {}
        }
    }

    /// Waits until it is so.
    async fn until(&mut self, is: impl Fn(Trouble) -> bool) -> Result<()> {
        self.trouble.wait_for(|trouble| is(*trouble)).await?;
        Ok(())
    }

    async fn pass(self, client: TcpStream) -> Result<()> {
        let server = TcpStream::connect(self.server).await?;
        connection::pass(client, server, self.trouble, &self.counts).await
    }
}

#[cfg(test)]
mod tests;
