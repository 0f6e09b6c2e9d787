//! The CRM on its users' computers: companies, contacts and deals, also while the server is not there.
//!
//! It shows what a Desktop needs of Obnova: the launcher starts it, it confirms that it works, follows its server up and down,
//! understands when it is refused, and lets `obnova-desktop-gui` beside it talk to the user about it.

// No console window on Windows; elsewhere it means nothing.
#![windows_subsystem = "windows"]

mod app;
mod client;
mod companion;
mod data;
mod list;
mod look;
mod once;
mod tree;
mod window;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
use obnova_desktop::Desktop;

use crate::tree::Tree;
use crate::worker::Place;

/// The CRM on its user's computer.
#[derive(Debug, Parser)]
#[command(name = "crm-desktop", disable_version_flag = true)]
struct Options {
    /// Only look whether this version can run on this computer.
    #[arg(long)]
    self_check: bool,
    /// Without a window: load once and print, as JSON, what a window would show.
    #[arg(long)]
    once: bool,
    /// The installation, where the launcher has not started this program.
    #[arg(long, env = obnova_desktop::launcher::ROOT, value_name = "DIR")]
    root: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            obnova_desktop::tell(&format!("crm-desktop: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let tree = Tree::of_this_program(tree::language())?;
    if options.self_check {
        return Ok(());
    }
    let root = options.root.as_deref();
    let root = root.context("start the program with its launcher, or name its --root")?;
    let desktop = Arc::new(Desktop::open(root)?);
    let status = desktop.status()?;
    let place = Place {
        cache: data::directory(&status.product)?,
        centre: status.server.parse()?,
        desktop,
        tree,
    };
    match options.once {
        true => once::run(place),
        false => window::show(place),
    }
}
