//! `cargo xtask crash`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use obnova_crash::app::App;
use obnova_crash::campaign::{self, Done, Plan};
use obnova_crash::planted::Planted;
use obnova_crash::round::Scenario;
use obnova_crash::{life, prepared, roles, table};
use rand::Rng;

/// Kills, starves and cuts off whole installations at every moment of an update, and looks that each ends old or new.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask crash")]
struct Options {
    /// Everything random follows from it; round n of a run has the seed plus n
    #[arg(long)]
    seed: Option<u64>,
    /// Random rounds
    #[arg(long)]
    rounds: Option<u64>,
    /// Begin no round after so many minutes
    #[arg(long)]
    minutes: Option<f64>,
    /// crm-sqlite or crm-postgres
    #[arg(long, default_value = "crm-sqlite")]
    app: String,
    /// How PostgreSQL is protected: copy, dump, standby, file_system
    #[arg(long)]
    rung: Option<String>,
    /// Strike before and after every change to the disk, the records of the journal among them; with a number, every n-th of them
    #[arg(long, num_args = 0..=1, default_missing_value = "1")]
    enumerate: Option<usize>,
    /// Only these faults
    #[arg(long)]
    fault: Vec<String>,
    /// Only these updates: good, migration-fails, unhealthy, revert
    #[arg(long)]
    scenario: Vec<String>,
    /// Plant a defect and see that it is found: drop-sync, act-before-record, skip-clean-up, all
    #[arg(long)]
    planted: Option<String>,
    /// Rounds at a time; most of a round is waiting
    #[arg(long, default_value_t = 4)]
    parallel: usize,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    /// Where prepared installations and failed rounds go; what is prepared there already is used. Default: a new folder that is
    /// removed at the end of a run without violations
    #[arg(long)]
    dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next().unwrap_or_default();
    let rest: Vec<String> = match first.to_str() {
        Some(roles::LAUNCH) => return roles::launch(arguments),
        Some(roles::REHEARSE) => return obnova_engine::rehearsal::work(arguments),
        _ => arguments
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect(),
    };
    let result = match (first.to_str(), rest.as_slice()) {
        (Some(roles::ENGINE), [state, socket]) => {
            roles::engine(Path::new(state), Path::new(socket)).map(|()| true)
        }
        (Some("prepare"), [order]) => parsed(order)
            .and_then(|order| prepared::work(&order))
            .map(|()| true),
        (Some("life"), [order]) => parsed(order)
            .and_then(|order| life::work(&order))
            .map(|()| true),
        _ => run(&Options::parse()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crash: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    Ok(serde_json::from_str(text)?)
}

fn run(options: &Options) -> Result<bool> {
    let began = Instant::now();
    let seed = options
        .seed
        .unwrap_or_else(|| rand::rng().random_range(0..1_000_000_000));
    let temporary = tempfile::Builder::new().prefix("obnova-crash-").tempdir()?;
    let directory = match &options.dir {
        Some(directory) => std::path::absolute(directory)?,
        None => temporary.path().to_owned(),
    };
    let app = App::named(&options.app, options.rung.as_deref())?;
    let mut plan = Plan {
        faults: match options.fault.is_empty() {
            true => campaign::faults_of(&app),
            false => options.fault.clone(),
        },
        scenarios: scenarios(&options.scenario)?,
        app,
        seed,
        rounds: options.rounds.unwrap_or(match options.enumerate {
            Some(_) => 0,
            None => 20,
        }),
        enumerate: options.enumerate,
        until: options
            .minutes
            .map(|minutes| began + Duration::from_secs_f64(minutes * 60.0)),
        parallel: options.parallel,
        planted: None,
        directory,
    };
    for fault in &plan.faults {
        obnova_crash::faults::named(fault)?;
    }
    eprintln!("seed {seed}; preparing {}", plan.app.name());
    let ready = campaign::ready(&plan)?;
    for scenario in &plan.scenarios {
        let (changes, records) = ready.changes(*scenario);
        eprintln!(
            "undisturbed, {}: {changes} changes to the disk, {records} of them records of the journal, {} ms",
            scenario.title(),
            ready.took_ms(*scenario)
        );
    }
    let mut is_good = true;
    match options.planted.as_deref() {
        None => {
            let done = all(&plan, &ready)?;
            let lines = table::lines(&done);
            match options.json {
                true => println!(
                    "{}",
                    serde_json::to_string(
                        &serde_json::json!({ "seed": seed, "lines": lines, "rounds": done })
                    )?
                ),
                false => print!("{}", table::markdown(&lines)),
            }
            is_good = done.iter().all(|one| one.outcome.violations.is_empty());
        }
        Some(name) => {
            let wanted: Vec<Planted> = Planted::ALL
                .into_iter()
                .filter(|planted| name == "all" || planted.name() == name)
                .collect();
            if wanted.is_empty() {
                bail!("no defect {name}");
            }
            for planted in wanted {
                plan.planted = Some(planted);
                let done = all(&plan, &ready)?;
                let caught = done
                    .iter()
                    .filter(|one| !one.outcome.violations.is_empty())
                    .count();
                println!(
                    "{}: caught in {caught} of {} rounds",
                    planted.name(),
                    done.len()
                );
                is_good &= caught > 0;
            }
        }
    }
    if !is_good && options.dir.is_none() {
        eprintln!(
            "what is kept of failed rounds: {}",
            temporary.keep().display()
        );
    }
    Ok(is_good)
}

fn all(plan: &Plan, ready: &campaign::Ready) -> Result<Vec<Done>> {
    let rounds = campaign::rounds(plan, ready)?;
    let count = rounds.len();
    campaign::run(plan, ready, &rounds, &|index, one| {
        let outcome = &one.outcome;
        let end = outcome
            .end
            .map_or("?".to_owned(), |end| format!("{end:?}").to_lowercase());
        let again: Vec<String> = outcome
            .serve_again_ms
            .iter()
            .map(|it| table::seconds(*it))
            .collect();
        eprintln!(
            "{}/{count} seed {} {}: {end}, served again after {}{}{}",
            index + 1,
            one.round.seed,
            one.round,
            again.join(" and "),
            match outcome.at.is_empty() {
                true => String::new(),
                false => format!("; at {}", outcome.at.join(" and ")),
            },
            match &one.folder {
                Some(folder) => format!(
                    "\n    VIOLATED: {}\n    see {}",
                    outcome.violations.join("\n    "),
                    folder.display()
                ),
                None => String::new(),
            }
        );
    })
}

fn scenarios(names: &[String]) -> Result<Vec<Scenario>> {
    if names.is_empty() {
        return Ok(Scenario::ALL.to_vec());
    }
    names
        .iter()
        .map(|name| {
            let found = Scenario::ALL.into_iter().find(|it| it.name() == name);
            found.with_context(|| format!("no update {name}"))
        })
        .collect()
}
