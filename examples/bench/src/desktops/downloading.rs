//! Desktops that download, all at once: file after file, each beginning with another one, every fourth file from its middle on, as
//! after an interruption. What breaks off goes on where it was, after the pause that a Desktop makes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use super::offered::{File, Offered};
use super::times::Times;
use super::wire::{self, Window, Wire};

/// The pause of a Desktop after the first failure; it doubles with each.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Files up to this length come in one piece, and their times are told.
const SMALL: u64 = 256 << 10;
/// Of so many Desktops one looks whether what comes is what it should be.
const CHECKED: usize = 1000;

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Downloaded {
    pub(crate) bytes_per_second: f64,
    pub(crate) files_per_second: f64,
    /// Of files up to 256 KiB, from the request to the last byte, milliseconds.
    pub(crate) small_times: Times,
    /// Connections that the server ended in an answer; each goes on where it was.
    pub(crate) cut: u64,
    /// Desktops that were told to come later.
    pub(crate) put_off: u64,
    /// Desktops that got nothing at all, of all that there were.
    pub(crate) without_a_byte: usize,
    /// Whole files of which every byte was looked at.
    pub(crate) verified: u64,
}

/// What all of them have together.
#[derive(Default)]
struct Counts {
    bytes: AtomicU64,
    files: AtomicU64,
    cut: AtomicU64,
    put_off: AtomicU64,
    verified: AtomicU64,
    wrong: AtomicU64,
}

impl Counts {
    fn one_more(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// So many Desktops download for so long, after a warm-up.
pub(crate) async fn measure(
    offered: &Arc<Offered>,
    desktops: usize,
    warm_up: Duration,
    length: Duration,
) -> Result<Downloaded> {
    let window = Window::after(warm_up, length);
    let counts = Arc::new(Counts::default());
    let mut crowd = JoinSet::new();
    for number in 0..desktops {
        let desktop = Desktop {
            number,
            offered: offered.clone(),
            counts: counts.clone(),
            window,
            wire: None,
            failures: 0,
            bytes: 0,
            small: Vec::new(),
        };
        crowd.spawn(desktop.run());
    }
    let (mut small, mut without_a_byte) = (Vec::new(), 0);
    while let Some(one) = crowd.join_next().await {
        let (times, bytes) = one?;
        small.extend(times);
        without_a_byte += usize::from(bytes == 0);
    }
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    ensure!(of(&counts.wrong) == 0, "what was downloaded is wrong");
    let seconds = length.as_secs_f64();
    Ok(Downloaded {
        bytes_per_second: of(&counts.bytes) as f64 / seconds,
        files_per_second: of(&counts.files) as f64 / seconds,
        small_times: Times::of(small),
        cut: of(&counts.cut),
        put_off: of(&counts.put_off),
        without_a_byte,
        verified: of(&counts.verified),
    })
}

struct Desktop {
    number: usize,
    offered: Arc<Offered>,
    counts: Arc<Counts>,
    window: Window,
    wire: Option<Wire>,
    failures: u32,
    /// In the window.
    bytes: u64,
    small: Vec<u32>,
}

impl Desktop {
    async fn run(mut self) -> (Vec<u32>, u64) {
        let end = self.window.end.into();
        // Whoever waits for a server when the time is over has had nothing from it.
        let _ = tokio::time::timeout_at(end, self.download()).await;
        (self.small, self.bytes)
    }

    async fn download(&mut self) {
        let offered = self.offered.clone();
        // A prime, so that neighbours are not at the same file.
        let first = self.number * 7919;
        for turn in first.. {
            let file = &offered.files[turn % offered.files.len()];
            let from = match turn % 4 {
                0 => file.length / 2,
                _ => 0,
            };
            self.file(file, from).await;
        }
    }

    /// To its end, whatever happens on the way.
    async fn file(&mut self, file: &File, from: u64) {
        let mut have = from;
        let mut digest = (self.number.is_multiple_of(CHECKED) && from == 0).then(Sha256::new);
        let asked = Instant::now();
        while have < file.length {
            let before = have;
            if self.rest(file, &mut have, &mut digest).await.is_err() {
                self.wire = None;
            }
            if have == file.length {
                break;
            }
            self.failures = match have > before {
                true => 1,
                false => self.failures + 1,
            };
            let pause = PAUSE.saturating_mul(1 << (self.failures - 1).min(8));
            tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
        }
        self.failures = 0;
        if let Some(digest) = digest {
            Counts::one_more(match file.is(digest) {
                true => &self.counts.verified,
                false => &self.counts.wrong,
            });
        }
        if self.window.is_open() {
            Counts::one_more(&self.counts.files);
            if file.length <= SMALL && from == 0 {
                let took = asked.elapsed().as_micros();
                self.small.push(u32::try_from(took).unwrap_or(u32::MAX));
            }
        }
    }

    async fn rest(
        &mut self,
        file: &File,
        have: &mut u64,
        digest: &mut Option<Sha256>,
    ) -> std::io::Result<()> {
        if self.wire.as_ref().is_none_or(|wire| !wire.is_free()) {
            self.wire = Some(Wire::connect(self.offered.address, None).await?);
        }
        let Some(wire) = &mut self.wire else {
            return Ok(());
        };
        let (more, status) = match *have {
            0 => (String::new(), 200),
            from => (
                format!("range: bytes={from}-\r\nif-range: {}\r\n", file.tag),
                206,
            ),
        };
        let head = wire.ask(&wire::get(&file.path, &more)).await?;
        if head.status == 503 {
            Counts::one_more(&self.counts.put_off);
            return wire.skip().await;
        }
        if head.status != status || head.length != file.length - *have {
            Counts::one_more(&self.counts.wrong);
            return Err(std::io::ErrorKind::InvalidData.into());
        }
        loop {
            let look = |bytes: &[u8]| {
                if let Some(digest) = digest.as_mut() {
                    digest.update(bytes);
                }
            };
            match wire.body(usize::MAX, look).await {
                Ok(0) => return Ok(()),
                Ok(got) => {
                    *have += got as u64;
                    if self.window.is_open() {
                        self.bytes += got as u64;
                        self.counts.bytes.fetch_add(got as u64, Ordering::Relaxed);
                    }
                }
                Err(error) => {
                    Counts::one_more(&self.counts.cut);
                    return Err(error);
                }
            }
        }
    }
}
