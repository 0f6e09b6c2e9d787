//! Clients that go on working whatever is done, half of their requests writes, and remember what was acknowledged to them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::app::{App, Clients};

/// Begins the reference of every write.
pub const PREFIX: &str = "load-";
/// Longer than anybody may be held, and than all who were held take to be answered one after the other on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(180);

/// One request, answered or not.
#[derive(Debug, Clone)]
pub struct Shot {
    /// When it was sent.
    pub sent: Instant,
    /// When it was over.
    pub done: Instant,
    /// Its reference, if it was a write.
    pub write: Option<String>,
    /// Whether it was answered as done.
    pub is_ok: bool,
    /// Whether it got no answer until the client gave up.
    pub timed_out: bool,
    /// The version that answered, for reads.
    pub version: Option<String>,
}

/// The clients.
pub struct Load {
    over: Arc<AtomicBool>,
    shots: Arc<Mutex<Vec<Shot>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Load {
    /// Starts to send to the front on this port. `name` tells these writes from others'.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn start(
        runtime: &tokio::runtime::Handle,
        app: &App,
        port: u16,
        name: &'static str,
    ) -> Result<Load> {
        let client = reqwest::Client::builder()
            .timeout(app.patience(TIMEOUT))
            .retry(reqwest::retry::never())
            .no_proxy()
            // A connection closed under a request would be a failure of nobody's.
            .pool_max_idle_per_host(0)
            .build()?;
        let app = app.of();
        let (clients, pace, at_once) = (app.clients(client, port), app.pace(), app.at_once());
        let over = Arc::new(AtomicBool::new(false));
        let shots = Arc::new(Mutex::new(Vec::new()));
        let (is_over, all) = (Arc::clone(&over), Arc::clone(&shots));
        let task = runtime.spawn(async move {
            let mut under_way = tokio::task::JoinSet::new();
            let mut number = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                let (clients, all) = (Arc::clone(&clients), Arc::clone(&all));
                under_way.spawn(async move {
                    let shot = shoot(clients.as_ref(), name, number).await;
                    all.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(shot);
                });
                number += 1;
                while under_way.try_join_next().is_some() {}
                while under_way.len() >= at_once {
                    under_way.join_next().await;
                }
                tokio::time::sleep(pace).await;
            }
            while under_way.join_next().await.is_some() {}
        });
        Ok(Load { over, shots, task })
    }

    /// What has been answered so far.
    pub fn so_far(&self) -> Vec<Shot> {
        self.shots
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Stops sending and waits for the last answers.
    ///
    /// # Errors
    /// The clients have panicked.
    pub async fn end(self) -> Result<Vec<Shot>> {
        self.over.store(true, Ordering::Relaxed);
        self.task.await?;
        let shots = self.shots.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(shots.clone())
    }
}

/// What the references of these writes begin with.
pub fn prefix(name: &str) -> String {
    format!("{PREFIX}{name}-")
}

async fn shoot(clients: &dyn Clients, name: &str, number: u64) -> Shot {
    let sent = Instant::now();
    let write = (number % 2 == 1).then(|| format!("{}{number}", prefix(name)));
    let answered = match &write {
        None => clients.read().await.map(Some),
        Some(reference) => clients.write(reference).await.map(|()| None),
    };
    let timed_out = |error: &anyhow::Error| {
        let error = error.downcast_ref::<reqwest::Error>();
        error.is_some_and(reqwest::Error::is_timeout)
    };
    Shot {
        sent,
        done: Instant::now(),
        is_ok: answered.is_ok(),
        timed_out: answered.as_ref().is_err_and(timed_out),
        version: answered.ok().flatten(),
        write,
    }
}

/// How often each of these is there.
pub fn counted(references: impl IntoIterator<Item = String>) -> BTreeMap<String, u32> {
    let mut counted = BTreeMap::new();
    for reference in references {
        *counted.entry(reference).or_default() += 1;
    }
    counted
}
