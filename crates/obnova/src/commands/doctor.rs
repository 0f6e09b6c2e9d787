//! `obnova doctor`: whether this installation is fit, and how its data can be protected at what cost.

use std::process::ExitCode;

use obnova_engine::api::{Answer, Doctor, Finding, Health, Request, RungFacts};
use obnova_engine::client::Client;
use obnova_text::Text;

use crate::output::{Failed, Output, explain};

/// Looks, and prints what was found; fails when something is bad.
pub async fn run(client: &Client, measure: bool, output: &Output) -> anyhow::Result<ExitCode> {
    let answer = client.call(&Request::Doctor { measure }).await;
    let Answer::Doctor(doctor) = answer.map_err(Failed)? else {
        anyhow::bail!("the engine gave an unexpected answer");
    };
    output.print(&doctor, |text| describe(text, &doctor))?;
    let is_bad = |finding: &Finding| finding.health == Health::Bad;
    Ok(match doctor.findings.iter().any(is_bad) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

fn describe(text: &Text, doctor: &Doctor) -> String {
    let mut lines = vec![doctor.database.clone()];
    lines.extend(
        doctor
            .rungs
            .iter()
            .map(|rung| format!("  {}", way(text, rung))),
    );
    lines.extend(doctor.rights.iter().map(|right| format!("  {right}")));
    for finding in &doctor.findings {
        let health = text.get(match finding.health {
            Health::Good => "doctor-good",
            Health::Fair => "doctor-fair",
            Health::Bad => "doctor-bad",
        });
        let topic = text.get(&format!("doctor-{}", finding.topic));
        lines.push(format!("{health}  {topic}: {}", finding.detail));
        let problem = finding.problem.clone().map(|mut problem| {
            // It is what has just been said.
            problem.detail = None;
            explain(text, &problem)
        });
        let words = problem.unwrap_or_default();
        lines.extend(words.lines().map(|line| format!("      {line}")));
    }
    lines.join("\n")
}

fn way(text: &Text, rung: &RungFacts) -> String {
    let seconds =
        |milliseconds: u64| format!("{}.{:03} s", milliseconds / 1000, milliseconds % 1000);
    let mark = if rung.chosen { "*" } else { " " };
    let mut words = format!("{mark} {}", rung.rung);
    if let Some(why) = &rung.why_not {
        words += &format!(": {why}");
        return words;
    }
    let figures = [
        ("doctor-protect", rung.protect_ms.map(seconds)),
        ("doctor-return", rung.restore_ms.map(seconds)),
        (
            "doctor-takes",
            rung.disk_bytes
                .map(|it| obnova_text::bytes(it, text.lang())),
        ),
    ];
    for (key, figure) in figures {
        if let Some(figure) = figure {
            words += &format!(", {}", text.with(key, &[("figure", &figure)]));
        }
    }
    if let Some(measured) = &rung.measured {
        words += &format!(" ({measured})");
    }
    words
}
