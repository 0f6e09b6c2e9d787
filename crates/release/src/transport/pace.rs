//! Holding downloads back to a speed, so that a computer's line stays usable for the work that it is there for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// One speed for all downloads of a client together. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    /// Bytes a second.
    most: Option<u64>,
    /// When the next piece may come.
    next: Arc<Mutex<Option<Instant>>>,
}

impl Pace {
    pub(super) fn of(most: Option<u64>) -> Self {
        Self {
            most: most.map(|most| most.max(1)),
            next: Arc::default(),
        }
    }

    /// Waits as long as a piece of this length takes at the speed, after those that came before it.
    pub(super) async fn wait(&self, bytes: usize) {
        let Some(most) = self.most else { return };
        let takes = Duration::from_secs_f64(bytes as f64 / most as f64);
        let until = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let until = next.unwrap_or_else(Instant::now).max(Instant::now()) + takes;
            *next = Some(until);
            until
        };
        tokio::time::sleep_until(until).await;
    }
}
