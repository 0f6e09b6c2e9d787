//! What protecting and returning a PostgreSQL database costs by every rung, beside pg_dump and pg_restore, and
//! how long people wait for an update, beside the same program's own stop, migration and start done by hand.

mod blackout;
mod place;
mod rungs;
mod site;
mod table;

use anyhow::{Result, bail, ensure};
use clap::Args;
use serde::Serialize;

use self::place::Place;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How large the database is, such as 5G.
    #[arg(long, default_value = "512M", value_parser = bytes)]
    size: u64,
    /// How often everything is measured, but for what takes minutes: the dump, and what everybody has.
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
    /// Only on these file systems: xfs, btrfs, here.
    #[arg(long, value_delimiter = ',')]
    places: Vec<String>,
    /// Only by these rungs: file_system, standby, copy, dump.
    #[arg(long, value_delimiter = ',')]
    rungs: Vec<String>,
    /// Leave out the updates.
    #[arg(long)]
    no_blackout: bool,
    /// Leave out protecting and returning by themselves.
    #[arg(long)]
    no_rungs: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// All that was measured. Seconds.
#[derive(Debug, Serialize)]
struct Measured {
    /// Bytes of the database.
    size: u64,
    repetitions: usize,
    targets: Targets,
    baselines: Vec<rungs::Baseline>,
    rungs: Vec<rungs::Costs>,
    blackouts: Vec<blackout::Blackout>,
}

/// What is to be reached.
#[derive(Debug, Serialize)]
struct Targets {
    /// Returning by rungs other than the dump takes at most this part of pg_restore's time, from `return_size` bytes on.
    return_to_pg_restore: f64,
    return_size: u64,
    /// Protecting by the file system or a standby takes at most this, whatever the size.
    protect_seconds: f64,
    /// An update protected by one of these takes at most this longer than stop, migration and start by hand.
    added_seconds: f64,
}

const TARGETS: Targets = Targets {
    return_to_pg_restore: 0.01,
    return_size: 5 << 30,
    protect_seconds: 2.0,
    added_seconds: 0.5,
};

/// Measures, and prints the result.
pub(crate) fn measure(options: &Options) -> Result<()> {
    ensure!(
        options.repetitions > 0,
        "nothing is measured in no repetition"
    );
    let mut measured = Measured {
        size: options.size,
        repetitions: options.repetitions,
        targets: TARGETS,
        baselines: Vec::new(),
        rungs: Vec::new(),
        blackouts: Vec::new(),
    };
    for place in &place::ALL {
        if options.places.is_empty() || options.places.iter().any(|it| it == place.name) {
            at(place, options, &mut measured)?;
        }
    }
    match options.json {
        true => println!("{}", serde_json::to_string_pretty(&measured)?),
        false => table::print(&measured),
    }
    Ok(())
}

/// The place is gone when this returns: one after the other, they take less of the disk.
fn at(place: &'static Place, options: &Options, measured: &mut Measured) -> Result<()> {
    let ground = place.prepare(options.size)?;
    let site = match place.updates.is_empty() || options.no_blackout {
        true => None,
        false => Some(site::Site::make(&ground)?),
    };
    ground.fill(options.size)?;
    if !options.no_rungs {
        let baseline = rungs::baseline(&ground)?;
        for rung in chosen(place.rungs, options) {
            // One that cannot be taken here does not keep the others from being measured.
            let costs = rungs::costs(&ground, rung, options.repetitions, &baseline)
                .unwrap_or_else(|error| rungs::Costs::failed(place.name, rung, &error));
            eprintln!("{}", serde_json::to_string(&costs)?);
            measured.rungs.push(costs);
        }
        measured.baselines.push(baseline);
    }
    if let Some(site) = site {
        for rung in chosen(place.updates, options) {
            let blackout = blackout::measure(&ground, &site, rung, options.repetitions)
                .unwrap_or_else(|error| blackout::Blackout::failed(place.name, rung, &error));
            eprintln!("{}", serde_json::to_string(&blackout)?);
            measured.blackouts.push(blackout);
        }
    }
    Ok(())
}

fn chosen(rungs: &'static [&'static str], options: &Options) -> impl Iterator<Item = &'static str> {
    let is_chosen = |rung: &&&'static str| {
        options.rungs.is_empty() || options.rungs.iter().any(|it| it == **rung)
    };
    rungs.iter().filter(is_chosen).copied()
}

pub(crate) fn bytes(text: &str) -> Result<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text[digits.len()..].to_ascii_uppercase();
    let factor = match unit.trim_end_matches('B') {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        other => bail!("no unit of sizes: {other}"),
    };
    Ok(digits.parse::<u64>()? * factor)
}
