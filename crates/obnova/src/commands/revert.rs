//! `obnova revert`: says what going back would lose, saves it on demand, and goes back.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use obnova_engine::api::{Answer, Exported, Request, RevertPlan, State, TableChange};
use obnova_engine::client::Client;
use obnova_text::Text;
use serde_json::json;

use super::install::{actor, follow};
use crate::output::{Failed, Output, say};

/// Ending this command does not end the way back.
pub async fn run(
    client: &Client,
    export: Option<PathBuf>,
    yes: bool,
    output: &Output,
) -> anyhow::Result<ExitCode> {
    let after = match client.call(&Request::State).await.map_err(Failed)? {
        Answer::State(state) => State::clone(&state).last_event,
        _ => 0,
    };
    let Answer::RevertPlan(plan) = client.call(&Request::RevertPlan).await.map_err(Failed)? else {
        anyhow::bail!("the engine gave an unexpected answer");
    };
    match output.json {
        true => output.line(&json!({ "plan": plan }))?,
        false => say(&describe(output.text, &plan))?,
    }
    if let Some(obstacle) = plan.obstacles.into_iter().next() {
        return Err(Failed(obstacle).into());
    }
    if let Some(directory) = export {
        let directory = std::path::absolute(directory)?;
        let request = Request::Export { directory };
        if let Answer::Exported(exported) = client.call(&request).await.map_err(Failed)? {
            match output.json {
                true => output.line(&json!({ "exported": exported }))?,
                false => say(&saved_in(output.text, &exported))?,
            }
        }
    }
    if !yes && !confirmed(output)? {
        anyhow::bail!(output.text.get("cli-revert-refused"));
    }
    let request = Request::Revert {
        update: plan.update,
        actor: actor(),
    };
    match client.call(&request).await.map_err(Failed)? {
        Answer::Started { update } => follow(client, update, after, "cli-went-back", output).await,
        other => anyhow::bail!("the engine gave an unexpected answer: {other:?}"),
    }
}

/// Asks whoever sits at the terminal. Nobody there has not agreed.
fn confirmed(output: &Output) -> anyhow::Result<bool> {
    let stdin = std::io::stdin();
    if output.json || !stdin.is_terminal() {
        return Ok(false);
    }
    let mut terminal = std::io::stdout();
    write!(terminal, "{} ", output.text.get("cli-revert-ask"))?;
    terminal.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    let yes = output.text.get("cli-revert-yes");
    Ok(answer.trim().eq_ignore_ascii_case(&yes))
}

fn saved_in(text: &Text, exported: &Exported) -> String {
    let directory = exported.directory.display().to_string();
    let size = obnova_text::bytes(exported.bytes, text.lang());
    text.with(
        "cli-revert-saved",
        &[("directory", &directory), ("size", &size)],
    )
}

fn describe(text: &Text, plan: &RevertPlan) -> String {
    let (from, to) = (plan.from.to_string(), plan.to.to_string());
    let since = plan.since.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let mut lines = vec![text.with(
        "cli-revert-plan",
        &[("from", &from), ("to", &to), ("since", &since)],
    )];
    match &plan.written {
        None => lines.push(format!("  {}", text.get("cli-revert-unknown"))),
        Some(tables) => {
            let told: Vec<String> = tables.iter().filter_map(|it| changed(text, it)).collect();
            match told.is_empty() {
                true => lines.push(format!("  {}", text.get("cli-revert-nothing"))),
                false => lines.extend(told),
            }
        }
    }
    let files = plan.files_changed.to_string();
    let files = text.with("cli-revert-files", &[("count", &files)]);
    lines.push(format!("  {files}"));
    lines.join("\n")
}

/// What was written to a table; `None` when nothing was, as far as can be told.
fn changed(text: &Text, table: &TableChange) -> Option<String> {
    let parts = [
        ("cli-revert-inserted", table.inserted),
        ("cli-revert-updated", table.updated),
        ("cli-revert-deleted", table.deleted),
    ];
    let told: Vec<String> = parts
        .into_iter()
        .filter_map(|(key, count)| {
            let count = count.filter(|count| *count > 0)?.to_string();
            Some(text.with(key, &[("count", &count)]))
        })
        .collect();
    let known = parts.iter().any(|(_, count)| count.is_some());
    match (told.is_empty(), known) {
        (true, true) => None,
        (true, false) => Some(format!(
            "  {}: {}",
            table.table,
            text.get("cli-revert-table-unknown")
        )),
        (false, _) => Some(format!("  {}: {}", table.table, told.join(", "))),
    }
}
