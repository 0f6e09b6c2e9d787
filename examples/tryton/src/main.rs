//! Tryton, an ERP whose makers never prepared it for Obnova, from its published packages: installed, filled, used while it is
//! updated to its next series, and brought back from two updates that its vendor got wrong. The vendor's part is
//! docs/guide/examples/tryton; nothing here or in Obnova is about Tryton but what a customer would type.
//!
//! `cargo xtask tryton` builds and starts it.

mod story;
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use serde::Serialize;

use crate::story::Story;
use crate::world::World;

#[derive(Parser)]
#[command(name = "cargo xtask tryton")]
struct Options {
    /// Parties in the database.
    #[arg(long, default_value_t = 3000)]
    parties: u64,
    /// Requests a second while it is updated.
    #[arg(long, default_value_t = 4)]
    rate: u32,
    /// Leave the rehearsals out.
    #[arg(long)]
    no_rehearsal: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Where downloaded packages are kept.
    #[arg(long)]
    wheels: PathBuf,
    /// Where docs/guide/examples/tryton lies.
    #[arg(long)]
    example: PathBuf,
    /// An empty folder for everything; a temporary one, removed at the end, unless said otherwise.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// What a station found.
#[derive(Debug, Serialize)]
struct Station {
    /// What was to hold.
    station: &'static str,
    /// Whether it did.
    ok: bool,
    /// How long it took.
    seconds: f64,
    /// In words, or what went wrong.
    found: String,
    /// The figures in it: seconds, bytes, and numbers of things, as their names say.
    figures: BTreeMap<&'static str, f64>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match walk(&options) {
        Ok(stations) => {
            let all = stations.iter().all(|station| station.ok);
            report(&stations, options.json);
            if all {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("tryton: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn walk(options: &Options) -> Result<Vec<Station>> {
    let temporary = tempfile::Builder::new().prefix("tryton-").tempdir()?;
    let folder = options.folder.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let folder = std::fs::canonicalize(folder)?;
    let world = World::make(&folder, &options.example, &options.wheels)?;
    let mut story = Story::new(world, options);
    story.walk().await;
    Ok(story.end())
}

fn report(stations: &[Station], as_json: bool) {
    let seconds: f64 = stations.iter().map(|station| station.seconds).sum();
    if as_json {
        let result = serde_json::json!({ "stations": stations, "seconds": seconds });
        println!("{result:#}");
        return;
    }
    for Station {
        station,
        ok,
        seconds,
        found,
        ..
    } in stations
    {
        let verdict = if *ok { "ok    " } else { "FAILED" };
        println!("{verdict} {seconds:>7.1} s  {station}: {found}");
    }
    println!("       {seconds:>7.1} s  in all");
}
