//! How long people wait for an update, beside the same program's own stop, migration and start done by hand on the same data.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use obnova_testkit::load::{Asked, Load};
use serde::Serialize;

use super::place::Ground;
use super::site::{NEW, OLD, Site};
use crate::spread::Spread;

/// Requests a second while it is updated.
const RATE: u32 = 20;
/// How long there are requests before and after an update.
const AROUND: Duration = Duration::from_secs(1);

/// What an update took by one rung.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Blackout {
    pub(crate) place: &'static str,
    pub(crate) rung: &'static str,
    /// Why it was not measured.
    pub(crate) problem: Option<String>,
    /// From holding requests to letting them through, by Obnova.
    pub(crate) held_seconds: Spread,
    /// The longest time without an answer, as clients saw it.
    pub(crate) longest_gap_seconds: Spread,
    /// Requests that failed, of all repetitions.
    pub(crate) failed: u64,
    /// Stop, migration and start by hand, until the same probes pass.
    pub(crate) by_hand_seconds: Spread,
    /// How much longer it takes by Obnova: the difference of the medians.
    pub(crate) added_seconds: f64,
    /// What each step took.
    pub(crate) steps: BTreeMap<String, Spread>,
}

impl Blackout {
    pub(crate) fn failed(
        place: &'static str,
        rung: &'static str,
        error: &anyhow::Error,
    ) -> Blackout {
        Blackout {
            place,
            rung,
            problem: Some(format!("{error:#}")),
            ..Blackout::default()
        }
    }
}

/// Updates again and again from the same state, by hand and by Obnova in turn.
pub(crate) fn measure(
    ground: &Ground,
    site: &Site,
    rung: &'static str,
    repetitions: usize,
) -> Result<Blackout> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let golden = ground.directory.join("golden");
    ground.stop("fast")?;
    ground.clone(&ground.server.data(), &golden)?;
    ground.start()?;
    let mut blackout = Blackout {
        place: ground.place.name,
        rung,
        ..Blackout::default()
    };
    let mut measured = Ok(());
    for _ in 0..repetitions {
        measured = reset(ground, site, rung, &golden)
            .and_then(|()| runtime.block_on(by_hand(site)))
            .map(|took| blackout.by_hand_seconds.0.push(took))
            .and_then(|()| reset(ground, site, rung, &golden))
            .and_then(|()| runtime.block_on(by_obnova(site, &mut blackout)));
        if measured.is_err() {
            break;
        }
    }
    put_back(ground, &golden)?;
    std::fs::remove_dir_all(&golden)?;
    measured?;
    blackout.added_seconds = blackout.held_seconds.median() - blackout.by_hand_seconds.median();
    Ok(blackout)
}

/// Data, program and what Obnova knows are as before the first update.
fn reset(ground: &Ground, site: &Site, rung: &str, golden: &Path) -> Result<()> {
    put_back(ground, golden)?;
    site.reset(ground, rung)
}

fn put_back(ground: &Ground, golden: &Path) -> Result<()> {
    let data = ground.server.data();
    ground.stop("immediate")?;
    std::fs::remove_dir_all(&data)?;
    if ground.beside().exists() {
        std::fs::remove_dir_all(ground.beside())?;
    }
    ground.clone(golden, &data)?;
    ground.start()?;
    ground.trim()
}

async fn by_hand(site: &Site) -> Result<f64> {
    let old = site.serve(OLD)?;
    site.wait_healthy(old.address, OLD).await?;
    let began = Instant::now();
    old.stop()?;
    site.migrate(NEW)?;
    let new = site.serve(NEW)?;
    site.wait_healthy(new.address, NEW).await?;
    let took = began.elapsed().as_secs_f64();
    new.stop()?;
    Ok(took)
}

async fn by_obnova(site: &Site, blackout: &mut Blackout) -> Result<()> {
    let up = site.up().await?;
    let load = Load::new(site.url(), RATE, |_| Asked::get("/health")).write_share(0.0);
    let (done, is_done) = tokio::sync::oneshot::channel::<()>();
    let update = async {
        tokio::time::sleep(AROUND).await;
        let update = site.update().await;
        tokio::time::sleep(AROUND).await;
        drop(done);
        update
    };
    let people = load.run_until(async {
        // It never comes; its sender goes.
        let _ = is_done.await;
    });
    let (update, people) = tokio::join!(update, people);
    let (update, people) = (update?, people?);
    up.stop()?;
    ensure!(people.ok > 0, "nobody was answered: {people}");
    blackout.failed += people.failed;
    blackout
        .longest_gap_seconds
        .0
        .push(people.longest_gap_ms / 1000.0);
    let held = update.blackout_ms.unwrap_or(0);
    blackout.held_seconds.0.push(held as f64 / 1000.0);
    for step in &update.steps {
        let took = step.took_ms.unwrap_or(0) as f64 / 1000.0;
        let spread = blackout.steps.entry(step.step.clone()).or_default();
        spread.0.push(took);
    }
    Ok(())
}
