//! Turns of Desktops, so that however many come, memory is bounded and there is room for others. All who have one share the memory:
//! the more they are, the less is read for each at once. Whoever waits for a turn gets one
//! soon: somebody who has had theirs for a while gives it up, the slowest first. Their connection ends, and a Desktop goes on with
//! its download where it was; it loses nothing but its place.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::connections::Cut;

/// Files that are sent at the same time, if so many can be open; who comes then waits for a turn.
const AT_ONCE: usize = 8192;
/// Memory for what has been read of all of them and not been sent, bytes, give or take what connections keep by themselves.
const MEMORY: usize = 64 << 20;
/// What is read of a file at once, bytes: the fewer there are, the more.
const PIECES: std::ops::RangeInclusive<usize> = (8 << 10)..=(64 << 10);
/// How long nobody has to give a turn up.
const UNDISTURBED: Duration = Duration::from_secs(10);
/// How long somebody waits for a turn. Longer, and a Desktop takes it for a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often somebody who waits looks for a turn that can be had.
const LOOK: Duration = Duration::from_millis(500);
/// Reports that are written down at the same time.
const REPORTS: usize = 4;

/// The turns.
#[derive(Debug)]
pub struct Turns {
    files: Arc<Files>,
    pub(super) reports: Semaphore,
}

#[derive(Debug)]
struct Files {
    at_once: usize,
    free: Arc<Semaphore>,
    held: Mutex<BTreeMap<u64, Held>>,
    next: AtomicU64,
    /// Those who wait.
    waiting: AtomicUsize,
    /// When it was last looked who could leave.
    looked: Mutex<Option<Instant>>,
    undisturbed: Duration,
    patience: Duration,
}

/// A turn that somebody has.
#[derive(Debug)]
struct Held {
    since: Instant,
    sent: Arc<AtomicU64>,
    cut: Cut,
    is_leaving: bool,
}

impl Held {
    /// Bytes a second, of somebody who has been here for a while.
    fn speed(&self) -> u64 {
        self.sent.load(Ordering::Relaxed) / self.since.elapsed().as_secs().max(1)
    }
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    number: u64,
    sent: Arc<AtomicU64>,
    files: Arc<Files>,
    _permit: OwnedSemaphorePermit,
}

impl Default for Turns {
    fn default() -> Self {
        // A file and a connection for each, and as many again for all else.
        let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX) / 4;
        let most = usize::try_from(most).unwrap_or(AT_ONCE);
        Self::of(AT_ONCE.min(most).max(1), UNDISTURBED, PATIENCE)
    }
}

impl Turns {
    fn of(at_once: usize, undisturbed: Duration, patience: Duration) -> Self {
        Self {
            files: Arc::new(Files {
                at_once,
                free: Arc::new(Semaphore::new(at_once)),
                held: Mutex::default(),
                next: AtomicU64::new(0),
                waiting: AtomicUsize::new(0),
                looked: Mutex::default(),
                undisturbed,
                patience,
            }),
            reports: Semaphore::new(REPORTS),
        }
    }

    /// Waits for a turn, which ends with this connection at the latest; `None` when there were too many others before.
    pub(super) async fn take(&self, cut: Cut) -> Option<Turn> {
        let free = self.files.free.clone();
        let permit = match free.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => tokio::time::timeout(self.files.patience, self.wait(free))
                .await
                .ok()??,
        };
        let number = self.files.next.fetch_add(1, Ordering::Relaxed);
        let sent = Arc::new(AtomicU64::new(0));
        let held = Held {
            since: Instant::now(),
            sent: sent.clone(),
            cut,
            is_leaving: false,
        };
        self.files.lock().insert(number, held);
        Some(Turn {
            number,
            sent,
            files: self.files.clone(),
            _permit: permit,
        })
    }

    /// Waits in the order of coming. Everybody who waits has one other leave, as soon as one may be disturbed.
    async fn wait(&self, free: Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        let _waiting = Waiting::of(&self.files);
        let mut turn = std::pin::pin!(free.acquire_owned());
        loop {
            self.files.make_room();
            if let Ok(turn) = tokio::time::timeout(LOOK, &mut turn).await {
                return turn.ok();
            }
        }
    }
}

