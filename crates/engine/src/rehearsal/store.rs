//! The newest rehearsal of each version, on disk: `rehearsals/<version>.json`, and beside it what was said meanwhile.

use std::io;
use std::path::{Path, PathBuf};

use semver::Version;

use crate::api::Rehearsal;
use crate::durable;
use crate::installation::Installation;

/// Bytes of a log that are kept, from its end.
const LOG_LIMIT: usize = 256 << 10;

/// The results.
pub(crate) struct Store {
    directory: PathBuf,
}

impl Store {
    /// Those of an installation.
    pub(crate) fn of(installation: &Installation) -> Store {
        Store {
            directory: installation.state_dir.join("rehearsals"),
        }
    }

    /// Where they lie.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    fn path(&self, version: &Version, ending: &str) -> PathBuf {
        self.directory.join(format!("{version}.{ending}"))
    }

    /// The newest rehearsal of this version; one that cannot be read never was.
    pub(crate) fn read(&self, version: &Version) -> Option<Rehearsal> {
        let path = self.path(version, "json");
        let bytes = std::fs::read(&path).ok()?;
        serde_json::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "unreadable"))
            .ok()
    }

    /// Puts it in the place of the one before. The log first: a result is never shown beside another one's log.
    ///
    /// # Errors
    /// It could not be written; the one before stands.
    pub(crate) fn write(&self, rehearsal: &Rehearsal, log: &[String]) -> io::Result<()> {
        durable::create_dir_all(&self.directory)?;
        durable::set_mode(&self.directory, 0o700)?;
        let text = log.join("\n");
        let start = text.len().saturating_sub(LOG_LIMIT);
        let start = (start..=text.len())
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        let log = self.path(&rehearsal.version, "log");
        durable::write(&log, &text.as_bytes()[start..], 0o600)?;
        let bytes = serde_json::to_vec_pretty(rehearsal)?;
        durable::write(&self.path(&rehearsal.version, "json"), &bytes, 0o600)
    }

    /// The lines of the newest rehearsal's log; `None` when there was no rehearsal of this version.
    pub(crate) fn log(&self, version: &Version) -> Option<Vec<String>> {
        let bytes = std::fs::read(self.path(version, "log")).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        Some(text.lines().map(str::to_owned).collect())
    }

    /// Removes that of a version.
    pub(crate) fn forget(&self, version: &Version) {
        for path in [self.path(version, "json"), self.path(version, "log")] {
            remove(&path);
        }
    }

    /// Removes those of versions that are neither newer than the installed one nor that.
    pub(crate) fn forget_before(&self, installed: &Version) {
        let entries = std::fs::read_dir(&self.directory).into_iter().flatten();
        for path in entries.flatten().map(|entry| entry.path()) {
            let version = path
                .file_stem()
                .and_then(|name| name.to_str()?.parse::<Version>().ok());
            if version.is_some_and(|version| version < *installed) {
                remove(&path);
            }
        }
    }
}

fn remove(path: &Path) {
    if let Err(error) = durable::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "an old rehearsal stays");
    }
}
