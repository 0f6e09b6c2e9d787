//! `obnova release …`: the vendor's commands. Each is a function of [`obnova_release::publish`]; here are only their
//! arguments and what they print. For developers, and therefore in English.

mod installer;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use jiff::Timestamp;
use obnova_release::Proof;
use obnova_release::publish::{self, BuildOptions, InitOptions, Role, RotateOptions, Vendor};
use semver::Version;
use serde::Serialize;

use crate::output::say;
use crate::prove;

/// Make and publish releases.
#[derive(Debug, Subcommand)]
pub enum Args {
    /// Make signing keys and an empty repository.
    ///
    /// Three keys each for root and targets are made, two of which must sign: whoever steals one has nothing, and one that is lost
    /// can be replaced. Keep them away from the network, each in another place. Give every installation the file that is
    /// printed at the end: its trust begins there.
    #[command(after_help = INIT_EXAMPLES)]
    Init {
        /// The repository's directory: static files for any web server, share or stick.
        #[arg(long, value_name = "DIR")]
        repository: PathBuf,
        /// Where the keys of snapshot and timestamp go.
        #[arg(long, value_name = "DIR")]
        keys: PathBuf,
        /// Where the keys of root and targets go; the same directory unless given.
        #[arg(long, value_name = "DIR")]
        offline_keys: Option<PathBuf>,
        /// How many root keys must sign, of how many.
        #[arg(long, default_value = "2/3", value_parser = quorum, value_name = "M/N")]
        root: (usize, usize),
        /// How many targets keys must sign, of how many.
        #[arg(long, default_value = "2/3", value_parser = quorum, value_name = "M/N")]
        targets: (usize, usize),
    },
    /// Show, make and replace signing keys.
    #[command(subcommand)]
    Keys(Keys),
    /// Turn a description and a directory of files into a release. Needs no keys.
    #[command(
        after_help = "Examples:\n  obnova release build --description release.toml --tree dist --out build/1.1.0\n  obnova release build --tree dist --desktop linux-x86_64=desktop/linux --out build/1.1.0"
    )]
    Build {
        /// The release's description.
        #[arg(long, default_value = "release.toml", value_name = "FILE")]
        description: PathBuf,
        /// The directory of the program's files.
        #[arg(long, value_name = "DIR")]
        tree: PathBuf,
        /// The files of the Desktop for one of the description's platforms; may be given several times.
        #[arg(long, value_name = "PLATFORM=DIR", value_parser = desktop)]
        desktop: Vec<(String, PathBuf)>,
        /// The directory to make; an earlier build in it is replaced.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    #[command(after_help = installer::EXAMPLES)]
    Installer(installer::Args),
    /// Break the update to a built release off at every moment, and prove that it always ends old or new.
    ///
    /// On installations made for it, with data that your program puts in. What was proven is signed and published with the
    /// release, and administrators read it before they install.
    #[command(after_help = PROVE_EXAMPLES)]
    Prove {
        /// What `build` has made.
        built: PathBuf,
        /// The repository with the versions before it. Needs no keys, and is not changed.
        #[arg(long, value_name = "DIR")]
        repository: PathBuf,
        /// An installation file; one for each kind of database. A database server's database must be empty, and nobody else's:
        /// it is given back so. Releases and ports are replaced.
        #[arg(long, value_name = "FILE", required = true)]
        installation: Vec<PathBuf>,
        /// A version to update from; may be given several times.
        #[arg(long, value_name = "VERSION", required = true)]
        from: Vec<Version>,
        /// A program that puts data into the installation. In its environment: OBNOVA_APPLICATION (an address),
        /// OBNOVA_DATABASE, OBNOVA_DATA, OBNOVA_VERSION.
        #[arg(long, value_name = "PROGRAM")]
        sample: Option<PathBuf>,
        /// The most rounds for each version and database, spread over all moments; every moment unless given.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        rounds: Option<u32>,
    },
    /// Sign a built release and offer it to installations.
    #[command(
        after_help = "Example:\n  obnova release publish build/1.1.0 --repository repo --keys keys --keys /media/stick/keys"
    )]
    Publish {
        /// What `build` has made.
        built: PathBuf,
        #[command(flatten)]
        at: Place,
    },
    /// Renew the signatures that expire every two weeks. Needs the online keys only.
    #[command(
        after_help = "Examples:\n  obnova release resign --repository repo --keys keys\n  obnova release resign --repository repo --keys keys --keys /media/stick/keys --also targets --also root"
    )]
    Resign {
        /// Renew root or targets as well; needs their keys.
        #[arg(long, value_name = "ROLE")]
        also: Vec<Role>,
        #[command(flatten)]
        at: Place,
    },
    /// List the releases, and how long the signatures are valid.
    #[command(after_help = "Example:\n  obnova release list --repository repo --json")]
    List {
        /// The repository's directory.
        #[arg(long, value_name = "DIR")]
        repository: PathBuf,
    },
    /// Stop offering a release. Its version number is not given to another one.
    #[command(after_help = "Example:\n  obnova release revoke 1.2.0 --repository repo --keys keys")]
    Revoke {
        /// The version.
        version: Version,
        #[command(flatten)]
        at: Place,
    },
}

