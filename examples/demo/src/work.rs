//! People who go on working with the CRM, half of their requests writes, whatever is done to it meanwhile.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use obnova_testkit::load::{Asked, Load, Outcome as Seen};

use crate::world::World;

/// Does this while people send `rate` requests a second, and looks that everything acknowledged to them is there once, and
/// nothing twice. `prefix` tells their writes from others'.
///
/// # Errors
/// Those of `deed`; a write was lost or done twice.
pub async fn while_people_work<T>(
    world: &World,
    rate: u32,
    prefix: &'static str,
    deed: impl Future<Output = Result<T>>,
) -> Result<(T, Seen)> {
    let load = Load::new(
        format!("http://{}", world.front),
        rate,
        move |shot| match shot.write {
            false => Asked::get("/api/companies?page=1"),
            true => {
                let reference = format!("{prefix}-{}", shot.number);
                let body = serde_json::json!({ "kind": "note", "subject": "Při aktualizaci", "reference": reference });
                Asked::post("/api/activities", "application/json", body.to_string())
                    .write(reference)
            }
        },
    );
    let (done, finished) = tokio::sync::oneshot::channel();
    let (result, seen) = tokio::join!(
        async {
            let result = deed.await;
            let _ = done.send(());
            result
        },
        load.run_until(async { drop(finished.await) })
    );
    let (result, seen) = (result?, seen?);
    expect_written_once(world, prefix, &seen).await?;
    Ok((result, seen))
}

async fn expect_written_once(world: &World, prefix: &str, seen: &Seen) -> Result<()> {
    let stored = references(world, prefix).await?;
    let is_missing = |reference: &&String| stored.get(*reference) != Some(&1);
    let wrong: Vec<&String> = seen.acknowledged.iter().filter(is_missing).collect();
    ensure!(
        wrong.is_empty(),
        "acknowledged and not there once: {wrong:?}"
    );
    ensure!(
        stored.values().all(|times| *times == 1),
        "something is there twice"
    );
    ensure!(seen.acknowledged.len() > 50, "{seen}");
    Ok(())
}

/// How often each reference is stored.
async fn references(world: &World, prefix: &str) -> Result<BTreeMap<String, u32>> {
    let url = format!(
        "http://{}/api/activities/references?prefix={prefix}-",
        world.front
    );
    let body: serde_json::Value = reqwest::get(url).await?.error_for_status()?.json().await?;
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
