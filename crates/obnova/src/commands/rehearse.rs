//! `obnova rehearse`: tries an update on a clone and follows it to its end.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use obnova_engine::api::{
    Answer, Problem, Rehearsal, RehearsalOutcome, Rehearsing, Request, State, StepStatus,
};
use obnova_engine::client::Client;
use obnova_engine::problem;
use obnova_text::Text;
use semver::Version;
use serde_json::json;

use super::install::actor;
use super::status::{forecasts, rehearsal, rehearsing_at, seconds};
use crate::output::{Failed, Output, REHEARSAL_FAILED, explain, say};

/// A rehearsal has no events: its state is looked at this often.
const POLL: Duration = Duration::from_millis(250);
/// How often a restarting engine is tried again before giving up: about two minutes.
const TRIES: u32 = 480;

/// Steps that there are once, however many versions are gone through.
const COMMON: [&str; 2] = ["download", "clone"];

/// What to do about rehearsals.
pub enum Wish {
    /// Make one of this version and follow it.
    Make(Option<Version>),
    /// Break off the one that runs.
    Cancel,
    /// Print what the newest one of this version said.
    Log(Option<Version>),
}

/// Ending this command does not end the rehearsal; `--cancel` does.
pub async fn run(client: &Client, wish: Wish, output: &Output) -> anyhow::Result<ExitCode> {
    match wish {
        Wish::Make(version) => make(client, version, output).await,
        Wish::Cancel => super::status::show(client, &Request::CancelRehearsal, output).await,
        Wish::Log(version) => log(client, version, output).await,
    }
}

async fn make(
    client: &Client,
    version: Option<Version>,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    client.call(&Request::Check).await.map_err(Failed)?;
    let request = Request::Rehearse {
        version,
        actor: actor(),
    };
    let begun = match client.call(&request).await.map_err(Failed)? {
        Answer::State(state) => *state,
        other => anyhow::bail!("the engine gave an unexpected answer: {other:?}"),
    };
    let Some(running) = begun.rehearsing else {
        anyhow::bail!(output.text.get("cli-rehearsal-nowhere"));
    };
    let wanted = (running.version.clone(), running.started);
    if !output.json {
        let version = running.version.to_string();
        say(&output.text.with("cli-rehearsing", &[("version", &version)]))?;
    }
    let ended = follow(client, running, output).await?;
    let done = ended.rehearsed.as_ref();
    let done = done.filter(|it| it.version == wanted.0 && it.started >= wanted.1);
    // An engine that was started anew meanwhile knows only what counts.
    let done = done.or_else(|| newest(&ended).filter(|it| it.version == wanted.0));
    let Some(done) = done else {
        anyhow::bail!(output.text.get("cli-rehearsal-nowhere"));
    };
    match output.json {
        true => output.line(&json!({ "rehearsal": done }))?,
        false => say(&told(output.text, done))?,
    }
    Ok(code(done))
}

/// Prints steps as they end, until no rehearsal runs; survives a restart of the engine.
async fn follow(
    client: &Client,
    mut running: Rehearsing,
    output: &Output,
) -> anyhow::Result<State> {
    let mut said: BTreeSet<String> = BTreeSet::new();
    let mut tries = 0;
    let mut at = None;
    loop {
        if running.at != at {
            // The same steps again, of the next version.
            said.retain(|step| COMMON.contains(&step.as_str()));
            at.clone_from(&running.at);
            print_at(&running, output)?;
        }
        print_new(&running, &mut said, output)?;
        tokio::time::sleep(POLL).await;
        match client.call(&Request::State).await {
            Ok(Answer::State(state)) => {
                tries = 0;
                match state.rehearsing {
                    Some(next) => running = next,
                    None => return Ok(*state),
                }
            }
            Ok(other) => anyhow::bail!("the engine gave an unexpected answer: {other:?}"),
            Err(problem) if tries >= TRIES => return Err(Failed(problem).into()),
            Err(_) => tries += 1,
        }
    }
}

fn print_at(running: &Rehearsing, output: &Output) -> anyhow::Result<()> {
    match (rehearsing_at(output.text, running), output.json) {
        (Some(_), true) => output.line(&json!({ "at": running.at }))?,
        (Some(line), false) => say(&line)?,
        (None, _) => {}
    }
    Ok(())
}

fn print_new(
    running: &Rehearsing,
    said: &mut BTreeSet<String>,
    output: &Output,
) -> anyhow::Result<()> {
    for step in &running.steps {
        if step.status != StepStatus::Done || !said.insert(step.step.clone()) {
            continue;
        }
        let took = step.took_ms.unwrap_or(0);
        match output.json {
            true => output.line(&json!({ "step": step }))?,
            false => say(&format!(
                "  {} ({})",
                output.text.step(&step.step),
                seconds(took)
            ))?,
        }
    }
    Ok(())
}

fn newest(state: &State) -> Option<&Rehearsal> {
    state.check.as_ref()?.offer.as_ref()?.rehearsal.as_ref()
}

fn told(text: &Text, done: &Rehearsal) -> String {
    let mut lines = vec![rehearsal(text, done)];
    lines.extend(forecasts(text, done));
    if let Some(problem) = &done.problem {
        lines.push(explain(text, problem));
        let version = done.version.to_string();
        lines.push(text.with("cli-rehearsal-log", &[("version", &version)]));
    }
    lines.join("\n")
}

fn code(done: &Rehearsal) -> ExitCode {
    match done.outcome {
        RehearsalOutcome::Passed => ExitCode::SUCCESS,
        RehearsalOutcome::Failed => ExitCode::from(REHEARSAL_FAILED),
        RehearsalOutcome::NotMade => ExitCode::FAILURE,
    }
}

async fn log(
    client: &Client,
    version: Option<Version>,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    let version = match version {
        Some(version) => version,
        None => match client.call(&Request::State).await.map_err(Failed)? {
            Answer::State(state) => match newest(&state) {
                Some(known) => known.version.clone(),
                None => return Err(Failed(Problem::new(problem::NOTHING_TO_INSTALL)).into()),
            },
            other => anyhow::bail!("the engine gave an unexpected answer: {other:?}"),
        },
    };
    match client
        .call(&Request::RehearsalLog { version })
        .await
        .map_err(Failed)?
    {
        Answer::Log { lines } => output.print(&lines, |_| lines.join("\n"))?,
        other => anyhow::bail!("the engine gave an unexpected answer: {other:?}"),
    }
    Ok(ExitCode::SUCCESS)
}
