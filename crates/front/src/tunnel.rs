//! A connection whose protocol was changed (a WebSocket): bytes both ways, until a side closes or another order comes.
//!
//! It counts as in flight as long as it is open, because what it carries may change data. It would never end by itself, so
//! it is cut at the next order; clients connect again and are then held.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use crate::gate::Flight;

/// Joins the two sides as soon as both have changed their protocol.
pub(crate) fn open(client: OnUpgrade, application: OnUpgrade, mut flight: Flight) {
    flight.set_endless();
    tokio::spawn(async move {
        tokio::select! {
            () = flight.upstream().until_cut() => {}
            ended = join(client, application) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "tunnel ended");
                }
            }
        }
        // Both sides are closed by now: the losing branch of the selection was dropped with all it held.
        drop(flight);
    });
}

async fn join(client: OnUpgrade, application: OnUpgrade) -> Result<(), hyper::Error> {
    let (client, application) = tokio::try_join!(client, application)?;
    let (mut client, mut application) = (TokioIo::new(client), TokioIo::new(application));
    // A side that breaks is the usual end of a tunnel.
    let _ = copy_bidirectional(&mut client, &mut application).await;
    Ok(())
}
