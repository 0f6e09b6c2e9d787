//! How long and how often a web server is asked.

use std::time::Duration;

/// The limits of talking to a web server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a connection may take to open.
    pub connect: Duration,
    /// How long nothing may arrive.
    pub idle: Duration,
    /// How long one file may take, besides the time its size needs at `bytes_per_second`.
    pub total: Duration,
    /// The least useful speed.
    pub bytes_per_second: u64,
    /// How often a file is asked for again without a single new byte.
    pub attempts: u32,
    /// The pause before the second attempt; it doubles with each.
    pub pause: Duration,
    /// Files downloaded at once.
    pub parallel: usize,
    /// The most bytes a second that all downloads together take; `None`: as many as come.
    pub most_bytes_per_second: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(60),
            bytes_per_second: 4 << 10,
            attempts: 5,
            pause: Duration::from_millis(500),
            parallel: 8,
            most_bytes_per_second: None,
        }
    }
}

impl Limits {
    /// How long a file of this size may take in all.
    pub(crate) fn time_for(&self, bytes: u64) -> Duration {
        // Who is held back to a speed needs the time for it.
        let slowest = self.most_bytes_per_second.map_or(u64::MAX, |most| most / 2);
        let slowest = self.bytes_per_second.min(slowest).max(1);
        self.total + Duration::from_secs(bytes / slowest)
    }

    /// The pause after the n-th failure in a row, counted from 1: doubling up to half a minute, and up to a fifth longer
    /// by chance so that many installations do not come back in step.
    pub(crate) fn pause_after(&self, failures: u32) -> Duration {
        let doubled = self
            .pause
            .saturating_mul(1 << failures.saturating_sub(1).min(16))
            .min(Duration::from_secs(30));
        doubled.mul_f64(1.0 + rand::random::<f64>() / 5.0)
    }
}
