//! `cargo demo`: lives the story in a browser; `cargo demo --tour`: walks it by itself.

use std::path::PathBuf;
use std::process::{Child, ExitCode};

use anyhow::{Context, Result};
use clap::Parser;
use obnova_demo::admin::Admin;
use obnova_demo::computer::Computer;
use obnova_demo::database::Kind;
use obnova_demo::story;
use obnova_demo::tour::{ADMIN_EMAIL, Station, Tour, set_up};
use obnova_demo::world::{CONTACTS, World};
use rand::distr::{Alphanumeric, SampleString};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::signal::unix::{SignalKind, signal};

/// A vendor, a customer and the customer's CRM on this machine.
#[derive(Debug, Parser)]
#[command(name = "cargo demo")]
struct Options {
    /// Walk the whole story, check every station, and end: exit code 0 only if all hold.
    #[arg(long)]
    tour: bool,
    /// Have the CRM's data in PostgreSQL, in a server that is started for this run and gone with it; otherwise in SQLite.
    #[arg(long)]
    postgres: bool,
    /// Print a JSON object a line.
    #[arg(long)]
    json: bool,
    /// Contacts in the CRM.
    #[arg(long, default_value_t = CONTACTS)]
    contacts: usize,
    /// Where to put everything; it must be empty or not exist. Default: a new folder that is removed at the end.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<bool> {
    let temporary = tempfile::Builder::new().prefix("obnova-demo-").tempdir()?;
    let folder = match &options.dir {
        Some(dir) => {
            std::fs::create_dir_all(dir)?;
            anyhow::ensure!(
                std::fs::read_dir(dir)?.next().is_none(),
                "{} is not empty",
                dir.display()
            );
            std::path::absolute(dir)?
        }
        None => temporary.path().to_owned(),
    };
    if !options.json {
        println!(
            "Making a vendor's keys and repository, and a customer with {} contacts ...",
            options.contacts
        );
    }
    let kind = match options.postgres {
        true => Kind::Postgres,
        false => Kind::Sqlite,
    };
    let mut world = World::make_with_desktop(kind, &folder, options.contacts, [8080, 8081])
        .context("the demo could not be made")?;
    // Made for this run, and gone with it.
    let password = Alphanumeric.sample_string(&mut rand::rng(), 16);
    match options.tour {
        true => Ok(tour(&mut world, &password, options.json).await?),
        false => live(&mut world, &password, options.json)
            .await
            .map(|()| true),
    }
}

async fn tour(world: &mut World, password: &str, json: bool) -> Result<bool> {
    let mut told = |station: &Station| match json {
        true => println!("{}", serde_json::to_string(station).unwrap_or_default()),
        false => {
            let mark = if station.ok { "ok  " } else { "FAIL" };
            println!(
                "{mark} {:>6} ms  {}: {}",
                station.took_ms, station.station, station.found
            );
        }
    };
    Ok(Tour::new(world, password, &mut told)?.walk().await)
}

/// The Desktop's window, closed at the end.
struct Window(Option<Child>);

impl Drop for Window {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // An update has started another process of its group; all may have been closed already.
            if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
                let _ = kill_process_group(group, Signal::TERM);
            }
            let _ = child.wait();
        }
    }
}

async fn live(world: &mut World, password: &str, json: bool) -> Result<()> {
    world.start().await?;
    set_up(world, &Admin::new(world.center, "cs")?, password).await?;
    let (center, front) = (world.center, world.front);
    let computer = Computer::new(&world.state_dir.with_file_name("user"))?;
    computer.install(world, "1.0.0").await?;
    let window = Window(computer.open_window()?);
    if json {
        let line = serde_json::json!({
            "center": format!("http://{center}/"), "crm": format!("http://{front}/"), "email": ADMIN_EMAIL,
            "password": password, "desktop": computer.program(), "home": world.state_dir.with_file_name("user"), "state": world.state_dir, "mails": world.state_dir.with_file_name("mails"),
        });
        println!("{line}");
    } else {
        println!("\n  The CRM                     http://{front}/");
        println!("  The Administration Centre   http://{center}/");
        match &window.0 {
            Some(_) => {
                println!("  The CRM's Desktop           its window is open, and follows the server")
            }
            None => println!("  The CRM's Desktop           {}", computer.shown_command()),
        }
        println!("  Sign in with                {ADMIN_EMAIL}   {password}");
        println!(
            "  Mails arrive in             {}",
            world.state_dir.with_file_name("mails").display()
        );
        println!(
            "  On the command line         {} --state {} status",
            world.programs.obnova.display(),
            world.state_dir.display()
        );
        println!("  The CRM's data              {}", world.central.command());
        println!("\nCtrl-C ends it all.\n");
    }
    let told = |version: &str| {
        if !json {
            println!(
                "The vendor has published {version}: open Updates, or press Check again there."
            );
        }
    };
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        published = story::publish_in_turn(world, &told) => {
            published?;
            tokio::select! { _ = tokio::signal::ctrl_c() => {}, _ = terminate.recv() => {} }
        }
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    world.stop()
}
