//! Clients that go on working whatever is done, half of their requests writes, and remember what was acknowledged to them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Begins the reference of every write.
pub const PREFIX: &str = "load-";
/// One request in so much time.
const PACE: Duration = Duration::from_millis(60);
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
    /// Starts to send to the front. `name` tells these writes from others'.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn start(runtime: &tokio::runtime::Handle, port: u16, name: &'static str) -> Result<Load> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .retry(reqwest::retry::never())
            .no_proxy()
            // A connection closed under a request would be a failure of nobody's.
            .pool_max_idle_per_host(0)
            .build()?;
        let over = Arc::new(AtomicBool::new(false));
        let shots = Arc::new(Mutex::new(Vec::new()));
        let (is_over, all) = (Arc::clone(&over), Arc::clone(&shots));
        let task = runtime.spawn(async move {
            let mut under_way = tokio::task::JoinSet::new();
            let mut number = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                let (client, all) = (client.clone(), Arc::clone(&all));
                under_way.spawn(async move {
                    let shot = shoot(&client, port, name, number).await;
                    all.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(shot);
                });
                number += 1;
                while under_way.try_join_next().is_some() {}
                tokio::time::sleep(PACE).await;
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

async fn shoot(client: &reqwest::Client, port: u16, name: &str, number: u64) -> Shot {
    let sent = Instant::now();
    let write = (number % 2 == 1).then(|| format!("{PREFIX}{name}-{number}"));
    let request = match &write {
        None => client.get(format!("http://127.0.0.1:{port}/api/version")),
        Some(reference) => client
            .post(format!("http://127.0.0.1:{port}/api/activities"))
            .json(&serde_json::json!({ "kind": "note", "subject": "Při aktualizaci", "reference": reference })),
    };
    let answered = async {
        let answer = request.send().await?.error_for_status()?;
        answer.json::<serde_json::Value>().await
    };
    let answered = answered.await;
    Shot {
        sent,
        done: Instant::now(),
        is_ok: answered.is_ok(),
        timed_out: answered.as_ref().is_err_and(reqwest::Error::is_timeout),
        version: answered
            .ok()
            .filter(|_| write.is_none())
            .and_then(|body| Some(body["version"].as_str()?.to_owned())),
        write,
    }
}

/// How often each of the load's references is stored.
///
/// # Errors
/// The application does not tell.
pub async fn stored(
    client: &reqwest::Client,
    port: u16,
    name: &str,
) -> Result<BTreeMap<String, u32>> {
    let url = format!("http://127.0.0.1:{port}/api/activities/references?prefix={PREFIX}{name}-");
    let body: serde_json::Value = client
        .get(url)
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let list = body
        .as_array()
        .or_else(|| body["references"].as_array())
        .context("a list of references")?;
    let mut stored = BTreeMap::new();
    for reference in list.iter().filter_map(serde_json::Value::as_str) {
        *stored.entry(reference.to_owned()).or_default() += 1;
    }
    Ok(stored)
}
