//! Puts one version's release together from the sources of this example.
//!
//! `tree/` is what all versions have; `releases/<version>/files/` is what a version lays over that of the one before, and
//! `releases/<version>/remove.txt` names what it takes away. The result is a directory that a vendor can publish:
//! `release.toml`, the notes, and `tree/`, complete, with the program in `tree/bin/crm`; and, if its programs are named, `desktop/`, the
//! tree of the Desktop for computers like this one (see `assemble/desktop.rs`).

mod desktop;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::tree;

/// Arguments of `crm assemble`.
#[derive(Args)]
pub struct Assembly {
    /// Which version, such as 1.1.0
    #[arg(long)]
    version: String,
    /// The directory to make; it must not exist, or be empty
    #[arg(long)]
    out: PathBuf,
    /// Where `tree/` and `releases/` are
    #[arg(long, default_value = env!("CARGO_MANIFEST_DIR"))]
    source: PathBuf,
    /// Where the Desktop's programs are, crm-desktop and obnova-desktop-gui; without it the release has none
    #[arg(long, value_name = "DIR")]
    desktop: Option<PathBuf>,
}

/// Makes the directory.
pub fn assemble(assembly: &Assembly) -> Result<()> {
    let releases = assembly.source.join("releases");
    let own = releases.join(&assembly.version);
    if !own.is_dir() {
        let known = versions(&releases)?.join(", ");
        bail!(
            "there is no version {}; there are {known}",
            assembly.version
        );
    }
    if fs::read_dir(&assembly.out).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty", assembly.out.display());
    }
    let target = assembly.out.join("tree");
    lay_over(&assembly.source.join("tree"), &target)?;
    for version in versions(&releases)? {
        apply_layer(&releases.join(&version), &target)?;
        if version == assembly.version {
            break;
        }
    }
    fs::write(target.join("VERSION"), format!("{}\n", assembly.version))?;
    describe(&own, &assembly.out, assembly.desktop.is_some())?;
    if let Some(programs) = &assembly.desktop {
        desktop::assemble(assembly, programs, &versions(&releases)?)?;
    }
    copy_program(&target.join("bin"))
}

/// The versions in order; all have one digit a part.
fn versions(releases: &Path) -> Result<Vec<String>> {
    let mut versions = Vec::new();
    for entry in fs::read_dir(releases).with_context(|| format!("{}", releases.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            versions.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    versions.sort();
    Ok(versions)
}

fn apply_layer(layer: &Path, tree: &Path) -> Result<()> {
    let removals = layer.join("remove.txt");
    if removals.is_file() {
        for path in fs::read_to_string(removals)?.lines() {
            fs::remove_file(tree.join(path)).with_context(|| format!("removing {path}"))?;
        }
    }
    let files = layer.join("files");
    if files.is_dir() {
        lay_over(&files, tree)
    } else {
        Ok(())
    }
}

fn lay_over(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("{} cannot be created", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("{}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            lay_over(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// `release.toml` with the notes put into it.
fn describe(from: &Path, to: &Path, with_desktop: bool) -> Result<()> {
    let mut description: toml::Table = tree::parse(&from.join("release.toml"))?;
    let mut notes = toml::Table::new();
    for language in tree::LANGUAGES {
        let name = format!("notes.{language}.md");
        let text = tree::read(&from.join(&name))?;
        fs::write(to.join(&name), &text)?;
        notes.insert(language.to_owned(), text.into());
    }
    description.insert("notes".to_owned(), notes.into());
    if with_desktop {
        desktop::describe(&mut description)?;
    }
    fs::write(to.join("release.toml"), toml::to_string(&description)?)?;
    Ok(())
}

/// A copy, not a link: building the program anew must not change a release.
fn copy_program(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    let program = std::env::current_exe().context("the running program's path is not known")?;
    fs::copy(program, directory.join("crm"))?;
    Ok(())
}
