//! The vendor: keys, a repository, and the trees that the example's script builds out of published packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A vendor who has built every release and published none yet.
#[derive(Debug)]
pub struct Vendor {
    obnova: PathBuf,
    folder: PathBuf,
}

impl Vendor {
    /// Makes keys, an empty repository and the trees of `releases`, directories of the example.
    ///
    /// # Errors
    /// A package cannot be had, or a program fails; with what it said.
    pub fn make(
        obnova: &Path,
        folder: &Path,
        example: &Path,
        wheels: &Path,
        releases: &[&str],
    ) -> Result<Vendor> {
        let vendor = Vendor {
            obnova: obnova.to_owned(),
            folder: folder.to_owned(),
        };
        let mut build = Command::new("python3");
        build
            .arg(example.join("build-releases"))
            .arg("--wheels")
            .arg(wheels)
            .arg(folder.join("trees"))
            .args(releases.iter().map(|release| example.join(release)));
        run(&mut build)?;
        let mut init = vendor.release("init");
        init.arg("--repository")
            .arg(vendor.repository())
            .arg("--keys")
            .arg(vendor.keys())
            .arg("--offline-keys")
            .arg(vendor.keys());
        run(&mut init)?;
        Ok(vendor)
    }

    /// The repository.
    pub fn repository(&self) -> PathBuf {
        self.folder.join("repository")
    }

    /// The root of trust that the customer gets.
    pub fn root(&self) -> PathBuf {
        self.repository().join("metadata/1.root.json")
    }

    /// Builds and publishes a version.
    ///
    /// # Errors
    /// One of the programs failed, with what it said.
    pub fn publish(&self, version: &str) -> Result<()> {
        let work = self.folder.join("trees").join(version);
        let built = self.folder.join("built").join(version);
        let mut build = self.release("build");
        build
            .arg("--description")
            .arg(work.join("release.toml"))
            .arg("--tree")
            .arg(work.join("tree"))
            .arg("--out")
            .arg(&built);
        run(&mut build)?;
        let mut publish = self.release("publish");
        publish
            .arg(&built)
            .arg("--repository")
            .arg(self.repository())
            .arg("--keys")
            .arg(self.keys());
        run(&mut publish)?;
        Ok(())
    }

    /// Bytes of all files of a version's tree.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn tree_bytes(&self, version: &str) -> Result<u64> {
        bytes(&self.folder.join("trees").join(version).join("tree"))
    }

    fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }

    fn release(&self, command: &str) -> Command {
        let mut program = Command::new(&self.obnova);
        program.args(["release", command]);
        program
    }
}

/// Bytes of all files below a directory.
///
/// # Errors
/// One cannot be read.
pub fn bytes(directory: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += match metadata.is_dir() {
            true => bytes(&entry.path())?,
            false => metadata.len(),
        };
    }
    Ok(sum)
}

/// Runs a program to its end and returns what it printed.
///
/// # Errors
/// It cannot be run, or fails; with what it said.
pub fn run(command: &mut Command) -> Result<String> {
    let name = Path::new(command.get_program()).display().to_string();
    let output = command
        .output()
        .with_context(|| format!("{name} cannot be run"))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let arguments: Vec<_> = command
            .get_args()
            .map(|word| word.to_string_lossy())
            .collect();
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{name} {}: {}\n{printed}{said}",
            arguments.join(" "),
            output.status
        );
    }
    Ok(printed)
}
