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
        }
    }
}

impl Limits {
    /// How long a file of this size may take in all.
    pub(crate) fn time_for(&self, bytes: u64) -> Duration {
        self.total + Duration::from_secs(bytes / self.bytes_per_second.max(1))
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
