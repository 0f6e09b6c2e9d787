//! The installers in the copy for Desktops, as the engine lists them for the welcome page once their files are there.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

/// The directory of the copy of the release repository that Desktops read, inside the state directory.
pub const DESKTOPS_NAME: &str = "desktops";
/// The name of the list inside the copy.
pub const INSTALLERS_NAME: &str = "installers.json";

/// An installer whose file is in the copy. The vendor's signature on it has been verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopiedInstaller {
    /// The version of the Desktop that it installs.
    pub version: Version,
    /// What it is for: `linux-x86_64`.
    pub platform: String,
    /// What the file is called where a user keeps it.
    pub file_name: String,
    /// Its length.
    pub bytes: u64,
    /// Its digest, hexadecimal.
    pub sha256: String,
    /// What a computer needs for it, for people, by language.
    #[serde(default)]
    pub requires: BTreeMap<String, String>,
    /// Where its file is, relative to the copy.
    pub place: String,
}