/// Show, make and replace signing keys.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Show which keys the repository trusts, and which of them are in the given directories.
    List {
        #[command(flatten)]
        at: Place,
    },
    /// Make a key, for somebody who is to sign as well. It is trusted when `rotate` has named it.
    New {
        /// What it is for: root, targets, snapshot or timestamp.
        role: Role,
        /// The directory for its file.
        #[arg(long, value_name = "DIR")]
        keys: PathBuf,
    },
    /// Give a role new keys; its old ones are worth nothing afterwards.
    #[command(after_help = ROTATE_EXAMPLES)]
    Rotate {
        /// The role: root, targets, snapshot or timestamp.
        role: Role,
        /// The directory for the new key files.
        #[arg(long, value_name = "DIR")]
        new_keys: PathBuf,
        /// How many of the new keys must sign, of how many; as before unless given.
        #[arg(long, value_parser = quorum, value_name = "M/N")]
        quorum: Option<(usize, usize)>,
        /// Trust this key file instead of making one.
        #[arg(long, value_name = "FILE")]
        existing: Vec<PathBuf>,
        #[command(flatten)]
        at: Place,
    },
}

/// The repository and the keys.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// The repository's directory.
    #[arg(long, value_name = "DIR")]
    repository: PathBuf,
    /// A directory with keys; may be given several times.
    #[arg(long, value_name = "DIR")]
    keys: Vec<PathBuf>,
}

const INIT_EXAMPLES: &str = "Examples:
  obnova release init --repository repo --keys keys
  obnova release init --repository repo --keys keys --offline-keys /media/stick/keys
  obnova release init --repository repo --keys keys --offline-keys /media/stick/keys --root 3/5 --targets 2/3";

const PROVE_EXAMPLES: &str = "Examples:
  obnova release prove build/1.1.0 --repository repo --installation sqlite.toml --from 1.0.0 --sample ./fill
  obnova release prove build/1.1.0 --repository repo --installation sqlite.toml --installation postgres.toml --from 1.0.0 --from 1.0.1 --rounds 50";

const ROTATE_EXAMPLES: &str = "Examples:
  obnova release keys rotate timestamp --new-keys keys --repository repo --keys keys --keys /media/stick/keys
  obnova release keys rotate root --quorum 2/3 --new-keys /media/stick/keys --repository repo --keys keys --keys /media/stick/keys";

impl From<Place> for Vendor {
    fn from(place: Place) -> Self {
        Vendor::new(place.repository, place.keys)
    }
}

