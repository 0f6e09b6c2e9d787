//! `cargo xtask crash`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use obnova_crash::app::{App, Sources};
use obnova_crash::campaign::{self, Done, Plan};
use obnova_crash::planted::Planted;
use obnova_crash::proof::{self, Entry, Run};
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
    /// Begin no round while there is this file: for a machine that somebody else needs for himself now and then
    #[arg(long)]
    pause: Option<PathBuf>,
    /// crm-sqlite, crm-postgres, tryton, or all: each application of the CRM's with each rung; may be given several times. Tryton, a
    /// real ERP in two series, needs Python and, the first time, a package index that pip reaches; its rounds take minutes, which is why
    /// it is not among all. It has no Desktop of its own: what Desktops are told is looked at, and nothing else about them. Of what its
    /// migration makes anew, the times at which it was made count as the same
    #[arg(long, default_value = "crm-sqlite")]
    app: Vec<String>,
    /// How PostgreSQL is protected: copy, dump, standby, file_system
    #[arg(long)]
    rung: Option<String>,
    /// Strike before and after every change to the disk, the records of the journal among them; with a number, every n-th of them
    #[arg(long, num_args = 0..=1, default_missing_value = "1")]
    enumerate: Option<usize>,
    /// Kill the engine at some moments, and strike once more before and after every change to the disk that recovering makes;
    /// with a number, every n-th of them
    #[arg(long, num_args = 0..=1, default_missing_value = "1")]
    recovery: Option<usize>,
    /// Where docs/guide/examples/tryton lies; cargo xtask crash gives it
    #[arg(long)]
    tryton_example: Option<PathBuf>,
    /// Where downloaded packages are kept; cargo xtask crash gives it
    #[arg(long)]
    wheels: Option<PathBuf>,
    /// Live the round of this file again, exactly: round.json in the folder of one that failed; with --rounds so many times
    #[arg(long, conflicts_with_all = ["app", "rung", "fault", "scenario", "planted", "seed", "enumerate", "recovery"])]
    repeat: Option<PathBuf>,
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
    /// Add the results to this file
    #[arg(long)]
    results: Option<PathBuf>,
    /// Run nothing: write this document from the files of `--from`
    #[arg(long, requires = "from")]
    proof: Option<PathBuf>,
    /// Files that `--results` has written
    #[arg(long)]
    from: Vec<PathBuf>,
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
    if let Some(document) = &options.proof {
        return proof::write(document, &options.from).map(|()| true);
    }
    let seed = options
        .seed
        .unwrap_or_else(|| rand::rng().random_range(0..1_000_000_000));
    let temporary = tempfile::Builder::new().prefix("obnova-crash-").tempdir()?;
    let directory = match &options.dir {
        Some(directory) => std::path::absolute(directory)?,
        None => temporary.path().to_owned(),
    };
    let until = options
        .minutes
        .map(|minutes| Instant::now() + Duration::from_secs_f64(minutes * 60.0));
    let plans = plans(options, seed, &directory)?;
    eprintln!("seed {seed}");
    let plans = campaign::all_ready(plans, options.parallel.min(2))?;
    let mut changes = std::collections::BTreeMap::new();
    for (plan, ready) in &plans {
        for scenario in &plan.scenarios {
            let (all, records) = ready.changes(*scenario);
            let what = format!("{}, {}", plan.app.name(), scenario.title());
            changes.insert(what, (all, records, ready.took_ms(*scenario)));
        }
    }
    for (what, (all, records, took)) in &changes {
        eprintln!(
            "undisturbed, {what}: {all} changes to the disk, {records} of them records, {took} ms"
        );
    }
    if let Some(file) = &options.results {
        let run = Run {
            began: jiff::Timestamp::now(),
            command: command_line(seed),
            seed,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
            changes,
        };
        proof::add(file, &Entry::Run(run))?;
    }
    let pace = campaign::Pace {
        until,
        pause: options.pause.clone(),
        parallel: options.parallel,
        told: &|number, count, one| {
            eprintln!("{number}/{count} {}", line(one));
            if let Some(file) = &options.results
                && let Err(error) = proof::add(file, &Entry::Done(Box::new(one.clone())))
            {
                eprintln!("the result is not kept: {error:#}");
            }
        },
    };
    let done = campaign::run(&plans, &pace)?;
    let is_good = told(options, seed, &done)?;
    if !is_good && options.dir.is_none() {
        eprintln!(
            "what is kept of failed rounds: {}",
            temporary.keep().display()
        );
    }
    Ok(is_good)
}

/// What was called, with the seed, and without where things were put.
fn command_line(seed: u64) -> String {
    let mut words = vec!["cargo xtask crash".to_owned()];
    let mut arguments = std::env::args().skip(1);
    while let Some(word) = arguments.next() {
        match word.as_str() {
            "--dir" | "--results" | "--seed" | "--pause" | "--tryton-example" | "--wheels" => {
                drop(arguments.next())
            }
            _ => words.push(word),
        }
    }
    words.push(format!("--seed {seed}"));
    words.join(" ")
}

