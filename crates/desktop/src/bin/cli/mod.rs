//! The command line: arguments, and what is printed.

mod install;
mod print;

#[cfg(unix)]
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
#[cfg(unix)]
use std::time::Duration;

use clap::{Parser, Subcommand};
#[cfg(unix)]
use obnova_desktop::service::Reached;
use obnova_desktop::{Code, Configuration, Confirmed, Desktop, Error, Health};
use obnova_text::Lang;
use url::Url;

use print::Output;

/// Another version should be here.
const WANTED: u8 = 3;
/// The server does not answer.
const UNREACHABLE: u8 = 4;
/// The administrator's policy does not allow it.
const POLICY: u8 = 5;
/// The version does not work.
const NOT_CONFIRMED: u8 = 6;

/// How long the service stays where it is started again when it is needed.
#[cfg(unix)]
const IDLE: Duration = Duration::from_secs(600);

/// Keeps the program on this computer at the version that its server needs.
///
/// Exit codes: 0 done, or nothing to do; 1 failed, what is here runs on; 2 the command line is wrong; 3 (check) another version
/// should be here; 4 the server does not answer; 5 the administrator's policy does not allow it; 6 (confirm) this version does
/// not work here, the one before comes back.
#[derive(Debug, Parser)]
#[command(
    name = "obnova-desktop",
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
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// Language of texts: cs or en.
    #[arg(long, global = true, env = "LANG", value_parser = lang, default_value = "en")]
    lang: Lang,
    #[command(subcommand)]
    command: Command,
}

/// Never fails: an unknown language in the environment must not keep anybody from updating.
fn lang(tag: &str) -> Result<Lang, std::convert::Infallible> {
    Ok(tag.parse().unwrap_or_default())
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a Desktop's root directory, with nothing installed in it yet: what an installer does.
    #[command(
        after_help = "Example:\n  obnova-desktop --root ~/.local/share/crm init --product crm --server https://obnova.example.com/ --trust root.json"
    )]
    Init {
        /// The product, as in its releases.
        #[arg(long)]
        product: String,
        /// The address of the customer's Administration Centre.
        #[arg(long, value_name = "URL")]
        server: Url,
        /// The vendor's root.json: all trust begins with it.
        #[arg(long, value_name = "FILE")]
        trust: PathBuf,
        /// A file with certificate authorities to believe besides those of this computer, as PEM, relative to the root.
        #[arg(long, value_name = "FILE")]
        authorities: Option<PathBuf>,
    },
    /// Install what an installer has brought: what its script does after it has unpacked itself.
    Install {
        /// The directory of what the installer has brought.
        #[arg(long, value_name = "DIR")]
        package: PathBuf,
        /// The address of the customer's Administration Centre; that of an earlier installation unless given.
        #[arg(long, value_name = "URL")]
        server: Option<Url>,
        /// A file with certificate authorities to believe besides those of this computer, as PEM.
        #[arg(long, value_name = "FILE")]
        authorities: Option<PathBuf>,
        /// Do not put the program into the menu.
        #[arg(long)]
        no_menu: bool,
        /// Start the agent with the user's session.
        #[arg(long)]
        autostart: bool,
        /// Install for all users of this computer, with a service that updates it for them; as root.
        #[arg(long)]
        all_users: bool,
        /// Print errors only.
        #[arg(long)]
        silent: bool,
    },
    /// Remove all that was installed. The user's data is elsewhere and stays.
    #[command(after_help = "Example:\n  obnova-desktop --root ~/.local/share/crm uninstall")]
    Uninstall,
    /// Serve an installation that all users of this computer share: bring the version that belongs to the server when one of them
    /// asks. systemd starts it with the socket as its standard input.
    #[cfg(unix)]
    #[command(
        after_help = "Example, without systemd:\n  obnova-desktop --root /opt/crm service --socket /run/obnova-desktop/crm.sock"
    )]
    Service {
        /// The socket to make.
        #[arg(long, value_name = "PATH")]
        socket: Option<PathBuf>,
    },
    /// Become the agent of the installed version: its `bin/obnova-desktop-gui agent`.
    Agent,
    /// Show what is here, without the network.
    #[command(after_help = "Example:\n  obnova-desktop status --json")]
    Status,
    /// Ask the server whether another version should be here. Ends with 3 when one should.
    #[command(after_help = "Example:\n  obnova-desktop check --json")]
    Check,
    /// Bring the version that the server needs, newer or older, and make the next start one of it.
    #[command(
        after_help = "Examples:\n  obnova-desktop update\n  obnova-desktop update --download-only\n  obnova-desktop update --insist   # although it failed here before"
    )]
    Update {
        /// Only bring it; a later update switches to it without the network's speed.
        #[arg(long)]
        download_only: bool,
        /// Also to a version that failed here before, or was left by hand, and against the policy.
        #[arg(long)]
        insist: bool,
    },
    /// Make the next start one of the version before.
    #[command(after_help = "Example:\n  obnova-desktop rollback")]
    Rollback,
    /// Say that the version that was just started works; for programs that do not embed the library.
    #[command(
        after_help = "Examples:\n  obnova-desktop confirm\n  obnova-desktop confirm --failed \"the licence file cannot be read\""
    )]
    Confirm {
        /// Say that it does not, and why.
        #[arg(long, value_name = "TEXT")]
        failed: Option<String>,
    },
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.json, cli.lang);
    match run(cli, &output) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output.error(&error);
            ExitCode::from(match error.code {
                Code::ServerUnreachable => UNREACHABLE,
                Code::Policy => POLICY,
                _ => 1,
            })
        }
    }
}

