//! What the centre does without being asked. One file each; to add one: its file, a `mod` line and a line in [`spawn`].
//!
//! A job that is killed at any instant leaves nothing half done: each step of it is one transaction of the store.

use std::future::Future;
use std::time::Duration;

use obnova_engine::client::Client;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::store::Store;

mod count_desktops;
pub(crate) mod deliver_mail;
mod expire_sessions;
pub(crate) mod follow_engine;
mod follow_rehearsals;
pub mod import_users;

pub use import_users as import;

/// Time that a job gets to finish what it is at, such as handing over a mail.
const GRACE: Duration = Duration::from_secs(10);

/// True when the centre is to end.
pub(crate) type Ended = watch::Receiver<bool>;

/// The running jobs. Dropped, they are killed.
pub struct Jobs(JoinSet<()>);

impl Jobs {
    /// Waits until the jobs have ended after they were told to; kills those that take too long.
    pub async fn finish(mut self) {
        let all = async { while self.0.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all).await.is_err() {
            tracing::warn!(
                "a job did not end in time and is killed; what it was at is done again at the next start"
            );
        }
    }
}

/// Starts all jobs; they end soon after `ended` is true.
pub fn spawn(store: Store, engine: Client, ended: Ended) -> Jobs {
    let delivery = deliver_mail::Options::default();
    let mut jobs = JoinSet::new();
    jobs.spawn(follow_engine::run(
        store.clone(),
        engine.clone(),
        ended.clone(),
    ));
    jobs.spawn(follow_rehearsals::run(
        store.clone(),
        engine.clone(),
        ended.clone(),
    ));
    jobs.spawn(deliver_mail::run(store.clone(), delivery, ended.clone()));
    jobs.spawn(import_users::run(store.clone(), engine, ended.clone()));
    jobs.spawn(count_desktops::run(store.clone(), ended.clone()));
    jobs.spawn(expire_sessions::run(store, ended));
    Jobs(jobs)
}

/// Sleeps; false when the centre is to end meanwhile.
async fn sleep(ended: &mut Ended, time: Duration) -> bool {
    or_ended(ended, tokio::time::sleep(time)).await.is_some()
}

/// Waits for something that can be broken off anywhere; `None` when the centre is to end first.
async fn or_ended<T>(ended: &mut Ended, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        // An error means that the one who would say so is gone.
        _ = ended.wait_for(|ended| *ended) => None,
        done = work => Some(done),
    }
}

#[cfg(test)]
mod tests;
