//! A small CRM: companies, contacts, deals and a journal of activities, with pages, a JSON API and migrations.
//!
//! The program is the same for every release; what a release adds (tables, fields, reports, texts, templates) lies in its
//! tree, which every command takes with `--tree`.

mod assemble;
mod database;
mod dialect;
mod dump;
mod entity;
mod letters;
mod migrate;
mod report;
mod seed;
mod serve;
mod spelling;
mod store;
mod tree;
mod validation;
mod web;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
#[command(name = "crm", about = "A small CRM", disable_version_flag = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the pages and the JSON API until SIGTERM or SIGINT
    Serve {
        #[command(flatten)]
        place: Place,
        /// Address and port to listen on
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: SocketAddr,
    },
    /// Bring the database and the data files to what this tree needs
    Migrate {
        #[command(flatten)]
        place: Place,
    },
    /// Fill an empty database with generated data; the same arguments always give the same data
    Seed {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        size: seed::Size,
    },
    /// Write everything in the database as text: the schema, then every row in a fixed order
    Dump {
        /// The database, such as sqlite:///var/lib/crm/crm.db or postgres://crm@127.0.0.1/crm
        #[arg(long)]
        database: String,
    },
    /// Put one version's release together, as a directory that a vendor can publish
    Assemble(assemble::Assembly),
}

/// Where the tree and the data are.
#[derive(Args)]
pub struct Place {
    /// The release's tree
    #[arg(long)]
    pub tree: PathBuf,
    /// The database, such as sqlite:///var/lib/crm/crm.db or postgres://crm@127.0.0.1/crm; a password is taken from
    /// PGPASSWORD or PGPASSFILE
    #[arg(long)]
    pub database: String,
    /// The directory of the data files (attachments)
    #[arg(long)]
    pub files: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crm: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve { place, listen } => serve::serve(&place, listen).await,
        Command::Migrate { place } => migrate::migrate(&place).await,
        Command::Seed { place, size } => seed::seed(&place, &size).await,
        Command::Dump { database } => dump::dump(&database, &mut std::io::stdout().lock()).await,
        Command::Assemble(assembly) => assemble::assemble(&assembly),
    }
}

/// An error and its causes in one line; a cause that its consequence has already quoted is left out.
pub fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
