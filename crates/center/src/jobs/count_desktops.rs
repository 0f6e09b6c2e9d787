//! Counts the Desktops of each version every hour, for the chart of days.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Ended, sleep};
use crate::store::Store;

const EVERY: Duration = Duration::from_secs(3600);

/// Runs until the centre ends.
pub(crate) async fn run(store: Store, mut ended: Ended) {
    loop {
        let today = Timestamp::now().to_zoned(TimeZone::system()).date();
        if let Err(error) = store.count_desktops(today).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "Desktops could not be counted"
            );
        }
        if !sleep(&mut ended, EVERY).await {
            return;
        }
    }
}