/// Somebody who waits, for as long as they do.
struct Waiting<'a>(&'a Files);

impl<'a> Waiting<'a> {
    fn of(files: &'a Files) -> Self {
        files.waiting.fetch_add(1, Ordering::Relaxed);
        Self(files)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Files {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has as many leave as there are waiting, the slowest of those who may be disturbed. One look is for all who wait: thousands
    /// of looks at thousands of turns would take the processors from those who send.
    fn make_room(&self) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_some_and(|at| at.elapsed() < LOOK / 2) {
            return;
        }
        *looked = Some(Instant::now());
        drop(looked);
        let mut held = self.lock();
        let leaving = held.values().filter(|held| held.is_leaving).count();
        let wanted = self.waiting.load(Ordering::Relaxed).saturating_sub(leaving);
        let mut others: Vec<&mut Held> = held
            .values_mut()
            .filter(|held| !held.is_leaving && held.since.elapsed() >= self.undisturbed)
            .collect();
        others.sort_by_cached_key(|held| held.speed());
        for slowest in others.into_iter().take(wanted) {
            slowest.is_leaving = true;
            slowest.cut.cut();
        }
    }
}

impl Turn {
    /// How much of the file to read at once, bytes: all who have a turn share the memory.
    pub(super) fn piece(&self) -> usize {
        let taken = self.files.at_once - self.files.free.available_permits();
        (MEMORY / taken.max(1)).clamp(*PIECES.start(), *PIECES.end())
    }

    /// So many bytes more were sent.
    pub(super) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.files.lock().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(300);
    const LATE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn who_waits_has_the_slowest_leave_and_nobody_else() {
        let turns = Turns::of(2, SOON, LATE);
        let (quick, slow) = (Cut::default(), Cut::default());
        let quickest = turns.take(quick.clone()).await.unwrap();
        let slowest = turns.take(slow.clone()).await.unwrap();
        quickest.sent(1 << 20);
        slowest.sent(1 << 10);
        let leaves = async {
            slow.wanted().await;
            drop(slowest);
        };
        let (next, ()) = tokio::join!(turns.take(Cut::default()), leaves);
        let next = next.unwrap();
        let disturbed = tokio::time::timeout(2 * LOOK, quick.wanted()).await;
        assert!(disturbed.is_err(), "one place was enough");
        drop(next);
        assert!(turns.take(Cut::default()).await.is_some());
        assert_eq!(turns.files.lock().len(), 1, "what was dropped is forgotten");
    }

    #[tokio::test]
    async fn the_more_there_are_the_less_is_read_at_once() {
        let turns = Turns::of(8192, SOON, LATE);
        let first = turns.take(Cut::default()).await.unwrap();
        assert_eq!(first.piece(), 64 << 10);
        let mut others = Vec::new();
        for _ in 0..4095 {
            others.push(turns.take(Cut::default()).await.unwrap());
        }
        assert_eq!(first.piece(), 16 << 10);
        others.clear();
        assert_eq!(first.piece(), 64 << 10);
    }

    #[tokio::test]
    async fn nobody_is_disturbed_early_and_nobody_waits_for_ever() {
        let turns = Turns::of(1, SOON, 3 * LOOK);
        let cut = Cut::default();
        let _stubborn = turns.take(cut.clone()).await.unwrap();
        let began = Instant::now();
        let (waited, at) = tokio::join!(turns.take(Cut::default()), async {
            cut.wanted().await;
            began.elapsed()
        });
        assert!(at >= SOON, "{at:?}");
        assert!(waited.is_none(), "the place was not given up");
    }
}
