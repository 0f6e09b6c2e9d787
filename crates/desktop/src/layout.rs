//! Where everything of one Desktop is. An installation that all users of a computer share belongs to the computer; which version
//! each of them runs, and what they have tried, is their own, in their homes.

use std::path::{Component, Path, PathBuf};

use obnova_release::Destination;
use semver::Version;

/// Below a user's directory for state: what is the user's own of installations that are shared.
const OWN: &str = "obnova/desktops";

/// The paths below a Desktop's root directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
    /// What is the user's own of an installation that all users share.
    own: Option<PathBuf>,
}

impl Layout {
    /// Of this root directory, to whom it belongs.
    pub fn of(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            own: None,
        }
    }

    /// Of this root directory, for the user who asks: the same, unless all users of the computer share it.
    pub fn for_this_user(root: &Path) -> Self {
        let mut layout = Self::of(root);
        if layout.machine().exists() {
            let names = root.components().filter_map(|part| match part {
                Component::Normal(name) => Some(name),
                _ => None,
            });
            // Without a home nothing can be kept, and so nothing tried: see the launcher.
            let state = state_directory().unwrap_or_else(|| layout.root.join("nobody"));
            layout.own = Some(names.fold(state.join(OWN), |path, name| path.join(name)));
        }
        layout
    }

    /// Whether all users of the computer share it.
    pub fn is_shared(&self) -> bool {
        self.own.is_some()
    }

    /// What all users of the computer get; there is one where they share an installation.
    pub(crate) fn machine(&self) -> PathBuf {
        self.root.join("state/machine.json")
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
        self.root.join(crate::platform::ICON)
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
        match &self.own {
            Some(own) => own.clone(),
            None => self.root.join("state"),
        }
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
        let running = self.root.join("state/running");
        running.join(version.to_string())
    }

    /// A random number, the only thing about this computer that a server is told.
    pub(crate) fn id(&self) -> PathBuf {
        self.state().join("id")
    }

    pub(crate) fn store(&self) -> PathBuf {
        match &self.own {
            Some(own) => own.join("tuf"),
            None => self.root.join("tuf"),
        }
    }

    pub(crate) fn destination(&self) -> Destination {
        Destination {
            content: self.root.join("content"),
            versions: self.versions(),
        }
    }
}

/// Where programs keep what they have to remember of this user, as freedesktop.org describes it.
fn state_directory() -> Option<PathBuf> {
    let named = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    match named.filter(|named| named.is_absolute()) {
        Some(named) => Some(named),
        None => Some(std::env::home_dir()?.join(".local/state")),
    }
}
