//! The story, station by station; it ends at the first that does not hold.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_engine::api::{Outcome, Rehearsal, RehearsalOutcome, Request, UpdateSummary};
use obnova_tryton::users::{self, User};
use obnova_tryton::vendor::run;
use serde_json::Value;

use crate::world::{FIRST, World};
use crate::{Options, Station};

/// What the releases hold, as the server says it.
const OLD: &str = "7.0.59";
const NEW: &str = "7.2.23";
/// How long people work before and after an update.
const AROUND: Duration = Duration::from_secs(5);

/// What a station found: in words, and its figures.
#[derive(Default)]
struct Found {
    text: String,
    figures: BTreeMap<&'static str, f64>,
}

impl Found {
    fn new(text: String) -> Found {
        Found {
            text,
            ..Found::default()
        }
    }

    fn figure(mut self, name: &'static str, value: f64) -> Found {
        self.figures.insert(name, value);
        self
    }
}

/// Somebody who walks through it.
pub(crate) struct Story<'a> {
    world: World,
    options: &'a Options,
    stations: Vec<Station>,
    user: Option<User>,
    /// The newest version that the vendor has published since.
    published: Option<String>,
}

impl<'a> Story<'a> {
    pub(crate) fn new(world: World, options: &'a Options) -> Story<'a> {
        Story {
            world,
            options,
            stations: Vec::new(),
            user: None,
            published: None,
        }
    }

    /// What was found.
    pub(crate) fn end(self) -> Vec<Station> {
        self.stations
    }

    pub(crate) async fn walk(&mut self) {
        macro_rules! stations {
            ($($name:literal => $work:expr),+ $(,)?) => {
                $(
                    let began = Instant::now();
                    let result = $work.await;
                    if !self.note($name, began, result) {
                        return;
                    }
                )+
            };
        }
        stations! {
            "series 7.0 is installed" => self.install(),
            "filled through its own library" => self.seed(),
            "people sign in" => self.sign_in(),
        }
        // The vendor's first try has no migration, the second one not all of it.
        for (version, code) in [("7.2.0", "unhealthy"), ("7.2.1", "migration-failed")] {
            if !self.options.no_rehearsal {
                stations! { "a rehearsal finds out first" => self.rehearse(version, Some(code)) }
            }
            stations! {
                "installed all the same, it is undone exactly" => self.undone(version, code),
            }
        }
        if !self.options.no_rehearsal {
            stations! { "the rehearsal of the right one passes" => self.rehearse("7.2.2", None) }
        }
        stations! {
            "updated to series 7.2 while people work" => self.updated("7.2.2"),
            "its own client library agrees" => self.agrees("7.2.2"),
        }
    }

    fn note(&mut self, station: &'static str, began: Instant, result: Result<Found>) -> bool {
        let (ok, found) = match result {
            Ok(found) => (true, found),
            Err(error) => {
                let text = format!("{error:#}\n{}", self.world.log());
                (false, Found::new(text))
            }
        };
        let Found {
            text: found,
            figures,
        } = found;
        let seconds = began.elapsed().as_secs_f64();
        eprintln!(
            "{} {station} ({seconds:.1} s): {found}",
            if ok { "ok" } else { "FAILED" }
        );
        self.stations.push(Station {
            station,
            ok,
            seconds,
            found,
            figures,
        });
        ok
    }

    async fn install(&mut self) -> Result<Found> {
        let began = Instant::now();
        self.world.setup()?;
        let setup = began.elapsed().as_secs_f64();
        self.world.start().await?;
        let tree = self.world.vendor.tree_bytes(FIRST)?;
        let text = format!(
            "obnova setup {setup:.1} s; its tree has {}",
            mebibytes(tree)
        );
        Ok(Found::new(text)
            .figure("setup_s", setup)
            .figure("tree_bytes", tree as f64))
    }

    async fn seed(&mut self) -> Result<Found> {
        let mut seed = self.world.script("seed", FIRST);
        seed.args(["--database", &self.world.database()])
            .args(["--parties", &self.options.parties.to_string()]);
        let said = run(&mut seed)?.trim().to_owned();
        let bytes = self.world.database_bytes()?;
        let text = format!("{said}; the database has {}", mebibytes(bytes));
        Ok(Found::new(text)
            .figure("parties", self.options.parties as f64)
            .figure("database_bytes", bytes as f64))
    }

    async fn sign_in(&mut self) -> Result<Found> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(users::TIMEOUT)
            .build()?;
        let user = User::sign_in(client, self.world.front, &self.world.password).await?;
        let version = user.version().await?;
        ensure!(version == OLD, "the server is {version}");
        let parties = user.parties().await?;
        ensure!(parties >= self.options.parties, "only {parties} parties");
        self.user = Some(user);
        let memory = self.world.memory()?;
        let text = format!("Tryton {version}, {parties} parties; {}", told(&memory));
        Ok(with_memory(Found::new(text), memory))
    }

