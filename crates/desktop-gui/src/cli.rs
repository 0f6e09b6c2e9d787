//! The command line of `obnova-desktop-gui`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand, ValueEnum};
use obnova_desktop::{Code, Desktop, Error};
use obnova_text::{Lang, Text};

use crate::news::{self, Kind};
use crate::update::{self, Outcome};
use crate::window::Setting;

/// Another version should be here, and the user does it later.
const LATER: u8 = 3;
/// The server does not answer.
const UNREACHABLE: u8 = 4;
/// The administrator's policy does not allow it.
const POLICY: u8 = 5;
/// Windows cannot be shown here.
const NO_SCREEN: u8 = 6;
/// The user has closed the dialog, though it cannot be put off.
const CLOSED: u8 = 7;

/// Shows the user of a Desktop that another version belongs here, what is new, and what has happened.
///
/// Exit codes: 0 done, or nothing to do; 1 failed, what is here runs on; 2 the command line is wrong; 3 the user updates later;
/// 4 the server does not answer; 5 the administrator's policy does not allow it; 6 there is no screen; 7 the user has closed the
/// dialog, though it cannot be put off: the program should end, or go on without its server.
#[derive(Debug, Parser)]
#[command(
    name = "obnova-desktop-gui",
    version,
    about,
    long_about,
    max_term_width = 110
)]
struct Cli {
    /// The Desktop's root directory.
    #[arg(
        long,
        global = true,
        env = "OBNOVA_DESKTOP_ROOT",
        default_value = ".",
        value_name = "DIR"
    )]
    root: PathBuf,
    /// Language: cs or en; without it, that of the desktop environment.
    #[arg(long, global = true, value_parser = lang)]
    lang: Option<Lang>,
    /// Colours; without it, as the desktop environment wants.
    #[arg(long, global = true)]
    theme: Option<Theme>,
    /// High contrast, whatever the desktop environment wants.
    #[arg(long, global = true)]
    contrast: bool,
    /// Everything so many times as large.
    #[arg(long, global = true, default_value_t = 1.0, value_parser = scale)]
    scale: f32,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Theme {
    Light,
    Dark,
}

fn lang(tag: &str) -> Result<Lang, String> {
    tag.parse().map_err(|_| "is neither cs nor en".into())
}

fn scale(text: &str) -> Result<f32, String> {
    let scale: f32 = text.parse().map_err(|_| "is not a number".to_owned())?;
    match (0.5..=4.0).contains(&scale) {
        true => Ok(scale),
        false => Err("must be between 0.5 and 4".into()),
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The dialog that offers an update, does it, and restarts into the other version.
    #[command(
        after_help = "Examples:\n  obnova-desktop-gui update\n  obnova-desktop-gui update --if-needed -- --open invoices"
    )]
    Update {
        /// Show nothing when the right version is here, or the server cannot be asked.
        #[arg(long)]
        if_needed: bool,
        /// Begin at once: the user has said so elsewhere.
        #[arg(long)]
        now: bool,
        #[command(flatten)]
        program: Program,
    },
    /// What is new, once after an update. Shows nothing otherwise.
    WhatsNew {
        /// Show it also when the user has seen it.
        #[arg(long)]
        again: bool,
    },
    /// Why another version runs than before, once after a return or a move to an older one. Shows nothing otherwise.
    Message,
    /// All that a program shows when it is started: the message, what is new, and the dialog if it is needed.
    #[command(after_help = "Example:\n  obnova-desktop-gui at-start -- --open invoices")]
    AtStart {
        #[command(flatten)]
        program: Program,
    },
    /// The agent beside the clock: looks regularly, shows whether an update waits, and tells the user once of each.
    #[cfg(any(target_os = "linux", windows))]
    Agent {
        /// Seconds between two looks; without it, as the policy says.
        #[arg(long, value_name = "SECONDS")]
        every: Option<u64>,
    },
}

