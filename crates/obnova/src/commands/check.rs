//! `obnova check`: asks the release repository.

use std::process::ExitCode;

use obnova_engine::api::Request;
use obnova_engine::client::Client;

use crate::output::Output;

/// Asks, and shows the state with the answer.
pub async fn run(client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
    super::status::show(client, &Request::Check, output).await
}
