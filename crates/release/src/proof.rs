//! What `obnova release prove` found out about a release: that its update was broken off again and again, and always ended
//! at the version before or at the new one. Signed with the release, so that a customer can read it before the click.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::durable;
use crate::error::Error;

/// The name of its file beside a built release.
const FILE: &str = "proof.json";
/// The longest file, bytes.
const MAX_LENGTH: u64 = 64 << 10;

/// The proof of one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Which content was tried: the description's digest.
    pub description: Digest,
    /// And the file list's.
    pub files: Digest,
    /// When.
    pub at: Timestamp,
    /// With which version of Obnova.
    pub obnova: String,
    /// What was tried.
    pub trials: Vec<Trial>,
}

/// The update from one version on one database, broken off at many moments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The version that was installed.
    pub from: Version,
    /// The database and its version, such as `PostgreSQL 15.14`.
    pub database: String,
    /// How often the update was run and broken off.
    pub rounds: u32,
    /// How many of them ended at the version before: database, data files and program equal to what they were.
    pub ended_before: u32,
    /// How many ended at the new version, serving, and were brought back from there to exactly what was before.
    pub ended_after: u32,
    /// The longest that requests waited in an update that nothing disturbed, milliseconds.
    pub worst_blackout_ms: u64,
    /// The longest that requests waited in one that was broken off, until the version before served again, milliseconds.
    pub worst_way_back_ms: u64,
}

impl Proof {
    /// A proof of a built release by these trials.
    ///
    /// # Errors
    /// The directory holds no built release.
    pub fn of(built: &Path, obnova: &str, trials: Vec<Trial>) -> Result<Self, Error> {
        let (description, files) = digests(built)?;
        Ok(Self {
            description,
            files,
            at: Timestamp::now(),
            obnova: obnova.to_owned(),
            trials,
        })
    }

    /// Writes it beside the built release, where publishing finds it. Gives back the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, built: &Path) -> Result<PathBuf, Error> {
        let path = built.join(FILE);
        let bytes = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::invalid(FILE, error.to_string()))?;
        durable::write(&path, &bytes, 0o644)
            .map_err(Error::local("the proof cannot be written"))?;
        Ok(path)
    }

    /// What was proven of a built release; `None` when nothing was.
    ///
    /// # Errors
    /// The file is damaged, or is the proof of other content.
    pub(crate) fn read(built: &Path) -> Result<Option<Self>, Error> {
        let path = built.join(FILE);
        let name = path.display().to_string();
        let bytes = match durable::read_limited(&path, MAX_LENGTH) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::local("the proof cannot be read")(error)),
        };
        let proof: Self = serde_json::from_slice(&bytes)
            .map_err(|error| Error::invalid(&name, error.to_string()))?;
        if (proof.description, proof.files) != digests(built)? {
            return Err(Error::invalid(
                name,
                "is the proof of another build; run `obnova release prove` again, or remove it",
            ));
        }
        Ok(Some(proof))
    }

    /// Whether the update from this version was tried.
    pub fn covers(&self, from: &Version) -> bool {
        self.trials.iter().any(|trial| trial.from == *from)
    }
}

fn digests(built: &Path) -> Result<(Digest, Digest), Error> {
    let digest = |name: &str| {
        let found = std::fs::File::open(built.join(name)).and_then(Digest::of_reader);
        found.map(|(digest, _)| digest).map_err(Error::local(
            "the built release cannot be read; make one with `obnova release build`",
        ))
    };
    Ok((digest("release.json")?, digest("tree.json.zst")?))
}