#[derive(Debug, Args)]
struct Program {
    /// What the program gets on its command line when it is started again.
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let setting = Setting {
        lang: cli.lang.unwrap_or_else(obnova_desktop::language),
        dark: cli.theme.map(|theme| matches!(theme, Theme::Dark)),
        contrast: cli.contrast.then_some(true),
        scale: cli.scale,
    };
    match run(cli, setting) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            obnova_desktop::tell(&failure.text);
            ExitCode::from(failure.code)
        }
    }
}

/// Why nothing could be shown.
struct Failure {
    text: String,
    code: u8,
}

impl Failure {
    fn of(error: &Error, text: &Text) -> Self {
        let mut shown = error.texts(text).join("\n");
        if let Some(detail) = &error.detail {
            shown = format!("{shown}\n{detail}");
        }
        Self {
            text: shown,
            code: code(error),
        }
    }

    fn no_screen(text: String) -> Self {
        Self {
            text,
            code: NO_SCREEN,
        }
    }
}

fn code(error: &Error) -> u8 {
    match error.code {
        Code::ServerUnreachable => UNREACHABLE,
        Code::Policy => POLICY,
        _ => 1,
    }
}

fn run(cli: Cli, setting: Setting) -> Result<u8, Failure> {
    let text = setting.text();
    let failure = |error: Error| Failure::of(&error, text);
    // The launcher is given absolute paths, and so are programs that it starts.
    let root = std::path::absolute(&cli.root).map_err(|error| failure(error.into()))?;
    let desktop = Arc::new(Desktop::open(&root).map_err(failure)?);
    match cli.command {
        Command::Update {
            if_needed,
            now,
            program,
        } => offer(desktop, setting, if_needed, now, program.arguments),
        Command::WhatsNew { again: true } => shown(news::show_again(&desktop, setting)),
        Command::WhatsNew { again: false } => shown(news::show(&desktop, Kind::WhatsNew, setting)),
        Command::Message => shown(news::show(&desktop, Kind::Message, setting)),
        Command::AtStart { program } => {
            // A process has one window at a time: each is gone before the next.
            shown(news::show(&desktop, Kind::Message, setting))?;
            shown(news::show(&desktop, Kind::WhatsNew, setting))?;
            offer(desktop, setting, true, false, program.arguments)
        }
        #[cfg(any(target_os = "linux", windows))]
        Command::Agent { every } => {
            let options = crate::agent::Options {
                desktop,
                setting,
                every: every.map(std::time::Duration::from_secs),
            };
            crate::agent::run(options)
                .map(|()| 0)
                .map_err(|text| Failure { text, code: 1 })
        }
    }
}

fn shown(result: Result<(), String>) -> Result<u8, Failure> {
    result.map(|()| 0).map_err(Failure::no_screen)
}

fn offer(
    desktop: Arc<Desktop>,
    setting: Setting,
    if_needed: bool,
    now: bool,
    arguments: Vec<OsString>,
) -> Result<u8, Failure> {
    let text = setting.text();
    let found = match if_needed {
        true => {
            let found = desktop.check();
            let found = found.map_err(|error| Failure::of(&error, text))?;
            if found.wanted.is_none() {
                return Ok(0);
            }
            Some(found)
        }
        false => None,
    };
    // A second dialog would only be in the way of the first.
    let alone = desktop.alone("dialog");
    let Some(_alone) = alone.map_err(|error| Failure::of(&error, text))? else {
        return Ok(0);
    };
    let options = update::Options {
        desktop,
        setting,
        found,
        now,
        arguments,
    };
    match update::run(options).map_err(Failure::no_screen)? {
        Outcome::Right | Outcome::Applied | Outcome::Restarted => Ok(0),
        Outcome::Later => Ok(LATER),
        Outcome::Closed => Ok(CLOSED),
        Outcome::Failed(error) => Ok(code(&error)),
    }
}
