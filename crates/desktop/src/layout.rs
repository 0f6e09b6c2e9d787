//! Where everything of one Desktop is.

use std::path::{Path, PathBuf};

use obnova_release::Destination;
use semver::Version;

/// The paths below a Desktop's root directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Of this root directory.
    pub fn of(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// The root directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the installer has set.
    pub fn configuration(&self) -> PathBuf {
        self.root.join("desktop.toml")
    }

    /// Whom to trust: came with the installer.
    pub fn trust(&self) -> PathBuf {
        self.root.join("root.json")
    }

    /// The launcher, under the product's name, and the command line: they stay while versions come and go.
    pub fn programs(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// The icon in menus.
    pub(crate) fn icon(&self) -> PathBuf {
        self.root.join("icon.svg")
    }

    /// The versions, side by side.
    pub fn versions(&self) -> PathBuf {
        self.root.join("versions")
    }

    /// The files of one version.
    pub fn version(&self, version: &Version) -> PathBuf {
        self.versions().join(version.to_string())
    }

    /// What says which version runs, and everything about it.
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    pub(crate) fn pointer(&self) -> PathBuf {
        self.state().join("pointer.json")
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.state().join("journal.jsonl")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.state().join("lock")
    }

    /// A file that whoever runs a version has a shared lock on.
    pub(crate) fn running(&self, version: &Version) -> PathBuf {
        self.state().join("running").join(version.to_string())
    }

    /// A random number, the only thing about this computer that a server is told.
    pub(crate) fn id(&self) -> PathBuf {
        self.state().join("id")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("tuf")
    }

    pub(crate) fn destination(&self) -> Destination {
        Destination {
            content: self.root.join("content"),
            versions: self.versions(),
        }
    }
}
