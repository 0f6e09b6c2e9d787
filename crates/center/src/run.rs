//! Starts the centre and ends it.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::{self, Centre};
use crate::{connections, jobs, store};

/// Time that requests under way get to finish at the end. Live connections end at once.
const GRACE: Duration = Duration::from_secs(5);

/// Where the centre listens and keeps its things.
#[derive(Debug, Clone)]
pub struct Options {
    /// The address of the pages.
    pub listen: SocketAddr,
    /// The engine's state directory, where its socket is.
    pub state_dir: PathBuf,
    /// The centre's own directory: `center.db` and, until there is an administrator, `setup-code`.
    pub data_dir: PathBuf,
    /// The address under which people reach the centre, for links in mails.
    pub public_url: Option<String>,
    /// Whether browsers may send the session's cookie over HTTPS only. Set it whenever the centre is behind HTTPS; without it,
    /// only answers to what a trusted proxy took over HTTPS have such cookies.
    pub secure_cookies: bool,
    /// Reverse proxies on other machines whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. Those on this machine
    /// always are.
    pub trusted_proxies: Vec<IpAddr>,
}

/// Why the centre cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not allowed.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The directory or a file in it cannot be used.
    #[error("cannot use {path}")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The centre's database cannot be used.
    #[error("the centre's database failed")]
    Store(#[from] store::StoreError),
    /// A password could not be hashed.
    #[error("the password could not be hashed: {0}")]
    Password(String),
    /// The server ended by itself.
    #[error("the web server failed")]
    Serve(#[source] io::Error),
}

/// Listens on `options.listen` and serves until `shutdown` is ready.
///
/// # Errors
/// The address, the directory or the database cannot be used.
pub async fn run(
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let address = options.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| Error::Listen { address, source })?;
    serve(listener, options, shutdown).await
}

/// Serves on a socket that is already bound (`options.listen` is not used) until `shutdown` is ready.
///
/// # Errors
/// The directory or the database cannot be used.
pub async fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let (end, ended) = watch::channel(false);
    let centre = Centre::open(options, ended.clone()).await?;
    let store = centre.store().clone();
    let jobs = jobs::spawn(
        centre.store().clone(),
        centre.engine().clone(),
        ended.clone(),
    );
    let mut served = tokio::spawn(connections::serve(listener, app::router(centre), ended));
    tokio::select! {
        () = shutdown => {}
        result = &mut served => return finished(result),
    }
    let _ = end.send(true);
    let result = tokio::time::timeout(GRACE, &mut served).await;
    jobs.finish().await;
    store.close().await;
    match result {
        Ok(result) => finished(result),
        Err(_) => {
            served.abort();
            Ok(())
        }
    }
}

fn finished(result: Result<io::Result<()>, tokio::task::JoinError>) -> Result<(), Error> {
    match result {
        Ok(result) => result.map_err(Error::Serve),
        Err(error) => Err(Error::Serve(io::Error::other(error))),
    }
}
