//! One Desktop with a good line among thousands that read a few kilobytes a second: how long its whole download takes, and how long
//! it waited at most for the beginning of a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::offered::{File, Offered};
use super::wire::{self, Wire};

/// What one on a bad line reads at once, and how often.
const SIP: usize = 2 << 10;
const EVERY: Duration = Duration::from_millis(500);
/// What its computer takes in advance, bytes.
const WINDOW: u32 = 4 << 10;
/// So that all of them read, and nobody could be disturbed earlier.
const SETTLE: Duration = Duration::from_secs(12);
/// Files that a Desktop downloads at once.
const AT_ONCE: usize = 8;
/// The longest that the quick one is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(500);

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Slow {
    /// The quick one's download when nobody else is there, and among the slow ones, seconds.
    pub(crate) alone_seconds: f64,
    pub(crate) among_seconds: f64,
    /// The longest that it waited for the head of an answer meanwhile, seconds.
    pub(crate) longest_wait_seconds: f64,
    /// Slow ones that were reading when it began.
    pub(crate) readers: usize,
}

/// So many slow ones.
pub(crate) async fn measure(offered: &Arc<Offered>, count: usize) -> Result<Slow> {
    let (alone, _) = quick(offered).await?;
    let reading = Arc::new(AtomicUsize::new(0));
    let mut crowd = JoinSet::new();
    for number in 0..count {
        crowd.spawn(sip(offered.clone(), number, reading.clone()));
    }
    tokio::time::sleep(SETTLE).await;
    let readers = reading.load(Ordering::Relaxed);
    let (among, longest) = quick(offered).await?;
    crowd.shutdown().await;
    Ok(Slow {
        alone_seconds: alone.as_secs_f64(),
        among_seconds: among.as_secs_f64(),
        longest_wait_seconds: longest.as_secs_f64(),
        readers,
    })
}

/// One on a bad line, who reads one of the larger files again and again.
async fn sip(offered: Arc<Offered>, number: usize, reading: Arc<AtomicUsize>) {
    let mut large: Vec<&File> = offered.files.iter().collect();
    large.sort_by_key(|file| std::cmp::Reverse(file.length));
    let file = large[number % 9];
    let mut have = 1;
    loop {
        // It ends somehow: the server has others leave, too.
        let _ = read_slowly(&offered, file, &mut have, &reading).await;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn read_slowly(
    offered: &Offered,
    file: &File,
    have: &mut u64,
    reading: &AtomicUsize,
) -> std::io::Result<()> {
    let mut wire = Wire::connect(offered.address, Some(WINDOW)).await?;
    let range = format!("range: bytes={have}-\r\nif-range: {}\r\n", file.tag);
    let head = wire.ask(&wire::get(&file.path, &range)).await?;
    if head.status != 206 {
        return wire.skip().await;
    }
    reading.fetch_add(1, Ordering::Relaxed);
    let _reads = Reads(reading);
    loop {
        match wire.body(SIP, |_| ()).await? {
            0 => return Ok(()),
            got => *have += got as u64,
        }
        tokio::time::sleep(EVERY).await;
    }
}

struct Reads<'a>(&'a AtomicUsize);

impl Drop for Reads<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The whole Desktop, as fast as it comes; how long it took, and the longest wait.
async fn quick(offered: &Arc<Offered>) -> Result<(Duration, Duration)> {
    let began = Instant::now();
    let next = Arc::new(Mutex::new(0));
    let mut lines = JoinSet::new();
    for _ in 0..AT_ONCE {
        lines.spawn(line(offered.clone(), next.clone()));
    }
    let mut longest = Duration::ZERO;
    let all = async {
        while let Some(line) = lines.join_next().await {
            longest = longest.max(line?);
        }
        Ok::<_, anyhow::Error>(())
    };
    // Longer is long enough to say so.
    if let Ok(done) = tokio::time::timeout(PATIENCE, all).await {
        done?;
    }
    Ok((began.elapsed(), longest))
}

async fn line(offered: Arc<Offered>, next: Arc<Mutex<usize>>) -> Duration {
    let mut wire: Option<Wire> = None;
    let mut longest = Duration::ZERO;
    loop {
        let at = {
            let mut next = next.lock().await;
            *next += 1;
            *next - 1
        };
        let Some(file) = offered.files.get(at) else {
            return longest;
        };
        let mut have = 0;
        while have < file.length {
            let asked = Instant::now();
            let got = whole(&offered, &mut wire, file, &mut have, asked, &mut longest).await;
            if got.is_err() {
                wire = None;
            }
            if have < file.length {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn whole(
    offered: &Offered,
    wire: &mut Option<Wire>,
    file: &File,
    have: &mut u64,
    asked: Instant,
    longest: &mut Duration,
) -> std::io::Result<()> {
    if wire.as_ref().is_none_or(|wire| !wire.is_free()) {
        *wire = Some(Wire::connect(offered.address, None).await?);
    }
    let Some(wire) = wire else { return Ok(()) };
    let range = match *have {
        0 => String::new(),
        from => format!("range: bytes={from}-\r\nif-range: {}\r\n", file.tag),
    };
    let head = wire.ask(&wire::get(&file.path, &range)).await;
    *longest = (*longest).max(asked.elapsed());
    if head?.status == 503 {
        return wire.skip().await;
    }
    loop {
        match wire.body(usize::MAX, |_| ()).await? {
            0 => return Ok(()),
            got => *have += got as u64,
        }
    }
}
