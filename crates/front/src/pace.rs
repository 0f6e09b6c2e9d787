//! How fast those that were held are let go when holding ends.
//!
//! After a long change-over hundreds may wait. All at once they would be more than the application has ever had to answer at one
//! time, in the very moment in which it has just started. So only so many of them are under way at once, first come, first served;
//! whoever comes later, and did not have to wait, goes through at once. A request that takes long does not keep the others waiting
//! for it: after a while its turn goes to the next one all the same.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

/// Requests that were held and are under way at once.
pub(crate) const AT_ONCE: usize = 64;
/// How long one of them may take until the next one goes all the same. Longer for this crate's own tests, which may be slow themselves.
const LONGEST: Duration = match cfg!(test) {
    false => Duration::from_millis(500),
    true => Duration::from_secs(4),
};

/// Gives turns, under one order.
pub(crate) struct Pace {
    turns: Arc<Semaphore>,
}

/// Of one that was held: another one goes when this is dropped, or after a while.
pub(crate) struct Turn {
    /// Dropped with this.
    _done: oneshot::Sender<()>,
    turns: Arc<Semaphore>,
}

impl Pace {
    pub(crate) fn new() -> Pace {
        Pace {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self) -> Option<Turn> {
        let turns = Arc::clone(&self.turns);
        // It is never closed.
        let permit = Arc::clone(&turns).acquire_owned().await.ok()?;
        let (done, is_done) = oneshot::channel();
        tokio::spawn(end(permit, is_done));
        Some(Turn { _done: done, turns })
    }
}

impl Turn {
    /// Whether it is one of these: turns of an earlier order are none.
    pub(crate) fn is_of(&self, pace: &Pace) -> bool {
        Arc::ptr_eq(&self.turns, &pace.turns)
    }
}

async fn end(permit: OwnedSemaphorePermit, is_done: oneshot::Receiver<()>) {
    // Either way the next one goes.
    let _ = timeout(LONGEST, is_done).await;
    drop(permit);
}
