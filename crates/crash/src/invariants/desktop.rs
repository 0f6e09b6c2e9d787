//! Desktops are told the version that is installed, and that it serves.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::life::Facts;

/// An answer is kept for a second, and the centre may have been started just now.
const PATIENCE: Duration = Duration::from_secs(20);

/// Looks.
///
/// # Errors
/// There is none: what goes wrong in asking is told as what Desktops are told.
pub fn look(facts: &Facts<'_>) -> Result<Vec<String>> {
    let installed = facts.now.get("installed").context("a version")?;
    let until = Instant::now() + PATIENCE;
    loop {
        let told = match facts.world.greeting() {
            Ok(hello) if hello["server"] == installed.as_str() && hello["state"] == "serving" => {
                return Ok(Vec::new());
            }
            Ok(hello) => hello.to_string(),
            Err(error) => format!("{error:#}"),
        };
        if Instant::now() > until {
            return Ok(vec![format!(
                "{installed} is installed, and they are told {told}"
            )]);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
