//! `obnova status`: what is installed and what is going on.

use std::process::ExitCode;

use obnova_engine::api::{Answer, Phase, Request, State};
use obnova_engine::client::Client;
use obnova_text::Text;

use crate::output::{Failed, Output, explain};

/// Asks the engine, without the network.
pub async fn run(client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
    show(client, &Request::State, output).await
}

/// Sends a request that is answered with the state, and prints that.
pub async fn show(client: &Client, request: &Request, output: &Output) -> anyhow::Result<ExitCode> {
    if let Answer::State(state) = client.call(request).await.map_err(Failed)? {
        output.print(&state, |text| describe(text, &state))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(text: &Text, state: &State) -> String {
    let installed = state.installed.to_string();
    let mut lines = vec![text.with(
        "cli-installed",
        &[("name", &state.name), ("version", &installed)],
    )];
    match &state.phase {
        Phase::Idle => {}
        Phase::Updating(running) => {
            lines.push(text.with("cli-updating", &[("version", &running.to.to_string())]));
        }
        Phase::RollingBack(running) => {
            lines.push(text.with("cli-rolling-back", &[("version", &running.to.to_string())]));
        }
    }
    lines.push(match state.serving {
        Some(_) => text.get("cli-serving"),
        None => text.get("cli-holding"),
    });
    let Some(check) = &state.check else {
        lines.push(text.get("cli-never-checked"));
        return lines.join("\n");
    };
    if let Some(problem) = &check.problem {
        lines.push(explain(text, problem));
    }
    match &check.offer {
        None => lines.push(text.get("cli-nothing-newer")),
        Some(offer) => {
            lines.push(text.with("cli-offered", &[("version", &offer.version.to_string())]));
            for notes in &offer.notes {
                let language = text.lang().tag();
                let notes_text = notes
                    .text
                    .get(language)
                    .or_else(|| notes.text.values().next());
                lines.push(format!(
                    "\n{} ({})\n{}",
                    notes.version,
                    notes.date,
                    notes_text.map_or("", |it| it.trim())
                ));
            }
            lines.extend(
                offer
                    .obstacles
                    .iter()
                    .map(|obstacle| format!("\n{}", explain(text, obstacle))),
            );
        }
    }
    lines.join("\n")
}
