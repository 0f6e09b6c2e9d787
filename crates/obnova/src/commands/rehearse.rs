//! `obnova rehearse`: tries an update on a clone and follows it to its end.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use obnova_engine::api::{
    Answer, Problem, Rehearsal, RehearsalOutcome, Rehearsing, Request, State, StepState, StepStatus,
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
    let mut printed = Printed::default();
    let ended = follow(client, running, &mut printed, output).await?;
    let done = ended.rehearsed.as_ref();
    let done = done.filter(|it| it.version == wanted.0 && it.started >= wanted.1);
    // An engine that was started anew meanwhile knows only what counts.
    let done = done.or_else(|| newest(&ended).filter(|it| it.version == wanted.0));
    let Some(done) = done else {
        anyhow::bail!(output.text.get("cli-rehearsal-nowhere"));
    };
    if done.outcome != RehearsalOutcome::NotMade {
        printed.ended(done, output)?;
    }
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
    printed: &mut Printed,
    output: &Output,
) -> anyhow::Result<State> {
    let mut tries = 0;
    loop {
        printed.running(&running, output)?;
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

/// What has been told of a rehearsal, so that everything is told once however late it is seen.
#[derive(Default)]
struct Printed {
    versions: BTreeSet<Version>,
    steps: BTreeSet<(Option<Version>, String)>,
}

impl Printed {
    fn version(
        &mut self,
        at: &Version,
        route: &[Version],
        steps: &[StepState],
        output: &Output,
    ) -> anyhow::Result<()> {
        if self.versions.insert(at.clone()) {
            match (rehearsing_at(output.text, route, at), output.json) {
                (Some(_), true) => output.line(&json!({ "at": at }))?,
                (Some(line), false) => say(&line)?,
                (None, _) => {}
            }
        }
        for step in steps {
            let is_common = COMMON.contains(&step.step.as_str());
            let key = ((!is_common).then(|| at.clone()), step.step.clone());
            if step.status != StepStatus::Done || !self.steps.insert(key) {
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

    fn running(&mut self, running: &Rehearsing, output: &Output) -> anyhow::Result<()> {
        for hop in &running.tried {
            self.version(&hop.version, &running.route, &hop.steps, output)?;
        }
        let at = running.at.as_ref().unwrap_or(&running.version);
        self.version(at, &running.route, &running.steps, output)
    }

    /// What ended after the last look.
    fn ended(&mut self, done: &Rehearsal, output: &Output) -> anyhow::Result<()> {
        let route = done.route();
        for hop in done.walk.iter().filter(|hop| !hop.steps.is_empty()) {
            self.version(&hop.version, &route, &hop.steps, output)?;
        }
        let last = done.failed.as_ref().unwrap_or(&done.version);
        self.version(last, &route, &done.steps, output)
    }
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
