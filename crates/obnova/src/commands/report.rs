//! `obnova report`: the diagnostic report, which is JSON in any case.

use std::process::ExitCode;

use obnova_engine::api::{Answer, Request};
use obnova_engine::client::Client;

use crate::output::{Failed, Output};

/// Prints it.
pub async fn run(
    client: &Client,
    update: Option<u64>,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    if let Answer::Report(report) = client
        .call(&Request::Report { update })
        .await
        .map_err(Failed)?
    {
        let json = serde_json::to_string_pretty(&report)?;
        output.print(&report, |_| json)?;
    }
    Ok(ExitCode::SUCCESS)
}
