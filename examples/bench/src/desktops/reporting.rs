//! Desktops that tell the centre which version they are: all for the first time at once, as after an update, and then again and again.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rand::Rng;
use serde::Serialize;
use tokio::task::JoinSet;

use super::times::Times;
use super::wire::{self, Wire};

const PATH: &str = "/desktop/v1/report";
/// The pause after an answer that means *later*.
const PAUSE: Duration = Duration::from_millis(500);
/// How long everybody's first may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Reported {
    /// Of Desktops that say that they have been updated; each is written down.
    pub(crate) new_per_second: f64,
    /// Until all of them had been heard, seconds.
    pub(crate) all_heard_seconds: f64,
    pub(crate) new_times: Times,
    /// Of Desktops that say the same as before.
    pub(crate) known_per_second: f64,
    pub(crate) known_times: Times,
    /// Answers that mean *later*.
    pub(crate) put_off: u64,
}

/// So many Desktops that nobody has heard of; their second part takes so long.
pub(crate) async fn measure(
    address: SocketAddr,
    desktops: usize,
    length: Duration,
) -> Result<Reported> {
    let began = Instant::now();
    let put_off = Arc::new(AtomicU64::new(0));
    let mut crowd = JoinSet::new();
    for _ in 0..desktops {
        crowd.spawn(first(address, began, put_off.clone()));
    }
    let (mut heard, mut times, mut all_heard) = (Vec::new(), Vec::new(), Duration::ZERO);
    while let Some(one) = crowd.join_next().await {
        let (installation, took) = one??;
        times.push(micros(took));
        all_heard = all_heard.max(took);
        heard.push(installation);
    }
    let end = Instant::now() + length;
    let mut crowd = JoinSet::new();
    for installation in heard {
        crowd.spawn(again(address, installation, end, put_off.clone()));
    }
    let mut known = Vec::new();
    while let Some(one) = crowd.join_next().await {
        known.extend(one?);
    }
    Ok(Reported {
        new_per_second: desktops as f64 / all_heard.as_secs_f64(),
        all_heard_seconds: all_heard.as_secs_f64(),
        new_times: Times::of(times),
        known_per_second: known.len() as f64 / length.as_secs_f64(),
        known_times: Times::of(known),
        put_off: put_off.load(Ordering::Relaxed),
    })
}

/// Says that it has been updated, until it is heard; its number, and how long that took.
async fn first(
    address: SocketAddr,
    began: Instant,
    put_off: Arc<AtomicU64>,
) -> Result<(u128, Duration)> {
    let installation = rand::rng().random();
    let reports = format!(
        r#"{{"at":"{}","version":"1.0.0","event":"installed"}}"#,
        jiff::Timestamp::now()
    );
    let request = wire::post(PATH, &told(installation, &reports));
    let mut wire = None;
    loop {
        if ask(&mut wire, address, &request).await {
            return Ok((installation, began.elapsed()));
        }
        ensure!(began.elapsed() < PATIENCE, "a Desktop is not heard");
        put_off.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Says again and again which version it is; how long each took.
async fn again(
    address: SocketAddr,
    installation: u128,
    end: Instant,
    put_off: Arc<AtomicU64>,
) -> Vec<u32> {
    let request = wire::post(PATH, &told(installation, ""));
    let (mut wire, mut times) = (None, Vec::new());
    while Instant::now() < end {
        let asked = Instant::now();
        if !ask(&mut wire, address, &request).await {
            put_off.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(PAUSE).await;
        } else if Instant::now() < end {
            times.push(micros(asked.elapsed()));
        }
    }
    times
}

fn told(installation: u128, reports: &str) -> String {
    format!(
        r#"{{"installation":"{installation:032x}","platform":"linux-x86_64","version":"1.0.0","reports":[{reports}]}}"#
    )
}

/// Whether the centre has taken it.
async fn ask(wire: &mut Option<Wire>, address: SocketAddr, request: &[u8]) -> bool {
    if wire.as_ref().is_none_or(|wire| !wire.is_free()) {
        *wire = Wire::connect(address, None).await.ok();
    }
    let Some(open) = wire else { return false };
    let taken = match open.ask(request).await {
        Ok(head) => open.skip().await.is_ok() && head.status == 204,
        Err(_) => false,
    };
    if !taken {
        *wire = None;
    }
    taken
}

fn micros(took: Duration) -> u32 {
    u32::try_from(took.as_micros()).unwrap_or(u32::MAX)
}
