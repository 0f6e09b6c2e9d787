//! The stations where an update is tried on a clone first, and where a finished one is taken back.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use obnova_engine::api::{Outcome, Rehearsal, RehearsalOutcome, Request, UpdateKind};
use obnova_engine::problem;

use super::{Tour, Watch};

/// How long a rehearsal may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);
/// Somebody who was entered after the update that is taken back.
const NEWCOMER: &str = "Nadbytečná";

impl Tour<'_> {
    /// Presses Rehearse and waits for its end; the CRM must not notice.
    pub(super) async fn rehearses(&mut self, version: &str) -> Result<String> {
        let done = self.rehearse(version).await?;
        ensure!(
            done.outcome == RehearsalOutcome::Passed,
            "it ended as {:?}: {:?}",
            done.outcome,
            done.problem
        );
        let forecast = done.forecast.context("nothing is foretold")?;
        let page = self.admin.open("/updates/offer").await?;
        let text = page.text();
        for wanted in ["Zkouška prošla", "Požadavky budou čekat", "Návrat zpět"] {
            ensure!(text.contains(wanted), "the page lacks “{wanted}”: {text}");
        }
        Ok(format!(
            "forecast {} ms ({} to {}), way back {} ms; cut off from the network: {:?}",
            forecast.blackout_ms,
            forecast.blackout_min_ms,
            forecast.blackout_max_ms,
            forecast.way_back_ms,
            done.isolation
        ))
    }

    /// The same with a version that cannot be installed on this data: it is refused from then on, unless somebody insists.
    pub(super) async fn rehearses_in_vain(&mut self, version: &str, code: &str) -> Result<String> {
        let done = self.rehearse(version).await?;
        ensure!(
            done.outcome == RehearsalOutcome::Failed,
            "it ended as {:?}: {:?}",
            done.outcome,
            done.problem
        );
        let why = done.problem.context("no reason is given")?;
        ensure!(
            why.code == code,
            "the reason is {}: {:?}",
            why.code,
            why.detail
        );
        let state = self.world.state(Request::State).await?;
        let offer = state.check.and_then(|check| check.offer);
        let offer = offer.context("nothing is offered")?;
        let is_it = |it: &obnova_engine::api::Problem| it.code == problem::REHEARSAL_FAILED;
        ensure!(
            offer.obstacles.iter().any(is_it) && offer.may_insist,
            "it can be installed as if nothing had happened"
        );
        let request = Request::Install {
            version: None,
            actor: "tour".to_owned(),
            insist: false,
        };
        match self.world.engine().call(&request).await {
            Err(problem) if is_it(&problem) => {}
            other => bail!("without insisting it was answered {other:?}"),
        }
        let log = self
            .admin
            .open(&format!("/updates/rehearsal/{version}"))
            .await?;
        ensure!(
            log.text().contains("Výpis zkoušky"),
            "the page about it has no log: {}",
            log.text()
        );
        Ok(format!("{}; Install is refused", why.code))
    }

    async fn rehearse(&mut self, version: &str) -> Result<Rehearsal> {
        let served = self.world.served_version().await?;
        let before = self.world.fingerprints().await?;
        let record = self.world.state_dir.join("service.json");
        let process = std::fs::read_to_string(&record)?;
        let watch = Watch::start(self.world.front.to_string());
        let page = self.admin.open("/updates/offer").await?;
        self.admin.send(&page, "/updates/rehearsal", &[]).await?;
        let done = self.ended_rehearsal(version).await;
        let seen = watch.end().await?;
        let done = done?;
        ensure!(
            seen.keys().all(|answer| answer == &format!("200 {served}")),
            "the CRM noticed: {seen:?}"
        );
        for (before, after) in before.iter().zip(&self.world.fingerprints().await?) {
            before.expect_same(after)?;
        }
        ensure!(
            process == std::fs::read_to_string(&record)?,
            "the CRM was started anew"
        );
        // The result is told before the last file is away.
        let until = Instant::now() + Duration::from_secs(30);
        while let Err(left) = self.nothing_is_left() {
            ensure!(Instant::now() < until, "{left:#}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(done)
    }

    async fn ended_rehearsal(&self, version: &str) -> Result<Rehearsal> {
        let until = Instant::now() + PATIENCE;
        loop {
            let state = self.world.state(Request::State).await?;
            if state.rehearsing.is_none() {
                let offer = state.check.and_then(|check| check.offer);
                let done = offer.and_then(|offer| offer.rehearsal);
                return done
                    .filter(|done| done.version.to_string() == version)
                    .with_context(|| format!("no rehearsal of {version} is known"));
            }
            ensure!(
                Instant::now() < until,
                "it did not end: {:?}",
                state.rehearsing
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The clone is gone, and no process of it runs.
    fn nothing_is_left(&self) -> Result<()> {
        let clone = self.world.state_dir.join("rehearsal");
        ensure!(!clone.exists(), "{} is left", clone.display());
        let clone = clone.display().to_string();
        for entry in std::fs::read_dir("/proc")? {
            let place = entry?.path();
            let line = std::fs::read(place.join("cmdline")).unwrap_or_default();
            let cwd = std::fs::read_link(place.join("cwd")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            ensure!(
                !line.contains(&clone) && !cwd.starts_with(&clone),
                "{} still runs: {line}",
                place.display()
            );
        }
        Ok(())
    }

    /// The installed version is left again for the one before, which has its data of then.
    pub(super) async fn goes_back(&mut self, to: &str) -> Result<String> {
        let client = reqwest::Client::new();
        let newcomer = serde_json::json!({ "first_name": "Nora", "last_name": NEWCOMER });
        let address = format!("http://{}/api/contacts", self.world.front);
        let answer = client.post(address).json(&newcomer).send().await?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        let copies = match self.world.engine().call(&Request::Copies).await {
            Ok(obnova_engine::api::Answer::Copies { copies }) => copies,
            other => bail!("copies: {other:?}"),
        };
        let copy = copies.iter().find(|copy| copy.can_revert);
        let update = copy.context("no copy leads back")?.update;
        let page = self
            .admin
            .open(&format!("/history/{update}/revert"))
            .await?;
        ensure!(
            page.text().contains("Co se ztratí"),
            "the page does not say what is lost: {}",
            page.text()
        );
        let last = self.world.state(Request::State).await?.last_update;
        let last = last.map_or(0, |update| update.update);
        self.admin
            .send(
                &page,
                &format!("/history/{update}/revert"),
                &[("confirm", to)],
            )
            .await?;
        let ended = self.world.ended_update(last + 1).await?;
        ensure!(
            ended.outcome == Outcome::Completed,
            "it was undone: {:?}",
            ended.problem
        );
        ensure!(
            ended.kind == UpdateKind::Revert { of: update },
            "{:?}",
            ended.kind
        );
        let served = self.world.served_version().await?;
        ensure!(served == to, "it serves {served}");
        let left = self
            .count("SELECT COUNT(*) FROM contact WHERE last_name = 'Nadbytečná'")
            .await?;
        ensure!(left == 0, "what was written since is still there");
        let page = self.admin.open("/updates").await?;
        let text = format!("Návrat k verzi {to} je dokončen");
        ensure!(page.text().contains(&text), "{}", page.text());
        let mails = self.expect_mails(2).await?;
        Ok(format!(
            "requests held for {} ms, {mails}",
            ended.blackout_ms.unwrap_or(0)
        ))
    }
}
