//! `obnova history`: all updates.

use std::process::ExitCode;

use obnova_engine::api::{Answer, Outcome, Request, UpdateKind, UpdateSummary};
use obnova_engine::client::Client;
use obnova_text::Text;

use super::status::seconds;
use crate::output::{Failed, Output};

/// Lists them, newest first.
pub async fn run(client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
    if let Answer::History { updates } = client.call(&Request::History).await.map_err(Failed)? {
        output.print(&updates, |text| match updates.is_empty() {
            true => text.get("cli-no-history"),
            false => updates
                .iter()
                .map(|update| line(text, update))
                .collect::<Vec<_>>()
                .join("\n"),
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn line(text: &Text, update: &UpdateSummary) -> String {
    let outcome = text.get(match update.outcome {
        Outcome::Running => "cli-outcome-running",
        Outcome::Completed if update.kind != UpdateKind::Install => "cli-outcome-reverted",
        Outcome::Completed => "cli-outcome-completed",
        Outcome::RolledBack => "cli-outcome-rolled-back",
    });
    let started = update.started.strftime("%Y-%m-%d %H:%M");
    let mut line = format!(
        "{:>4}  {started} UTC  {} -> {}  {outcome}  {}",
        update.update, update.from, update.to, update.actor
    );
    let held = update.blackout_ms.map(|ms| ("cli-held", ms));
    let forecast = update.forecast.as_ref();
    let foretold = forecast.map(|it| ("cli-foretold", it.blackout_ms));
    for (key, ms) in held.into_iter().chain(foretold) {
        line += &format!("  {}", text.with(key, &[("time", &seconds(ms))]));
    }
    line
}
