//! `crm serve`: opens everything, listens, and ends in order.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::Place;
use crate::database::Database;
use crate::migrate;
use crate::tree::Tree;
use crate::web::{self, App};

/// How long requests under way get to finish after SIGTERM.
const GRACE: Duration = Duration::from_secs(8);

/// Serves until SIGTERM or SIGINT; requests under way are finished first.
pub async fn serve(place: &Place, listen: SocketAddr) -> Result<()> {
    let tree = Tree::load(&place.tree)?;
    let database = Database::open(&place.database, false).await?;
    migrate::require_current(&tree, &database).await?;
    let version = tree.version.clone();
    let app = App::new(tree, database.clone(), place.files.clone());
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    info!(%version, address = %listener.local_addr()?, "the CRM serves");
    println!("CRM {version} serves on http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            warn!(%error, "a connection answers with a delay");
        }
    });
    let (stop, stopped) = watch::channel(false);
    let mut told = stopped.clone();
    let serving = axum::serve(listener, web::router(app)).with_graceful_shutdown(async move {
        asked_to_stop().await;
        info!("stopping: finishing the requests under way");
        let _ = stop.send(true);
    });
    tokio::select! {
        result = serving => result?,
        () = async {
            let _ = told.wait_for(|stopping| *stopping).await;
            tokio::time::sleep(GRACE).await;
        } => warn!("some requests did not finish in time"),
    }
    database.close().await;
    info!("stopped");
    Ok(())
}

async fn asked_to_stop() {
    tokio::select! {
        () = caught(SignalKind::terminate()) => {}
        () = caught(SignalKind::interrupt()) => {}
    }
}

async fn caught(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(error) => {
            warn!(%error, "a signal cannot be waited for");
            pending::<()>().await;
        }
    }
}