/// One plan for each application and each planted defect.
fn plans(options: &Options, seed: u64, directory: &Path) -> Result<Vec<Plan>> {
    if let Some(file) = &options.repeat {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        let round = parsed::<life::Order>(&text)?.round;
        return Ok(vec![Plan {
            app: round.app.clone(),
            scenarios: vec![round.scenario],
            faults: Vec::new(),
            seed: round.seed,
            rounds: 0,
            enumerate: None,
            recovery: None,
            planted: round.planted,
            directory: directory.to_owned(),
            sources: sources(options),
            repeat: (0..options.rounds.unwrap_or(1))
                .map(|_| round.clone())
                .collect(),
        }]);
    }
    let mut apps = Vec::new();
    for name in &options.app {
        match name.as_str() {
            "all" => apps.extend(App::all()),
            name => apps.push(App::named(name, options.rung.as_deref())?),
        }
    }
    let planted: Vec<Option<Planted>> = match options.planted.as_deref() {
        None => vec![None],
        Some(name) => Planted::ALL
            .into_iter()
            .filter(|planted| name == "all" || planted.name() == name)
            .map(Some)
            .collect(),
    };
    if planted.is_empty() {
        bail!("no such defect");
    }
    for fault in &options.fault {
        obnova_crash::faults::named(fault)?;
    }
    let rounds = options
        .rounds
        .unwrap_or(match options.enumerate.or(options.recovery) {
            Some(_) => 0,
            None => 20,
        });
    let shares = apps.len() as u64 * planted.len() as u64;
    let mut plans = Vec::new();
    for app in &apps {
        for planted in &planted {
            let mut faults = campaign::faults_of(app);
            if let Some(planted) = planted {
                faults.retain(|fault| planted.faults().contains(&fault.as_str()));
            }
            if !options.fault.is_empty() {
                faults.retain(|fault| options.fault.contains(fault));
            }
            if faults.is_empty() {
                continue;
            }
            // The first ones have one more where it does not come out even.
            let number = plans.len() as u64;
            let own = rounds / shares + u64::from(number < rounds % shares);
            plans.push(Plan {
                app: app.clone(),
                scenarios: scenarios(&options.scenario)?,
                faults,
                seed: seed + number * rounds.div_ceil(shares),
                rounds: own,
                enumerate: options.enumerate,
                recovery: options.recovery,
                planted: *planted,
                directory: directory.to_owned(),
                sources: sources(options),
                repeat: Vec::new(),
            });
        }
    }
    Ok(plans)
}

fn sources(options: &Options) -> Sources {
    Sources {
        example: options.tryton_example.clone(),
        wheels: options.wheels.clone(),
    }
}

/// Prints what came of all; whether that is as it should be.
fn told(options: &Options, seed: u64, done: &[Done]) -> Result<bool> {
    let is_violated = |one: &&Done| !one.outcome.violations.is_empty();
    if let Some(name) = options.planted.as_deref() {
        let wanted = |it: &Planted| name == "all" || name == it.name();
        let of = |it: Planted| done.iter().filter(move |one| one.round.planted == Some(it));
        let found: Vec<(Planted, usize, usize)> = Planted::ALL
            .into_iter()
            .filter(wanted)
            .map(|it| (it, of(it).filter(is_violated).count(), of(it).count()))
            .collect();
        if options.json {
            let planted: Vec<_> = found
                .iter()
                .map(|(it, caught, rounds)| serde_json::json!({ "defect": it, "caught": caught, "rounds": rounds }))
                .collect();
            println!(
                "{}",
                serde_json::json!({ "seed": seed, "planted": planted, "rounds": done })
            );
        } else {
            for (it, caught, rounds) in &found {
                println!("{}: caught in {caught} of {rounds} rounds", it.name());
            }
        }
        return Ok(found.iter().all(|(_, caught, _)| *caught > 0));
    }
    let lines = table::lines(done);
    match options.json {
        true => println!(
            "{}",
            serde_json::json!({ "seed": seed, "lines": lines, "rounds": done })
        ),
        false => print!("{}", table::markdown(&lines)),
    }
    Ok(!done.iter().any(|one| is_violated(&one)))
}

/// A round in a line, or a few when it failed.
fn line(one: &Done) -> String {
    let outcome = &one.outcome;
    let end = match outcome.end {
        Some(end) => format!("{end:?}").to_lowercase(),
        None => "?".to_owned(),
    };
    let again: Vec<String> = outcome
        .serve_again_ms
        .iter()
        .map(|it| table::seconds(*it))
        .collect();
    let mut line = format!(
        "seed {} {}: {end}, served again after {}",
        one.round.seed,
        one.round,
        again.join(" and ")
    );
    if !outcome.at.is_empty() {
        line += &format!("; at {}", outcome.at.join(" and "));
    }
    if let Some(folder) = &one.folder {
        line += &format!(
            "\n    VIOLATED: {}\n    see {}",
            outcome.violations.join("\n    "),
            folder.display()
        );
    }
    line
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