    fn user(&self) -> Result<&User> {
        self.user.as_ref().context("nobody has signed in")
    }

    /// Rehearses a version, which must fail with this code, or pass; the people's data must not notice.
    async fn rehearse(&mut self, version: &str, code: Option<&str>) -> Result<Found> {
        let (download, tree) = self.publish(version).await?;
        let before = self.world.now()?;
        self.world
            .ask(&Request::Rehearse {
                version: Some(version.parse()?),
                actor: "cli:tryton".to_owned(),
            })
            .await?;
        let offer = self
            .world
            .settled()
            .await?
            .check
            .and_then(|check| check.offer);
        let offer = offer.context("nothing is offered")?;
        before.expect_same(&self.world.now()?)?;
        let rehearsal = offer.rehearsal.context("no rehearsal")?;
        ensure!(
            rehearsal.version.to_string() == version,
            "it was of {}",
            rehearsal.version
        );
        let took = rehearsal
            .finished
            .duration_since(rehearsal.started)
            .as_secs_f64();
        let found = verdict(&rehearsal, code)?;
        let obstacles: Vec<_> = offer.obstacles.iter().map(|it| it.code.as_str()).collect();
        ensure!(
            obstacles.contains(&"rehearsal-failed") == code.is_some(),
            "it stands in the way: {obstacles:?}"
        );
        let text = format!(
            "{version} in {took:.1} s: {}; {} to download of {}",
            found.text,
            mebibytes(download),
            mebibytes(tree)
        );
        Ok(Found { text, ..found }
            .figure("rehearsal_s", took)
            .figure("download_bytes", download as f64)
            .figure("tree_bytes", tree as f64))
    }

    /// Installs a version that must be undone for this reason, and compares all with what was before.
    async fn undone(&mut self, version: &str, code: &str) -> Result<Found> {
        self.publish(version).await?;
        let user = self.user()?.clone();
        let parties = user.parties().await?;
        let before = self.world.now()?;
        let update = self.world.update(version).await?;
        // Straight after: nobody has done anything yet.
        let bytes = before.expect_same(&self.world.now()?)?;
        ensure!(update.outcome == Outcome::RolledBack, "it was installed");
        let problem = update.problem.as_ref().context("no reason")?;
        ensure!(problem.code == code, "{problem:?}");
        ensure!(user.version().await? == OLD, "another version serves");
        ensure!(
            user.parties().await? == parties,
            "the session sees something else"
        );
        let held = seconds(update.blackout_ms.unwrap_or(0));
        let text = format!(
            "{version}: {}; requests held {held:.1} s; pg_dump ({}), files and program as before; sessions live",
            excerpt(problem.detail.as_deref().unwrap_or_default()),
            mebibytes(bytes as u64)
        );
        Ok(Found::new(text)
            .figure("held_s", held)
            .figure("dump_bytes", bytes as f64))
    }

    /// Updates to a version while people work: no request may fail, and each write must be there once.
    async fn updated(&mut self, version: &str) -> Result<Found> {
        self.publish(version).await?;
        let user = self.user()?.clone();
        let work = user.work(self.options.rate);
        tokio::time::sleep(AROUND).await;
        let update = self.world.update(version).await;
        tokio::time::sleep(AROUND).await;
        let outcome = work.end().await?;
        let update = update?;
        ensure!(update.outcome == Outcome::Completed, "{:?}", update.problem);
        ensure!(outcome.failed == 0, "{outcome}");
        let mut acknowledged = outcome.acknowledged.clone();
        acknowledged.sort_unstable();
        let written = user.written().await?;
        ensure!(
            written == acknowledged,
            "{} parties were written and {} acknowledged",
            written.len(),
            acknowledged.len()
        );
        let now = user.version().await?;
        ensure!(now == NEW, "the server is {now}");
        let memory = self.world.memory()?;
        let text = format!(
            "{} requests, {} failed, {} writes each there once, longest wait {:.1} s; {}{}; the session from before works; {}",
            outcome.sent,
            outcome.failed,
            written.len(),
            outcome.latency.max_ms / 1000.0,
            held(&update),
            foretold(&update),
            told(&memory)
        );
        let found = Found::new(text)
            .figure("requests", outcome.sent as f64)
            .figure("failed", outcome.failed as f64)
            .figure("writes", written.len() as f64)
            .figure("longest_wait_s", outcome.latency.max_ms / 1000.0)
            .figure("held_s", seconds(update.blackout_ms.unwrap_or(0)))
            .figure("protect_s", took(&update, "protect_database"))
            .figure("migrate_s", took(&update, "migrate"))
            .figure("start_s", took(&update, "start"))
            .figure("verify_s", took(&update, "verify"));
        Ok(with_memory(found, memory))
    }

