//! What the driver keeps in the state directory: which unit runs what, and the environment that systemd reads.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::durable;
use crate::installation::Installation;
use crate::service::Running;

/// What was last started, or about to be: written before the unit is started, and while nothing of it runs. So whatever runs in
/// the unit is what the note says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::service) struct Note {
    /// The unit.
    pub(super) unit: String,
    /// What runs in it.
    #[serde(flatten)]
    pub(super) running: Running,
}

impl Note {
    pub(super) fn path(installation: &Installation) -> PathBuf {
        installation.state_dir.join("service-unit.json")
    }

    pub(super) fn read(path: &Path) -> Option<Note> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        durable::write(path, &serde_json::to_vec(self)?, 0o644)
    }
}

/// Where the environment lies, for `EnvironmentFile=`. Everybody may read the properties of units, so secrets must not be in
/// them; this file only root may read, and systemd does before it becomes the service's user.
pub(super) fn environment_path(installation: &Installation) -> PathBuf {
    installation.state_dir.join("service.env")
}

/// Writes it.
///
/// # Errors
/// A name or a value that systemd would not take, or the file cannot be written.
pub(super) fn write_environment(path: &Path, env: &[(String, String)]) -> io::Result<()> {
    let mut text = String::new();
    for (name, value) in env {
        text.push_str(&assignment(name, value)?);
    }
    durable::write(path, text.as_bytes(), 0o600)
}

/// systemd.exec(5): between double quotes everything stands for itself, line breaks included, but for these four, which a
/// backslash goes before.
fn assignment(name: &str, value: &str) -> io::Result<String> {
    let is_name = |name: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.chars().all(plain)
            && !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    if !is_name(name) || value.contains('\0') {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("systemd takes no environment variable like {name}"),
        ));
    }
    let mut quoted = String::with_capacity(value.len());
    for c in value.chars() {
        if "\"\\`$".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    Ok(format!("{name}=\"{quoted}\"\n"))
}
