//! `obnova release installer`: its arguments.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use obnova_release::publish::{self, AddedInstaller};

use crate::installer;

pub const EXAMPLES: &str = "Examples:
  obnova release installer build/1.1.0 --platform linux-x86_64 --repository repo --icon crm.svg
  obnova release installer build/1.1.0 --platform windows-x86_64 --repository repo --icon crm.ico --programs windows
  obnova release installer build/1.1.0 --platform macos-aarch64 --file crm-1.1.0.dmg";

/// Put an installer for users beside a built release; `publish` signs it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What `build` has made.
    built: PathBuf,
    /// The Desktop's platform.
    #[arg(long, value_name = "PLATFORM")]
    platform: String,
    /// The repository, whose first root of trust installations get.
    #[arg(long, value_name = "DIR")]
    repository: Option<PathBuf>,
    /// The root.json that installations get, instead of the repository's first.
    #[arg(long, value_name = "FILE", conflicts_with = "repository")]
    trust: Option<PathBuf>,
    /// The directory with obnova-launcher and obnova-desktop for that platform, on Windows also obnova-launcherw, obnova-desktopw
    /// and obnova-setup; that of this program unless given.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// An SVG for menus; an ICO on Windows.
    #[arg(long, value_name = "FILE")]
    icon: Option<PathBuf>,
    /// The server that the Desktop follows unless its user names one: for releases made for one customer.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// What the file is called.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Take this file as it is, instead of making one: for other platforms.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["repository", "trust", "programs", "icon", "server"])]
    file: Option<PathBuf>,
}

/// Makes it.
///
/// # Errors
/// The release or something for it is not there.
pub fn run(args: Args) -> Result<AddedInstaller> {
    if let Some(file) = &args.file {
        let own = file.file_name().and_then(|name| name.to_str());
        let name = args
            .name
            .as_deref()
            .or(own)
            .context("the file has no name")?;
        return Ok(publish::add_installer(
            &args.built,
            &args.platform,
            file,
            name,
        )?);
    }
    let trust = match (args.trust, args.repository) {
        (Some(trust), _) => trust,
        (None, Some(repository)) => repository.join("metadata/1.root.json"),
        (None, None) => bail!("whom installations trust is missing: give --repository or --trust"),
    };
    let here = std::env::current_exe()?;
    let here = here.parent().map(PathBuf::from);
    installer::make(&installer::Wanted {
        built: args.built,
        platform: args.platform,
        trust,
        programs: args.programs.or(here).unwrap_or_default(),
        icon: args.icon,
        server: args.server,
        name: args.name,
    })
}
