//! What makes an installation visible to its user on Windows: the entry in the Start menu, the agent that is started with the
//! session, and the entry in *Apps & features* with which everything is removed again. All of it is the user's own and needs no
//! rights. What is in the registry says what is there; a kill in between leaves something that installing again finishes.

mod shortcut;

use std::io;
use std::path::{Path, PathBuf};

use obnova_release::durable;
use windows_registry::{CURRENT_USER, Key};

use crate::desktop::Desktop;
use crate::error::Error;
use crate::install::Installation;
use crate::layout::Layout;
use crate::platform;
use shortcut::Shortcut;

/// What Windows lists as installed.
const LISTED: &str = "Software\\Microsoft\\Windows\\CurrentVersion\\Uninstall";
/// What Windows starts with a session.
const AUTOSTART: &str = "Software\\Microsoft\\Windows\\CurrentVersion\\Run";
/// Which installation an entry belongs to.
const ROOT: &str = "InstallLocation";
/// Where the entry of the Start menu is: it has the name that the product had then.
const MENU: &str = "ObnovaShortcut";

/// The entries of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries {
    product: String,
    root: PathBuf,
}

impl Entries {
    /// Those of this product for the user who asks.
    pub fn of(product: &str, root: &Path) -> Option<Self> {
        Some(Self {
            product: product.to_owned(),
            root: root.to_owned(),
        })
    }

    /// Lists the program in *Apps & features*.
    ///
    /// # Errors
    /// The registry refuses.
    pub fn list(&self, installed: &Installation) -> Result<(), Error> {
        let key = self.create()?;
        let remove = format!("{} uninstall", self.tool());
        let mut values = vec![
            ("DisplayName", installed.name.replace(char::is_control, " ")),
            ("DisplayVersion", installed.version.to_string()),
            (ROOT, self.root.display().to_string()),
            ("QuietUninstallString", format!("{remove} --silent")),
            ("UninstallString", remove),
        ];
        let icon = self.icon(&installed.program);
        values.push(("DisplayIcon", icon.display().to_string()));
        for (name, value) in values {
            key.set_string(name, value).map_err(io::Error::from)?;
        }
        let tree = Layout::of(&self.root).version(&installed.version);
        let kib = u32::try_from(bytes_of(&tree) / 1024).unwrap_or(u32::MAX);
        for (name, value) in [("NoModify", 1), ("NoRepair", 1), ("EstimatedSize", kib)] {
            key.set_u32(name, value).map_err(io::Error::from)?;
        }
        Ok(())
    }

    /// Says in *Apps & features* which version is here now, if it is listed there.
    pub(crate) fn version_is(&self, version: &semver::Version) {
        let path = format!("{LISTED}\\{}", self.product);
        let Ok(key) = CURRENT_USER.options().read().write().open(path) else {
            return;
        };
        let version = version.to_string();
        let shown = key.get_string("DisplayVersion").unwrap_or_default();
        if self.is_mine(&key)
            && shown != version
            && let Err(error) = key.set_string("DisplayVersion", version)
        {
            tracing::debug!(%error, "the version is not shown among the installed programs");
        }
    }

    /// Puts the program into the Start menu.
    ///
    /// # Errors
    /// The disk or the registry refuses.
    pub fn add_to_menu(&self, installed: &Installation) -> Result<(), Error> {
        let Some(menu) = menu() else { return Ok(()) };
        let path = menu.join(format!("{}.lnk", file_name(&installed.name)));
        let shortcut = Shortcut {
            program: &installed.program,
            directory: &self.root,
            description: &installed.name,
            icon: &self.icon(&installed.program),
        };
        durable::create_dir_all(&menu)?;
        let key = self.create()?;
        self.remove_shortcut(&key, Some(&path))?;
        let shown = path.display().to_string();
        key.set_string(MENU, shown).map_err(io::Error::from)?;
        key.set_string(ROOT, self.root.display().to_string())
            .map_err(io::Error::from)?;
        Ok(durable::write(&path, &shortcut.bytes(), 0o644)?)
    }

