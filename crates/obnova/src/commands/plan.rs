//! `obnova plan`: what an update would do.

use std::process::ExitCode;

use obnova_engine::api::{Answer, Request};
use obnova_engine::client::Client;
use semver::Version;

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
        output.print(&plan, |text| {
            let mut lines = vec![format!("{} -> {}", plan.from, plan.to)];
            for step in &plan.steps {
                let name = text.get(&format!("step-{}", step.step.replace('_', "-")));
                lines.push(format!("  {name}: {}", step.detail));
            }
            let size = |count| obnova_text::bytes(count, text.lang());
            let (needed, free) = (size(plan.disk_needed), size(plan.disk_free));
            lines.push(text.with("cli-disk", &[("needed", &needed), ("free", &free)]));
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