fn run(cli: Cli, output: &Output) -> Result<u8, Error> {
    if let Command::Init {
        product,
        server,
        trust,
        authorities,
    } = cli.command
    {
        let trust = std::fs::read(&trust)?;
        let configuration = Configuration {
            product,
            server,
            authorities,
        };
        let layout = configuration.install(&cli.root, &trust)?;
        output.made(layout.root());
        return Ok(0);
    }
    // The launcher is given absolute paths, and so are programs that it starts.
    let root = std::path::absolute(&cli.root)?;
    if let Command::Install { .. } = cli.command {
        return install::run(root, cli.command, output);
    }
    #[cfg(unix)]
    if let Command::Service { socket } = cli.command {
        return service(&root, socket);
    }
    let desktop = match cli.command {
        // What all users share is removed as a whole, by whoever it belongs to.
        Command::Uninstall => Desktop::of_machine(&root)?,
        _ => Desktop::open(&root)?,
    };
    match cli.command {
        Command::Init { .. } | Command::Install { .. } => {}
        #[cfg(unix)]
        Command::Service { .. } => {}
        Command::Uninstall => {
            desktop.uninstall()?;
            output.removed(&root);
        }
        Command::Agent => return install::agent(&desktop, output),
        Command::Status => output.status(&desktop.status()?),
        Command::Check => {
            let found = desktop.check()?;
            output.found(&found);
            return Ok(found.wanted.map_or(0, |_| WANTED));
        }
        Command::Update {
            download_only,
            insist,
        } => update(&desktop, download_only, insist, output)?,
        Command::Rollback => output.applied(&desktop.rollback()?),
        Command::Confirm { failed } => {
            let confirmed = desktop.confirm(|| failed.map_or(Health::Good, Health::Bad))?;
            output.confirmed(confirmed);
            return Ok(if confirmed == Confirmed::No {
                NOT_CONFIRMED
            } else {
                0
            });
        }
    }
    Ok(0)
}

/// With systemd, it ends when nobody has asked for some time, and is started again when somebody does.
#[cfg(unix)]
fn service(root: &Path, socket: Option<PathBuf>) -> Result<u8, Error> {
    let (reached, idle) = match socket {
        Some(path) => (Reached::At(path), None),
        None => (Reached::Input, Some(IDLE)),
    };
    obnova_desktop::service::serve(root, &reached, idle)?;
    Ok(0)
}

fn update(
    desktop: &Desktop,
    download_only: bool,
    insist: bool,
    output: &Output,
) -> Result<(), Error> {
    desktop.allows_update(insist)?;
    let found = desktop.check()?;
    let Some(wanted) = &found.wanted else {
        output.found(&found);
        return Ok(());
    };
    desktop.allows(wanted, insist)?;
    desktop.download(wanted, &mut |done, total| output.progress(done, total))?;
    if download_only {
        output.downloaded(wanted);
        return Ok(());
    }
    let staged = desktop.stage(wanted)?;
    let applied = match insist {
        true => desktop.insist(staged)?,
        false => desktop.apply(staged)?,
    };
    output.applied(&applied);
    Ok(())
}
