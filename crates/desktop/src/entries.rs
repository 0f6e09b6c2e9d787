//! What makes an installation visible to its user: the entry in the desktop's menu and, if wished, the agent that is started
//! with the session. Files of the freedesktop.org specifications, for Linux and its like.

use std::path::{Path, PathBuf};

use obnova_release::durable;

use crate::desktop::Desktop;
use crate::error::Error;
use crate::install::Installation;
use crate::layout::Layout;
use crate::platform;

/// Says which installation an entry belongs to.
const ROOT: &str = "X-Obnova-Root";

/// The entries of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries {
    menu: PathBuf,
    autostart: PathBuf,
    root: PathBuf,
}

impl Entries {
    /// Those of this product for the user whose home directory this is; `None` when there is no home, or menus are made otherwise.
    pub fn of(product: &str, root: &Path) -> Option<Self> {
        if !platform::MENU_OF_FILES {
            return None;
        }
        let data = directory("XDG_DATA_HOME", ".local/share")?;
        let config = directory("XDG_CONFIG_HOME", ".config")?;
        Some(Self {
            menu: data.join("applications").join(format!("{product}.desktop")),
            autostart: config
                .join("autostart")
                .join(format!("{product}-agent.desktop")),
            root: root.to_owned(),
        })
    }

    /// Those for all users of the computer.
    pub fn of_machine(product: &str, root: &Path) -> Option<Self> {
        platform::MENU_OF_FILES.then(|| Self {
            menu: Path::new("/usr/local/share/applications").join(format!("{product}.desktop")),
            autostart: Path::new("/etc/xdg/autostart").join(format!("{product}-agent.desktop")),
            root: root.to_owned(),
        })
    }

    /// Puts the program into the menu.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn add_to_menu(&self, installed: &Installation) -> Result<(), Error> {
        let icon = Layout::of(&self.root).icon();
        let mut lines = vec![
            "Type=Application".to_owned(),
            format!("Name={}", one_line(&installed.name)),
            format!("Exec={}", quoted(&installed.program)),
            "Terminal=false".to_owned(),
            "Categories=Office;".to_owned(),
        ];
        if icon.is_file() {
            lines.push(format!("Icon={}", icon.display()));
        }
        self.write(&self.menu, lines)
    }

    /// Starts the agent with the user's session, from the next one on.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn start_agent(&self, installed: &Installation) -> Result<(), Error> {
        let tool = Layout::of(&self.root)
            .programs()
            .join(platform::program("obnova-desktop"));
        let lines = vec![
            "Type=Application".to_owned(),
            format!("Name={}", one_line(&installed.name)),
            format!("Exec={} --root {} agent", quoted(&tool), quoted(&self.root)),
            "Terminal=false".to_owned(),
            "NoDisplay=true".to_owned(),
        ];
        self.write(&self.autostart, lines)
    }

    /// Removes those that belong to this installation.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        let mine = format!("{ROOT}={}", one_line(&self.root.display().to_string()));
        for path in [&self.menu, &self.autostart] {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            if text.lines().any(|line| line == mine) {
                durable::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn write(&self, path: &Path, lines: Vec<String>) -> Result<(), Error> {
        let mut text = "[Desktop Entry]\nVersion=1.0\n".to_owned();
        let root = one_line(&self.root.display().to_string());
        for line in lines.into_iter().chain([format!("{ROOT}={root}")]) {
            text.push_str(&line);
            text.push('\n');
        }
        if let Some(directory) = path.parent() {
            durable::create_dir_all(directory)?;
        }
        Ok(durable::write(path, text.as_bytes(), 0o644)?)
    }
}

impl Desktop {
    /// The entries of this installation.
    pub fn entries(&self) -> Option<Entries> {
        let (product, root) = (&self.configuration.product, self.layout.root());
        match self.layout.machine().exists() {
            true => Entries::of_machine(product, root),
            false => Entries::of(product, root),
        }
    }
}

/// A directory of the user's that the environment may name.
fn directory(variable: &str, otherwise: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    match named.filter(|named| named.is_absolute()) {
        Some(named) => Some(named),
        None => Some(std::env::home_dir()?.join(otherwise)),
    }
}

/// A path as one word of `Exec`.
fn quoted(path: &Path) -> String {
    let mut word = String::from("\"");
    for character in one_line(&path.display().to_string()).chars() {
        match character {
            // The value is unescaped twice: as any value, and as a word of a command.
            '\\' => word.push_str("\\\\\\\\"),
            '"' | '`' | '$' => {
                word.push_str("\\\\");
                word.push(character);
            }
            '%' => word.push_str("%%"),
            other => word.push(other),
        }
    }
    word.push('"');
    word
}

/// Nothing of a name may begin another line of the entry.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_signs_that_mean_something_stay_one_word() {
        assert_eq!(quoted("/home/a b/crm".as_ref()), "\"/home/a b/crm\"");
        assert_eq!(quoted("/h/100%/$x".as_ref()), r#""/h/100%%/\\$x""#);
        assert_eq!(quoted("/h/a\nExec=b".as_ref()), "\"/h/a Exec=b\"");
    }
}
