//! `obnova install`: starts an update and follows it to its end.

use std::process::ExitCode;
use std::time::Duration;

use obnova_engine::api::{Answer, EventKind, Line, Request, State, UpdateId};
use obnova_engine::client::Client;
use semver::Version;

use super::status::seconds;
use crate::output::{Failed, Output, ROLLED_BACK, explain, say};

/// How long a restarting engine is waited for while following.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);
const RECONNECT_TRIES: u32 = 240;

/// Starts and follows. Ending this command does not end the update.
pub async fn run(
    client: &Client,
    version: Option<Version>,
    insist: bool,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    let checked = client.call(&Request::Check).await.map_err(Failed)?;
    let after = match checked {
        Answer::State(state) => State::clone(&state).last_event,
        _ => 0,
    };
    let actor = actor();
    let request = Request::Install {
        version,
        actor,
        insist,
    };
    match client.call(&request).await.map_err(Failed)? {
        Answer::Started { update } => follow(client, update, after, "cli-completed", output).await,
        other => anyhow::bail!("the engine gave an unexpected answer: {other:?}"),
    }
}

/// Who asks, for the journal and the mails.
pub(super) fn actor() -> String {
    format!("cli:{}", rustix::process::getuid().as_raw())
}

/// Prints events until the last version of the click has ended, with the text `completed` at a good end; survives a restart of
/// the engine.
pub(super) async fn follow(
    client: &Client,
    update: UpdateId,
    mut after: u64,
    completed: &str,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    let mut tries = 0;
    loop {
        match client.events(after, true).await {
            Ok(mut events) => {
                tries = 0;
                while let Ok(Some(line)) = events.next().await {
                    let Line::Event(event) = line else { continue };
                    after = event.number;
                    if event.update < update {
                        continue;
                    }
                    if output.json {
                        output.line(&event)?;
                    } else if let Some(words) = describe(&event.kind, completed, output) {
                        say(&words)?;
                    }
                    if let Some(code) = end(&event.kind, client).await {
                        return Ok(code);
                    }
                }
            }
            Err(problem) if tries >= RECONNECT_TRIES => return Err(Failed(problem).into()),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
}

fn describe(kind: &EventKind, completed: &str, output: &Output) -> Option<String> {
    let text = output.text;
    let step_name = |step: &str| text.get(&format!("step-{}", step.replace('_', "-")));
    Some(match kind {
        EventKind::UpdateStarted {
            from, to, forecast, ..
        } => match forecast {
            Some(forecast) => format!(
                "{from} -> {to}\n{}",
                super::status::forecast(text, forecast)
            ),
            None => format!("{from} -> {to}"),
        },
        EventKind::StepFinished { step, took_ms, .. } => {
            format!("  {} ({})", step_name(step), seconds(*took_ms))
        }
        EventKind::StepFailed { step, .. } => {
            text.with("cli-step-failed", &[("step", &step_name(step))])
        }
        EventKind::UndoFinished { step, .. } => {
            text.with("cli-step-undone", &[("step", &step_name(step))])
        }
        EventKind::Completed { blackout_ms } => {
            text.with(completed, &[("blackout", &seconds(*blackout_ms))])
        }
        EventKind::RolledBack { problem, .. } => explain(text, problem),
        EventKind::StepStarted { .. } | EventKind::UndoStarted { .. } => return None,
    })
}

/// The exit code, once nothing more follows.
async fn end(kind: &EventKind, client: &Client) -> Option<ExitCode> {
    match kind {
        EventKind::RolledBack { .. } => Some(ExitCode::from(ROLLED_BACK)),
        EventKind::Completed { .. } => match client.call(&Request::History).await {
            Ok(Answer::History { updates })
                if updates
                    .first()
                    .is_some_and(|update| !update.then.is_empty()) =>
            {
                None
            }
            _ => Some(ExitCode::SUCCESS),
        },
        _ => None,
    }
}