/// Runs a vendor's command.
///
/// # Errors
/// It failed; nothing was published.
pub fn run(args: Args, json: bool) -> anyhow::Result<()> {
    match args {
        Args::Init {
            repository,
            keys,
            offline_keys,
            root,
            targets,
        } => {
            let options = InitOptions {
                offline_keys: offline_keys.unwrap_or_else(|| keys.clone()),
                online_keys: keys,
                root,
                targets,
            };
            let made = publish::init(&Vendor::new(repository, vec![]), &options)?;
            print(json, &made, || init_text(&made, &options))
        }
        Args::Keys(keys) => run_keys(keys, json),
        Args::Build {
            description,
            tree,
            desktop,
            out,
        } => {
            let options = BuildOptions {
                description,
                tree,
                out,
            };
            let built = publish::build_with_desktops(&options, &desktop.into_iter().collect())?;
            print(json, &built, || {
                format!(
                    "Built {} in {}: {} entries, {}, {} compressed.",
                    built.version,
                    built.out.display(),
                    built.entries,
                    size(built.bytes),
                    size(built.packed_bytes),
                )
            })
        }
        Args::Installer(args) => {
            let added = installer::run(args)?;
            print(json, &added, || {
                format!(
                    "Made {}, {}, SHA-256 {}. Publish the release to sign it.",
                    added.file.display(),
                    size(added.bytes),
                    added.sha256,
                )
            })
        }
        Args::Prove {
            built,
            repository,
            installation,
            from,
            sample,
            rounds,
        } => {
            let wanted = prove::Wanted {
                built,
                repository,
                installations: installation,
                from,
                sample,
                rounds,
            };
            let bar = indicatif::ProgressBar::new(0);
            bar.set_style(indicatif::ProgressStyle::with_template(
                "{msg} {bar:30} {pos}/{len} {eta}",
            )?);
            let (proof, file) = prove::prove(&wanted, &mut |it| {
                bar.set_length(it.all.into());
                bar.set_position(it.done.into());
                bar.set_message(format!("from {} on {}", it.from, it.database));
            })?;
            bar.finish_and_clear();
            print(json, &proof, || proof_text(&proof, &file))
        }
        Args::Publish { built, at } => {
            let published = publish::publish(&at.into(), &built)?;
            print(json, &published, || {
                format!(
                    "Published {} ({}) in {}: {} new of {}.",
                    published.version,
                    published.channel,
                    published.repository.display(),
                    size(published.new_bytes),
                    size(published.packed_bytes),
                )
            })
        }
        Args::Resign { also, at } => {
            let resigned = publish::resign(&at.into(), &also)?;
            print(json, &resigned, || {
                lines(&resigned.renewed, |(role, until)| {
                    format!("{role:<10} valid until {}", day(*until))
                })
            })
        }
        Args::List { repository } => {
            let listing = publish::list(&Vendor::new(repository, vec![]))?;
            print(json, &listing, || list_text(&listing))
        }
        Args::Revoke { version, at } => {
            let revoked = publish::revoke(&at.into(), &version)?;
            print(json, &revoked, || {
                let left = revoked.remaining.iter().map(Version::to_string);
                let left = left.collect::<Vec<_>>().join(", ");
                format!(
                    "{} is not offered any more. Still offered: {left}",
                    revoked.version
                )
            })
        }
    }
}

fn run_keys(keys: Keys, json: bool) -> anyhow::Result<()> {
    match keys {
        Keys::List { at } => {
            let roles = publish::keys(&at.into())?;
            print(json, &roles, || lines(&roles, role_text))
        }
        Keys::New { role, keys } => {
            let key = publish::new_key(role, &keys)?;
            print(json, &key, || format!("{} {}", key.id, key.file.display()))
        }
        Keys::Rotate {
            role,
            new_keys,
            quorum,
            existing,
            at,
        } => {
            let options = RotateOptions {
                role,
                new_keys,
                quorum,
                existing,
            };
            let rotated = publish::rotate(&at.into(), &options)?;
            print(json, &rotated, || {
                format!(
                    "The role {} has new keys, {} must sign (root version {}):\n{}",
                    rotated.role,
                    rotated.threshold,
                    rotated.root_version,
                    lines(&rotated.keys, |path| format!("  {}", path.display())),
                )
            })
        }
    }
}

fn desktop(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((platform, directory)) if !platform.is_empty() && !directory.is_empty() => {
            Ok((platform.to_owned(), directory.into()))
        }
        _ => Err("write PLATFORM=DIR, such as linux-x86_64=desktop/linux".into()),
    }
}

fn print(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) -> anyhow::Result<()> {
    if json {
        say(&serde_json::to_string_pretty(value)?)
    } else {
        say(&text())
    }
}

fn init_text(made: &publish::Initialised, options: &InitOptions) -> String {
    let keys: Vec<(&String, &PathBuf)> = made
        .keys
        .iter()
        .flat_map(|(role, files)| files.iter().map(move |file| (role, file)))
        .collect();
    format!(
        "Made the repository {} and its keys:\n{}\nGive every installation this file: {}\n\n{}",
        made.repository.display(),
        lines(&keys, |(role, file)| format!(
            "  {role:<10} {}",
            file.display()
        )),
        made.root.display(),
        key_advice(options),
    )
}

/// What to do with the keys now: whoever has enough of them is the vendor for every customer.
fn key_advice(options: &InitOptions) -> String {
    let mut advice = Vec::new();
    for (role, does, (threshold, keys)) in [
        (
            "targets",
            "release any program to all customers",
            options.targets,
        ),
        ("root", "decide for good which keys are valid", options.root),
    ] {
        advice.push(match threshold {
            1 => format!(
                "Whoever gets ONE {role} key can {does}. Two of three are safer: --{role} 2/3."
            ),
            _ => format!(
                "Whoever gets {threshold} of the {keys} {role} keys can {does}: move each to another place, such as a stick of its own."
            ),
        });
    }
    if options.offline_keys == options.online_keys {
        advice.push(format!(
            "All of them are in {} now, beside the keys that a machine on the network needs: as they lie there, they are worth no more than one.",
            options.online_keys.display()
        ));
    }
    advice.push(
        "To publish, name each place: --keys A --keys B. A key that is lost or stolen is replaced with: obnova release keys rotate."
            .to_owned(),
    );
    advice.join("\n")
}