    /// The customer's own programs, by Tryton's client library of the new series.
    async fn agrees(&mut self, version: &str) -> Result<Found> {
        let mut program = self.world.script("use", version);
        let said = run(program.args(["--url", &self.world.url()]))?;
        let found: Value = serde_json::from_str(said.trim())?;
        let (customers, opportunities) = (&found["customers"], &found["opportunities"]);
        let parties = self.options.parties;
        ensure!(
            *customers == parties && *opportunities == parties.div_ceil(2),
            "{found}"
        );
        ensure!(found["amount"] == "1005.00", "{found}");
        ensure!(found["written"][1] == "Brno", "{found}");
        let text = format!("{customers} customers, {opportunities} opportunities, and it writes");
        Ok(Found::new(text))
    }

    /// Has the vendor publish a version, unless that is done, and the customer look. Bytes that are new in it, and of its tree.
    async fn publish(&mut self, version: &str) -> Result<(u64, u64)> {
        let tree = self.world.vendor.tree_bytes(version)?;
        if self.published.as_deref() == Some(version) {
            return Ok((0, tree));
        }
        let before = self.world.content_bytes()?;
        self.world.vendor.publish(version)?;
        let new = self.world.content_bytes()? - before;
        let check = self.world.state_of(&Request::Check).await?.check;
        let offer = check.as_ref().and_then(|check| check.offer.as_ref());
        if offer.is_none_or(|offer| offer.version.to_string() != version) {
            bail!("{version} is not offered: {check:?}");
        }
        self.published = Some(version.to_owned());
        Ok((new, tree))
    }
}

fn verdict(rehearsal: &Rehearsal, code: Option<&str>) -> Result<Found> {
    let problem = rehearsal.problem.as_ref();
    match (code, rehearsal.outcome) {
        (Some(code), RehearsalOutcome::Failed) if problem.is_some_and(|it| it.code == code) => {
            Ok(Found::new(code.to_owned()))
        }
        (None, RehearsalOutcome::Passed) => {
            let forecast = rehearsal.forecast.as_ref().context("no forecast")?;
            let text = format!(
                "blackout {:.1} s ({:.1} to {:.1}), way back {:.1} s",
                seconds(forecast.blackout_ms),
                seconds(forecast.blackout_min_ms),
                seconds(forecast.blackout_max_ms),
                seconds(forecast.way_back_ms)
            );
            Ok(Found::new(text)
                .figure("foretold_s", seconds(forecast.blackout_ms))
                .figure("foretold_way_back_s", seconds(forecast.way_back_ms)))
        }
        (_, outcome) => bail!("{outcome:?}: {problem:?}"),
    }
}

/// Seconds that a step took.
fn took(update: &UpdateSummary, name: &str) -> f64 {
    let step = update.steps.iter().find(|step| step.step == name);
    seconds(step.and_then(|step| step.took_ms).unwrap_or(0))
}

fn held(update: &UpdateSummary) -> String {
    format!(
        "requests held {:.1} s (protect {:.1}, migrate {:.1}, start and verify {:.1})",
        seconds(update.blackout_ms.unwrap_or(0)),
        took(update, "protect_database"),
        took(update, "migrate"),
        took(update, "start") + took(update, "verify")
    )
}

fn told(memory: &[(&'static str, u64)]) -> String {
    let each = memory
        .iter()
        .map(|(who, bytes)| format!("{who} {}", mebibytes(*bytes)));
    each.collect::<Vec<_>>().join(", ")
}

fn with_memory(found: Found, memory: Vec<(&'static str, u64)>) -> Found {
    let add = |found: Found, (who, bytes): (&'static str, u64)| found.figure(who, bytes as f64);
    memory.into_iter().fold(found, add)
}

fn foretold(update: &UpdateSummary) -> String {
    let forecast = update.forecast.as_ref();
    forecast.map_or_else(String::new, |forecast| {
        format!(", foretold {:.1} s", seconds(forecast.blackout_ms))
    })
}

fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// The line of a problem's detail that says most: the first that names an error.
fn excerpt(detail: &str) -> String {
    let says = |line: &&str| {
        line.contains("Error") || line.contains("Violation") || line.contains("FAILED")
    };
    let line = detail
        .lines()
        .find(|line| says(line) && !line.contains("CalledProcess"));
    let line = line.or(detail.lines().next()).unwrap_or_default();
    line.trim().chars().take(110).collect()
}
