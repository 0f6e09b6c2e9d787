//! Desktops that ask whether there is something for them, all at once and again and again: which version the server is, whether
//! there are newer keys, whether the metadata has changed. The last is answered with 304, as for all who have asked before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use tokio::task::JoinSet;

use super::offered::{HELLO, NEXT_ROOT, Offered, TIMESTAMP};
use super::times::Times;
use super::wire::{self, Window, Wire};

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Asked {
    pub(crate) requests_per_second: f64,
    /// From a request to the end of its answer, milliseconds.
    pub(crate) times: Times,
    /// From the moment in which all connected until everybody had three answers, seconds.
    pub(crate) all_answered_seconds: f64,
    /// Wrong answers, and connections that ended.
    pub(crate) failed: u64,
}

#[derive(Default)]
struct One {
    times: Vec<u32>,
    first: Duration,
    failed: u64,
}

/// So many Desktops ask for so long, after a warm-up.
pub(crate) async fn measure(
    offered: &Arc<Offered>,
    desktops: usize,
    warm_up: Duration,
    length: Duration,
) -> Result<Asked> {
    let began = Instant::now();
    let window = Window::after(warm_up, length);
    let mut crowd = JoinSet::new();
    for _ in 0..desktops {
        crowd.spawn(one(offered.clone(), began, window));
    }
    let (mut times, mut failed, mut last) = (Vec::new(), 0, Duration::ZERO);
    while let Some(one) = crowd.join_next().await {
        let one = one?;
        times.extend(one.times);
        failed += one.failed;
        last = last.max(one.first);
    }
    Ok(Asked {
        requests_per_second: times.len() as f64 / length.as_secs_f64(),
        times: Times::of(times),
        all_answered_seconds: last.as_secs_f64(),
        failed,
    })
}

async fn one(offered: Arc<Offered>, began: Instant, window: Window) -> One {
    let unchanged = format!("if-none-match: {}\r\n", offered.timestamp);
    let requests = [
        (wire::get(HELLO, ""), 200),
        (wire::get(NEXT_ROOT, ""), 404),
        (wire::get(TIMESTAMP, &unchanged), 304),
    ];
    let mut one = One::default();
    let mut wire = None;
    while !window.is_over() {
        for (request, status) in &requests {
            let asked = Instant::now();
            let answered = ask(&mut wire, &offered, request).await;
            match answered {
                Ok(got) if got == *status => {}
                _ => {
                    one.failed += 1;
                    wire = None;
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    continue;
                }
            }
            if window.is_open() && !window.is_over() {
                let took = asked.elapsed().as_micros();
                one.times.push(u32::try_from(took).unwrap_or(u32::MAX));
            }
        }
        if one.first.is_zero() {
            one.first = began.elapsed();
        }
    }
    one
}

async fn ask(wire: &mut Option<Wire>, offered: &Offered, request: &[u8]) -> std::io::Result<u16> {
    if wire.as_ref().is_none_or(|wire| !wire.is_free()) {
        *wire = Some(Wire::connect(offered.address, None).await?);
    }
    let Some(wire) = wire else { return Ok(0) };
    let head = wire.ask(request).await?;
    wire.skip().await?;
    Ok(head.status)
}
