//! Removes what has had its time: sessions, counts of failed sign-ins, browsers long unused, old mails.

use std::time::Duration;

use jiff::Timestamp;

use super::{Ended, sleep};
use crate::attempt::{DEVICE_LASTS, WINDOW};
use crate::store::{Result, Store};

const EVERY: Duration = Duration::from_secs(3600);

/// How long mails are kept to be looked at.
const MAILS: Duration = Duration::from_secs(180 * 24 * 3600);

/// Runs until the centre ends.
pub(crate) async fn run(store: Store, mut ended: Ended) {
    loop {
        if let Err(error) = expire(&store).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "old entries could not be removed"
            );
        }
        if !sleep(&mut ended, EVERY).await {
            return;
        }
    }
}

async fn expire(store: &Store) -> Result<()> {
    store.remove_ended_sessions().await?;
    store.remove_old_sign_ins(WINDOW).await?;
    store.remove_old_devices(DEVICE_LASTS).await?;
    let desktops = store.desktop_settings().await?;
    store.remove_old_desktops(desktops.keep()).await?;
    store.remove_old_mails(Timestamp::now() - MAILS).await?;
    Ok(())
}
