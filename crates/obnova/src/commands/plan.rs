//! `obnova plan`: what an update would do.

use std::process::ExitCode;

use obnova_engine::api::{Answer, Plan, Rehearsal, Request};
use obnova_engine::client::Client;
use semver::Version;

use super::status::{forecasts, rehearsal};
use crate::output::{Failed, Output, explain};

/// The dry run.
pub async fn run(
    client: &Client,
    version: Option<Version>,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    if let Answer::Plan(plan) = client
        .call(&Request::Plan { version })
        .await
        .map_err(Failed)?
    {
        let known = rehearsed(client, &plan).await;
        output.print(&plan, |text| {
            let mut lines = vec![format!("{} -> {}", plan.from, plan.to)];
            for step in &plan.steps {
                let name = text.get(&format!("step-{}", step.step.replace('_', "-")));
                lines.push(format!("  {name}: {}", step.detail));
            }
            let size = |count| obnova_text::bytes(count, text.lang());
            let (needed, free) = (size(plan.disk_needed), size(plan.disk_free));
            lines.push(text.with("cli-disk", &[("needed", &needed), ("free", &free)]));
            if let Some(known) = &known {
                lines.push(rehearsal(text, known));
                lines.extend(forecasts(text, known));
            }
            lines.extend(
                plan.obstacles
                    .iter()
                    .map(|obstacle| explain(text, obstacle)),
            );
            lines.join("\n")
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The newest rehearsal of what is planned, if the engine has one.
async fn rehearsed(client: &Client, plan: &Plan) -> Option<Rehearsal> {
    let Ok(Answer::State(state)) = client.call(&Request::State).await else {
        return None;
    };
    let known = state.check?.offer?.rehearsal?;
    let last = plan.then.last().unwrap_or(&plan.to);
    (known.version == *last).then_some(known)
}
