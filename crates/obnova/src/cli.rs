//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use obnova_text::Lang;
use semver::Version;

use crate::commands;

/// Update system for client/server business software.
///
/// Exit codes: 0 done; 1 failed, nothing was changed; 2 the command line is wrong; 3 the update failed and everything was
/// returned to the state before; 4 the engine does not answer; 5 the rehearsal failed, nothing was changed.
#[derive(Debug, Parser)]
#[command(version, about, long_about, max_term_width = 110)]
pub struct Cli {
    /// The installation's state directory.
    #[arg(
        long,
        global = true,
        env = "OBNOVA_STATE",
        default_value = "/var/lib/obnova",
        value_name = "DIR"
    )]
    pub state: PathBuf,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// Language of texts: cs or en.
    #[arg(long, global = true, env = "LANG", value_parser = lang, default_value = "en")]
    pub lang: Lang,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Never fails: an unknown language in the environment must not keep anybody from updating.
fn lang(tag: &str) -> Result<Lang, std::convert::Infallible> {
    Ok(tag.parse().unwrap_or_default())
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run engine, centre and front together, for a small installation.
    #[command(after_help = "Example:\n  obnova up --state /srv/crm")]
    Up,
    /// Run the engine: the only part that installs anything.
    Engine,
    /// Run the Administration Centre.
    Center,
    /// Run the front: the application's public port.
    Front,
    /// Install a product for the first time, as installation.toml in the state directory says.
    #[command(after_help = "Example:\n  obnova setup --state /srv/crm --version 1.0.0")]
    Setup {
        /// The version; the newest unless given.
        #[arg(long)]
        version: Option<Version>,
    },
    /// Show what is installed and what is going on.
    Status,
    /// Ask the release repository whether there is something newer.
    Check,
    /// Show what an update would do, without doing it.
    Plan {
        /// The version; the newest offered unless given.
        version: Option<Version>,
    },
    /// Try an update on a clone of the database and the data files, and follow that to its end. The application runs on.
    #[command(
        after_help = "Examples:\n  obnova rehearse\n  obnova rehearse 1.1.0 --json\n  obnova rehearse --log      # what the newest one said\n  obnova rehearse --cancel"
    )]
    Rehearse {
        /// The version; the newest offered unless given.
        version: Option<Version>,
        /// Break off the rehearsal that is running; its clone is deleted.
        #[arg(long, conflicts_with_all = ["version", "log"])]
        cancel: bool,
        /// Print what the newest rehearsal of this version said, instead of making another.
        #[arg(long)]
        log: bool,
    },
    /// Install an update and follow it to its end.
    #[command(
        after_help = "Examples:\n  obnova install\n  obnova install 1.1.0 --json\n  obnova install --insist   # although it failed here before, or its rehearsal did"
    )]
    Install {
        /// The version; the newest offered unless given.
        version: Option<Version>,
        /// Install although this version failed here before, or its rehearsal did.
        #[arg(long)]
        insist: bool,
    },
    /// Go back to the version before the last update, and to its data: what was written since is lost unless it is saved.
    #[command(
        after_help = "Examples:\n  obnova revert                          # says what would be lost, and asks\n  obnova revert --export /srv/saved --yes"
    )]
    Revert {
        /// First save the database and the data files written since into this new directory.
        #[arg(long, value_name = "DIR")]
        export: Option<PathBuf>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// List the protected copies that are kept, newest first.
    #[command(after_help = "Examples:\n  obnova copies\n  obnova copies --delete 4")]
    Copies {
        /// Delete the copy made before this update.
        #[arg(long, value_name = "UPDATE")]
        delete: Option<u64>,
    },
    /// Look whether this installation is fit for updates, and how its data can be protected. Ends with 1 when something is bad.
    Doctor {
        /// Try every way of protecting the database on a small scale and time it; takes seconds.
        #[arg(long)]
        measure: bool,
    },
    /// List all updates, newest first.
    History,
    /// Print the diagnostic report about an update, as it would be sent to support.
    Report {
        /// The update's number; the newest unless given.
        update: Option<u64>,
    },
    /// Wait until an interrupted update has been finished or undone, and show the state.
    #[command(
        after_help = "Recovery is part of every start of the engine; this only waits for its end."
    )]
    Recover,
    /// Make and publish releases: a vendor's work.
    #[command(subcommand)]
    Release(commands::release::Args),
}

impl Command {
    /// Whether this is a long-running role, which writes a log.
    pub fn is_role(&self) -> bool {
        matches!(
            self,
            Command::Up | Command::Engine | Command::Center | Command::Front
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
