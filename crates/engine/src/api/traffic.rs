//! The conversation between engine and front: orders, and reports of when they are in force.

use std::net::SocketAddr;

use semver::Version;
use serde::{Deserialize, Serialize};

/// How much the front holds before it shows the maintenance page instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldLimits {
    /// Requests held at once.
    pub requests: u64,
    /// Bytes of request bodies held at once.
    pub bytes: u64,
    /// Seconds one request is held.
    pub seconds: u64,
    /// Seconds that requests already under way get to finish.
    pub drain_seconds: u64,
}

impl Default for HoldLimits {
    fn default() -> Self {
        Self {
            requests: 10_000,
            bytes: 64 << 20,
            seconds: 60,
            drain_seconds: 10,
        }
    }
}

/// What the front shall do with traffic. The first line after `Traffic`, and again whenever it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficOrder {
    /// Counted up by the engine; reports name it.
    pub sequence: u64,
    /// What to do.
    #[serde(flatten)]
    pub mode: TrafficMode,
}

/// What the front shall do with traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "traffic", rename_all = "snake_case")]
pub enum TrafficMode {
    /// Let it through to this address.
    Pass {
        /// Where the application listens, on loopback.
        upstream: SocketAddr,
    },
    /// Keep new requests waiting; those under way may finish.
    Hold {
        /// How much, how long.
        limits: HoldLimits,
        /// The version it is being updated to, for the maintenance page.
        to: Option<Version>,
    },
}

/// How a connected front stands, as it said last: at every order, and once more when those that it had held are all let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontState {
    /// Whether it lets requests through, as it is ordered to; `false` while it has not said so.
    pub passes: bool,
    /// Requests waiting in it.
    pub held: u64,
}

/// What the front says on the same connection: at once when an order is in force, and whenever the numbers change while
/// it holds, until nothing is under way; and when it passes and nobody waits any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficReport {
    /// The order that is in force.
    pub sequence: u64,
    /// Requests that were let through before it and have not been answered completely.
    pub in_flight: u64,
    /// Requests waiting.
    pub held: u64,
    /// Now and then while it passes: milliseconds in which all requests that were under way at one instant have finished, streams
    /// without end aside, since those are cut. This is how long holding would have had to wait then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_ms: Option<u64>,
}
