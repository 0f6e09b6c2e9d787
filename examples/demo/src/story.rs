//! The vendor's side of the story while somebody lives it in a browser: the next version appears when the one before has been
//! installed, or has failed.

use std::time::Duration;

use anyhow::Result;
use obnova_engine::api::{Outcome, Phase, Request};

use crate::world::World;

/// What the vendor publishes, in order.
pub const VERSIONS: [&str; 4] = ["1.1.0", "1.2.0", "1.3.0", "1.4.0"];

/// Publishes version after version; `told` is called with each.
///
/// # Errors
/// A version cannot be published.
pub async fn publish_in_turn(world: &World, told: &dyn Fn(&str)) -> Result<()> {
    for version in VERSIONS {
        world.vendor.publish(version)?;
        told(version);
        wait_until_tried(world, version).await;
    }
    Ok(())
}

/// Until an update to this version has ended, one way or the other.
async fn wait_until_tried(world: &World, version: &str) {
    loop {
        if let Ok(state) = world.state(Request::State).await
            && state.phase == Phase::Idle
            && let Some(last) = state.last_update
            && last.to.to_string() == version
            && last.outcome != Outcome::Running
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
