//! `obnova release prove`: runs the update to a release that is not published yet again and again, on installations of the versions
//! before it, with data in them, and breaks each run off at another moment. Each must end, by nothing but the next start of the
//! engine, at the version before or at the new one; from there the way back must lead to exactly what was before.
//!
//! ```text
//!  place     an installation of one version in a directory of its own, from a repository that only it trusts
//!  subject   its engine, as a process that is started, asked, and found dead
//!  breaking  what that process does to itself at a moment
//!  trial     the rounds
//! ```

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use obnova_release::publish::trial_repository;
use obnova_release::{Description, Proof, Trial};
use semver::Version;

mod breaking;
mod place;
mod subject;
mod trial;

pub use breaking::run as breaking;

/// The first argument of an engine that is going to be broken off.
pub const ROLE: &str = "engine-to-be-broken";

/// What is to be proven, and how.
#[derive(Debug)]
pub struct Wanted {
    /// The built release.
    pub built: PathBuf,
    /// The repository with the versions before it.
    pub repository: PathBuf,
    /// Installation files, one for each kind of database.
    pub installations: Vec<PathBuf>,
    /// The versions to update from.
    pub from: Vec<Version>,
    /// A program that fills an installation with data.
    pub sample: Option<PathBuf>,
    /// The most rounds of one trial; every moment unless given.
    pub rounds: Option<u32>,
}

/// How far it is, for somebody who watches.
#[derive(Debug)]
pub struct Progress<'a> {
    /// From which version.
    pub from: &'a Version,
    /// On which database.
    pub database: &'a str,
    /// Rounds done.
    pub done: u32,
    /// Rounds in all.
    pub all: u32,
}

/// Tries everything, and writes the proof beside the built release. Gives back its file.
///
/// # Errors
/// A round ended between the versions, or could not be made; the error says which, and where its directory was left.
pub fn prove(wanted: &Wanted, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(Proof, PathBuf)> {
    let release = wanted.built.join("release.json");
    let name = release.display().to_string();
    let bytes = std::fs::read(&release)
        .with_context(|| format!("{name}: make a release with `obnova release build` first"))?;
    let description = Description::from_json(&bytes, &name)?;
    for from in &wanted.from {
        ensure!(
            obnova_release::matches(&description.from, from) && *from < description.version,
            "{} cannot be installed over {from}: its description says from = \"{}\"",
            description.version,
            description.from
        );
    }
    let work = tempfile::Builder::new().prefix("obnova-prove-").tempdir()?;
    let repository = work.path().join("repository");
    let root = trial_repository(&wanted.repository, &wanted.built, &repository)?;
    let mut trials = Vec::new();
    for installation in &wanted.installations {
        for from in &wanted.from {
            let place = place::Place {
                template: installation,
                repository: &repository,
                root: &root,
            };
            let directory = work.path().join(format!("trial-{}", trials.len()));
            let result = one(wanted, &place, &directory, from, &description, progress);
            match result {
                Ok(trial) => trials.push(trial),
                Err(error) => {
                    let kept = work.keep();
                    return Err(error.context(format!(
                        "not proven: the update from {from} with {}; its directory was left in {}",
                        installation.display(),
                        kept.display()
                    )));
                }
            }
        }
    }
    let proof = Proof::of(&wanted.built, env!("CARGO_PKG_VERSION"), trials)?;
    let file = proof.keep(&wanted.built)?;
    Ok((proof, file))
}

fn one(
    wanted: &Wanted,
    place: &place::Place<'_>,
    directory: &Path,
    from: &Version,
    description: &Description,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Trial> {
    let installed = place.install(directory, from)?;
    let result = trial::run(&installed, wanted, description, progress);
    let tidied = installed.give_back();
    let trial = result?;
    tidied?;
    Ok(trial)
}