fn proof_text(proof: &Proof, file: &Path) -> String {
    let trials = lines(&proof.trials, |trial| {
        format!(
            "from {} on {}: {} rounds, {} ended before, {} after, none between; requests waited {} ms at most undisturbed, {} ms on the way back",
            trial.from,
            trial.database,
            trial.rounds,
            trial.ended_before,
            trial.ended_after,
            trial.worst_blackout_ms,
            trial.worst_way_back_ms,
        )
    });
    format!(
        "Proven.\n{trials}\n{} is published with the release.",
        file.display()
    )
}

fn list_text(listing: &publish::Listing) -> String {
    let releases = lines(&listing.releases, |release| {
        format!(
            "{:<12} {:<7} {:>10} {:>10} compressed",
            release.version.to_string(),
            release.channel,
            size(release.bytes),
            size(release.packed_bytes),
        )
    });
    let expiries = lines(&listing.expiries, |role| {
        format!(
            "{:<10} valid until {} ({} days)",
            role.role,
            day(role.expires),
            role.days_left,
        )
    });
    if releases.is_empty() {
        return format!("No releases.\n\n{expiries}");
    }
    format!("{releases}\n\n{expiries}")
}

fn role_text(role: &publish::RoleStatus) -> String {
    let able = if role.can_sign {
        "can sign"
    } else {
        "cannot sign"
    };
    let keys = lines(&role.keys, |key| match &key.file {
        Some(file) => format!("  {}  {}", key.id, file.display()),
        None => format!("  {}  not here", key.id),
    });
    format!(
        "{}: {} of {} keys must sign; {able}\n{keys}",
        role.role,
        role.threshold,
        role.keys.len(),
    )
}

fn lines<T>(items: &[T], line: impl Fn(&T) -> String) -> String {
    items.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn day(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d").to_string()
}

fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// `2/3`: two of three must sign.
fn quorum(text: &str) -> Result<(usize, usize), String> {
    let wrong = || format!("{text:?} is not M/N, such as 2/3");
    let (must, of) = text.split_once('/').ok_or_else(wrong)?;
    let must = must.parse().map_err(|_| wrong())?;
    let of = of.parse().map_err(|_| wrong())?;
    Ok((must, of))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        args: Args,
    }

    fn obnova_release(directory: &Path, line: &str) -> anyhow::Result<()> {
        let words = line.split(' ').map(|word| match word.strip_prefix('@') {
            Some(name) => directory.join(name).display().to_string(),
            None => word.to_owned(),
        });
        let line = Line::try_parse_from(std::iter::once("release".to_owned()).chain(words))?;
        run(line.args, true)
    }

    #[test]
    fn a_vendor_goes_the_whole_way() {
        let directory = tempfile::tempdir().unwrap();
        let description = r#"
            product = "crm"
            name = "CRM"
            version = "1.0.0"
            date = 2026-11-24
            server = { start = ["/bin/true"], health = [{ path = "/" }] }
        "#;
        std::fs::write(directory.path().join("release.toml"), description).unwrap();
        std::fs::create_dir(directory.path().join("dist")).unwrap();
        std::fs::write(directory.path().join("dist/file"), "content").unwrap();
        for line in [
            "init --repository @repo --keys @keys --offline-keys @stick --root 2/3",
            "keys list --repository @repo --keys @keys",
            "build --description @release.toml --tree @dist --out @build",
            "publish @build --repository @repo --keys @keys --keys @stick",
            "list --repository @repo",
            "keys new targets --keys @colleague",
            "keys rotate targets --quorum 1/2 --new-keys @stick --repository @repo --keys @keys --keys @stick",
            "resign --repository @repo --keys @keys",
            "resign --also root --also targets --repository @repo --keys @keys --keys @stick",
            "revoke 1.0.0 --repository @repo --keys @keys --keys @stick",
        ] {
            if let Err(error) = obnova_release(directory.path(), line) {
                panic!("{line}: {error:#}");
            }
        }
        let without = "revoke 1.0.0 --repository @repo --keys @keys";
        assert!(obnova_release(directory.path(), without).is_err());
    }

    #[test]
    fn a_quorum_is_two_numbers() {
        assert_eq!(quorum("2/3"), Ok((2, 3)));
        for wrong in ["", "2", "2/", "/3", "a/b", "-1/2"] {
            assert!(quorum(wrong).is_err(), "{wrong}");
        }
    }
}
