//! Engine, application and migration are killed at instants that nobody chose, the next engine again while it recovers, while
//! users write. Repeat with `OBNOVA_SEED` what was printed; prolong with `OBNOVA_ROUNDS`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use obnova_testkit::cases::Case;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::fixture::{Try, kill_recorded};

/// The cases.
pub const CASES: &[Case] = &[(
    "killed_at_any_instant_it_ends_old_or_new_and_serves",
    campaign,
)];

const ROUNDS: u64 = 40;
/// Rounds at a time.
const WORKERS: usize = 4;
/// What is installed, and whether it can be.
const VERSIONS: [(&str, bool); 4] = [
    ("1.1.0", true),
    ("1.0.5", true),
    ("1.0.6", false),
    ("1.4.0", false),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Engine,
    Application,
    Migration,
    All,
}

fn campaign() -> Result<String> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed: u64 = number("OBNOVA_SEED").unwrap_or_else(|| rand::rng().random());
    let rounds = number("OBNOVA_ROUNDS").unwrap_or(ROUNDS);
    println!("    OBNOVA_SEED={seed} OBNOVA_ROUNDS={rounds}");
    let durations: Vec<Duration> = VERSIONS
        .iter()
        .map(|(version, _)| undisturbed(version))
        .collect::<Result<_>>()?;
    let ends = Mutex::new(BTreeMap::<String, u32>::new());
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let round = next.fetch_add(1, Ordering::Relaxed);
                if round >= rounds {
                    return Ok(());
                }
                let mut random = StdRng::seed_from_u64(seed.wrapping_add(round));
                let which = random.random_range(0..VERSIONS.len());
                let end =
                    one(VERSIONS[which], durations[which], &mut random).inspect_err(|error| {
                        // At once: the others go on, and may take long.
                        let seed = seed.wrapping_add(round);
                        println!("    OBNOVA_SEED={seed} OBNOVA_ROUNDS=1 failed: {error:#}");
                    })?;
                let mut ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
                *ends.entry(end).or_default() += 1;
            }
        };
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .map_err(|_| anyhow::anyhow!("a round panicked"))?
        })
    })?;
    let ends = ends.into_inner().unwrap_or_else(PoisonError::into_inner);
    let list: Vec<String> = ends.iter().map(|(end, n)| format!("{end} {n}")).collect();
    Ok(format!("seed {seed}; {}", list.join(", ")))
}

fn undisturbed(version: &str) -> Result<Duration> {
    let mut it = Try::new()?;
    it.start(None)?;
    it.settled()?;
    it.check()?;
    let began = Instant::now();
    it.install(version)?;
    it.settled()?;
    let took = began.elapsed();
    it.end()?;
    Ok(took)
}

fn one((version, can): (&str, bool), takes: Duration, random: &mut StdRng) -> Result<String> {
    let mut it = Try::new()?;
    it.start(None)?;
    it.write("before")?;
    let before = it.now()?.without_writes();
    it.check()?;
    let address = it.state()?.serving.context("it does not serve")?;
    let over = AtomicBool::new(false);
    let (killed, written) = std::thread::scope(|scope| {
        let users = scope.spawn(|| write_on(address, &over));
        let killed = kill(&mut it, version, takes, random);
        over.store(true, Ordering::Relaxed);
        let written = users.join().map_err(|_| anyhow::anyhow!("users panicked"));
        anyhow::Ok((killed?, written??))
    })?;
    // The application may have been the last to be killed, and the engine is about to notice.
    let until = Instant::now() + Duration::from_secs(30);
    let now = loop {
        match it.now() {
            Err(_) if Instant::now() < until => sleep(Duration::from_millis(50)),
            now => break now?,
        }
    };
    let is_new = it.state()?.installed.to_string() == version;
    if is_new {
        ensure!(can, "{version} was installed");
        let text = format!("{now:?}");
        let is_whole = text.contains("step_2") && text.contains(&format!("version: {version:?}"));
        let data = std::fs::read_to_string(it.state_dir().join("data/schema.txt"))?;
        ensure!(
            is_whole && data == "schema 2\n",
            "killed {killed}: {data} {text}"
        );
    } else {
        before
            .expect_same(&now.without_writes())
            .with_context(|| format!("killed {killed}\n{}", it.engine_log()))?;
    }
    let there = it.written()?;
    let lost: Vec<&String> = written.iter().filter(|id| !there.contains(id)).collect();
    ensure!(lost.is_empty(), "killed {killed}, lost {lost:?}");
    it.write("after")?;
    it.end()?;
    Ok(format!("{killed} {}", if is_new { "new" } else { "old" }))
}

/// Starts the update and kills; what was killed, for the figures.
fn kill(it: &mut Try, version: &str, takes: Duration, random: &mut StdRng) -> Result<String> {
    let victim = match random.random_range(0..20) {
        0..10 => Victim::Engine,
        10..13 => Victim::Application,
        13..16 => Victim::Migration,
        _ => Victim::All,
    };
    let first = takes.mul_f64(random.random_range(0.0..1.1));
    let second = random
        .random_bool(0.5)
        .then(|| takes.mul_f64(random.random_range(0.0..0.8)));
    it.install(version)?;
    sleep(first);
    strike(it, victim)?;
    if [Victim::Engine, Victim::All].contains(&victim) {
        it.start(None)?;
        if let Some(pause) = second {
            sleep(pause);
            strike(it, victim)?;
            it.start(None)?;
            return Ok(format!("{victim:?} twice").to_lowercase());
        }
    }
    Ok(format!("{victim:?}").to_lowercase())
}

fn strike(it: &mut Try, victim: Victim) -> Result<()> {
    let state = it.state_dir();
    if victim == Victim::Migration {
        // It lives shortly: the moment is as random as its beginning.
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until && !kill_recorded(&state, "migration.json") {
            sleep(Duration::from_millis(2));
        }
        return Ok(());
    }
    if victim != Victim::Application {
        it.kill_engine()?;
    }
    if victim != Victim::Engine {
        kill_recorded(&state, "service.json");
        kill_recorded(&state, "migration.json");
    }
    Ok(())
}

/// Users who write as long as this address answers; what was acknowledged to them.
fn write_on(address: std::net::SocketAddr, over: &AtomicBool) -> Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let client = reqwest::Client::new();
        let mut acknowledged = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let id = format!("user-{}", acknowledged.len());
            let request = client
                .post(format!("http://{address}/write"))
                .json(&serde_json::json!({ "id": id }));
            match request.send().await {
                Ok(answer) if answer.status().is_success() => acknowledged.push(id),
                _ => break,
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(acknowledged)
    })
}
