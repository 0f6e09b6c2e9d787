//! The application's public port. It passes requests to the version that serves, holds them while the engine changes over
//! from one version to another, and shows a maintenance page when that takes longer than anybody should wait.
//!
//! It decides nothing: the engine tells it what to do ([`obnova_engine::api::TrafficOrder`]) and it reports what is under
//! way. Without an engine it goes on as it was last told; before the first order it holds.
//!
//! ```text
//! client --> server --> proxy --> gate --(pass)--> upstream --> application
//!                         |         \--(hold)--> waits for the next order
//!                         \--> notice (maintenance page)
//! engine <--> orders --> gate
//! ```
//!
//! Where to read: `gate` says who may go through and why no request slips past an order; `upstream` says when a request
//! may be sent a second time (only when none of it was ever sent); `body` says when a request ends.

mod body;
mod files;
mod gate;
mod headers;
mod notice;
mod orders;
mod pace;
mod proxy;
mod server;
mod tunnel;
mod upstream;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::TcpListener;

/// What a front needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// The application's public address.
    pub listen: SocketAddr,
    /// The state directory: the engine's socket is in it.
    pub state_dir: PathBuf,
    /// The product's name for the maintenance page; `None` takes the one the engine knows.
    pub name: Option<String>,
}

/// Why a front cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, not on this machine, or not allowed.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// Listens on the address in `options` and serves until `shutdown` is done and requests under way have been answered
/// (10 seconds at most).
///
/// Raises this process's limit of open files as far as it may: every request takes two.
///
/// # Errors
/// The address cannot be listened on. Nothing after that ends it.
pub async fn run(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    files::raise_limit();
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|source| Error::Listen {
            address: options.listen,
            source,
        })?;
    serve(listener, options, shutdown).await;
    Ok(())
}

/// The same as [`run`] on a socket that listens already; `options.listen` is not used.
pub async fn serve(listener: TcpListener, options: Options, shutdown: impl Future<Output = ()>) {
    server::serve(listener, options, shutdown).await;
}
