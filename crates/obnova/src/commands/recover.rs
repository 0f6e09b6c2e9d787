//! `obnova recover`: waits until nothing is left of an interrupted update.

use std::process::ExitCode;
use std::time::Duration;

use obnova_engine::api::{Answer, Phase, Request};
use obnova_engine::client::Client;

use crate::output::{Failed, Output};

const POLL: Duration = Duration::from_millis(300);

/// Recovery itself is what an engine starts with.
pub async fn run(client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
    client.call(&Request::Recover).await.map_err(Failed)?;
    loop {
        match client.call(&Request::State).await.map_err(Failed)? {
            Answer::State(state) if state.phase != Phase::Idle => tokio::time::sleep(POLL).await,
            _ => return super::status::run(client, output).await,
        }
    }
}
