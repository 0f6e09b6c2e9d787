//! `obnova status`: what is installed and what is going on.

use std::process::ExitCode;

use obnova_center::proven;
use obnova_engine::api::{
    Answer, Expired, Forecast, ForecastTraffic, Isolation, Phase, Rehearsal, RehearsalOutcome,
    Request, State,
};
use obnova_engine::client::Client;
use obnova_text::Text;
use semver::Version;

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
    if let Some(running) = &state.rehearsing {
        let version = running.version.to_string();
        lines.push(text.with("cli-rehearsing", &[("version", &version)]));
        let at = running.at.as_ref();
        lines.extend(at.and_then(|at| rehearsing_at(text, &running.route, at)));
    }
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
            if let Some(known) = &offer.rehearsal {
                lines.push(rehearsal(text, known));
                lines.extend(forecasts(text, known));
            }
            lines.extend(proven::words(text, offer.proof.as_ref(), &state.installed));
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

/// How a rehearsal ended, and what it is worth now.
pub fn rehearsal(text: &Text, known: &Rehearsal) -> String {
    let version = known.version.to_string();
    let finished = known.finished.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let key = match known.outcome {
        RehearsalOutcome::Passed => "cli-rehearsal-passed",
        RehearsalOutcome::Failed => "cli-rehearsal-failed",
        RehearsalOutcome::NotMade => "cli-rehearsal-not-made",
    };
    let args = [("version", version.as_str()), ("at", finished.as_str())];
    let mut line = text.with(key, &args);
    if let Some(failed) = known.failed.as_ref().filter(|_| !known.walk.is_empty()) {
        let version = failed.to_string();
        line += &format!(
            " {}",
            text.with("cli-rehearsal-walk-failed", &[("version", &version)])
        );
    }
    let expired = known.expired.map(|why| match why {
        Expired::Version => "rehearsal-expired-version",
        Expired::Route => "rehearsal-expired-route",
        Expired::Age => "rehearsal-expired-age",
        Expired::Growth => "rehearsal-expired-growth",
    });
    if let Some(why) = expired {
        line += &format!(" {} {}", text.get("rehearsal-expired"), text.get(why));
    }
    if known.isolation == Isolation::None && known.outcome != RehearsalOutcome::NotMade {
        line += &format!(" {}", text.get("rehearsal-not-isolated"));
    }
    line
}

/// Which of several versions a rehearsal has come to.
pub fn rehearsing_at(text: &Text, route: &[Version], at: &Version) -> Option<String> {
    let number = route.iter().position(|version| version == at)? + 1;
    if route.len() < 2 {
        return None;
    }
    let args = [
        ("at", at.to_string()),
        ("number", number.to_string()),
        ("total", route.len().to_string()),
    ];
    let args = args.each_ref().map(|(name, value)| (*name, value.as_str()));
    Some(text.with("cli-rehearsal-running-at", &args))
}

/// What an update will take: all of it, and version after version where there are several.
pub fn forecasts(text: &Text, known: &Rehearsal) -> Vec<String> {
    let Some(all) = &known.forecast else {
        return Vec::new();
    };
    let hops = known.walk.iter().filter_map(|hop| {
        let version = hop.version.to_string();
        let name = text.with("cli-rehearsal-walk", &[("version", &version)]);
        Some(format!(
            "  {name} {}",
            forecast(text, hop.forecast.as_ref()?)
        ))
    });
    std::iter::once(forecast(text, all)).chain(hops).collect()
}

/// What an update will take.
pub fn forecast(text: &Text, forecast: &Forecast) -> String {
    let key = match forecast.traffic {
        ForecastTraffic::Hold => "cli-forecast-hold",
        ForecastTraffic::MaintenancePage => "cli-forecast-page",
    };
    text.with(
        key,
        &[
            ("time", &seconds(forecast.blackout_ms)),
            ("shortest", &seconds(forecast.blackout_min_ms)),
            ("longest", &seconds(forecast.blackout_max_ms)),
            ("back", &seconds(forecast.way_back_ms)),
            (
                "disk",
                &obnova_text::bytes(forecast.disk_bytes, text.lang()),
            ),
            ("deadline", &format!("{} s", forecast.deadline_s)),
        ],
    )
}

/// Milliseconds as seconds, the same in every language, for those who compare lines.
pub fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03} s", milliseconds / 1000, milliseconds % 1000)
}