    /// Starts the agent with the user's session, from the next one on.
    ///
    /// # Errors
    /// The registry refuses.
    pub fn start_agent(&self, _installed: &Installation) -> Result<(), Error> {
        let key = CURRENT_USER.create(AUTOSTART).map_err(io::Error::from)?;
        let command = self.agent();
        key.set_string(self.agent_name(), command)
            .map_err(io::Error::from)?;
        Ok(())
    }

    /// Removes those that belong to this installation.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        if let Ok(key) = CURRENT_USER.options().read().write().open(AUTOSTART) {
            let name = self.agent_name();
            if key.get_string(&name).is_ok_and(|it| it == self.agent()) {
                key.remove_value(&name).map_err(io::Error::from)?;
            }
        }
        let path = format!("{LISTED}\\{}", self.product);
        let Ok(key) = CURRENT_USER.options().read().write().open(&path) else {
            return Ok(());
        };
        if self.is_mine(&key) {
            self.remove_shortcut(&key, None)?;
            drop(key);
            CURRENT_USER.remove_tree(path).map_err(io::Error::from)?;
        }
        Ok(())
    }

    /// Removes the shortcut that was made before, unless it is this one.
    fn remove_shortcut(&self, key: &Key, but: Option<&Path>) -> Result<(), Error> {
        let Ok(path) = key.get_string(MENU).map(PathBuf::from) else {
            return Ok(());
        };
        // The registry is the user's; nothing but a shortcut is ever removed because of it.
        let is_shortcut = path.extension().is_some_and(|it| it == "lnk");
        if self.is_mine(key) && is_shortcut && but != Some(&path) {
            durable::remove_file(&path)?;
        }
        Ok(())
    }

    fn create(&self) -> Result<Key, Error> {
        let path = format!("{LISTED}\\{}", self.product);
        Ok(CURRENT_USER.create(path).map_err(io::Error::from)?)
    }

    fn is_mine(&self, key: &Key) -> bool {
        key.get_string(ROOT)
            .is_ok_and(|root| Path::new(&root) == self.root)
    }

    fn agent_name(&self) -> String {
        format!("{} agent", self.product)
    }

    fn agent(&self) -> String {
        format!("{} agent", self.tool())
    }

    /// The command line's own program, without a window, for this installation.
    fn tool(&self) -> String {
        let tool = Layout::of(&self.root)
            .programs()
            .join(platform::program("obnova-desktopw"));
        // No path has a quotation mark in it here.
        format!("\"{}\" --root \"{}\"", tool.display(), self.root.display())
    }

    fn icon(&self, program: &Path) -> PathBuf {
        let icon = Layout::of(&self.root).icon();
        match icon.is_file() {
            true => icon,
            false => program.to_owned(),
        }
    }
}

impl Desktop {
    /// The entries of this installation.
    pub fn entries(&self) -> Option<Entries> {
        Entries::of(&self.configuration.product, self.layout.root())
    }
}

/// The user's own part of the Start menu.
fn menu() -> Option<PathBuf> {
    let data = PathBuf::from(std::env::var_os("APPDATA")?);
    Some(data.join("Microsoft\\Windows\\Start Menu\\Programs"))
}

/// A name for people as one of a file.
fn file_name(name: &str) -> String {
    let plain = name.replace(|c: char| c.is_control() || "<>:\"/\\|?*".contains(c), " ");
    let plain = plain.trim().trim_end_matches('.').trim();
    match plain.is_empty() {
        true => "Desktop".to_owned(),
        false => plain.chars().take(80).collect(),
    }
}

fn bytes_of(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => bytes_of(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_product_is_called_its_shortcut_has_a_name() {
        assert_eq!(file_name("Vzor CRM"), "Vzor CRM");
        assert_eq!(file_name("a/b: \"c\"?"), "a b   c");
        assert_eq!(file_name("Ltd."), "Ltd");
        assert_eq!(file_name("???"), "Desktop");
    }
}
