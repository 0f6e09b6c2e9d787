//! Installers: single files that users download from their server's welcome page and run, listed and signed with the release
//! whose Desktop they install.
//!
//! `releases/<version>/installers/<platform>/<file name>` in the signed list; in the repository, as all signed files, with the
//! digest before the name.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Target, VerifiedRelease};
use crate::description::is_platform;
use crate::digest::Digest;
use crate::error::Error;
use crate::transport::target_path;

/// The longest installer, bytes.
pub(crate) const MAX_LENGTH: u64 = 8 << 30;
/// The longest name of an installer's file, bytes.
const MAX_NAME: usize = 128;

/// What the signed metadata says that a target is.
const KIND: &str = "installer";

/// An installer that carries the vendor's signature.
#[derive(Debug, Clone, PartialEq)]
pub struct Installer {
    /// The version of the Desktop that it installs.
    pub version: Version,
    /// What it is for: `linux-x86_64`.
    pub platform: String,
    /// What the file is called where a user keeps it.
    pub file_name: String,
    /// Its length.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Digest,
    /// What a computer needs for it, for people, by language (`cs`, `en`); empty when the vendor says nothing.
    pub requires: BTreeMap<String, String>,
    pub(crate) target: Target,
}

impl Installer {
    /// Where the file is, relative to a repository's directory or to a copy of it.
    pub fn place(&self) -> String {
        target_path(&self.target.path, &self.target.sha256)
    }
}

/// The part of an installer's signed metadata that is Obnova's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Custom {
    pub(crate) version: Version,
    pub(crate) kind: String,
}

impl Custom {
    pub(crate) fn of(version: &Version) -> Self {
        Self {
            version: version.clone(),
            kind: KIND.into(),
        }
    }
}

/// One installer as it is listed.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) platform: String,
    pub(crate) file_name: String,
    pub(crate) target: Target,
}

/// Where the installers of a release are in the signed list.
pub(crate) fn installers_path(version: &Version) -> String {
    format!("releases/{version}/installers/")
}

/// One of them.
pub(crate) fn installer_path(version: &Version, platform: &str, file_name: &str) -> String {
    format!("{}{platform}/{file_name}", installers_path(version))
}

/// The platform and the file name in what follows [`installers_path`]; `None` when it is no installer's.
pub(crate) fn parts(rest: &str) -> Option<(&str, &str)> {
    let (platform, file_name) = rest.split_once('/')?;
    (is_platform(platform) && is_file_name(file_name)).then_some((platform, file_name))
}

/// A name that is one everywhere, in addresses too, and that is no part of a release.
pub(crate) fn is_file_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
    let ours = name.ends_with(".json") || name.ends_with(".zst") || name.ends_with(".part");
    (1..=MAX_NAME).contains(&name.len())
        && !name.starts_with(['.', '-'])
        && !ours
        && name.bytes().all(allowed)
}

/// Whether a listed target's metadata says that it is an installer of this version.
///
/// # Errors
/// It is one of another version.
pub(crate) fn is_of(
    path: &str,
    custom: serde_json::Value,
    version: &Version,
) -> Result<bool, Error> {
    // What a newer Obnova lists beside them is not known here, and no reason to refuse the rest.
    let Ok(custom) = serde_json::from_value::<Custom>(custom) else {
        return Ok(false);
    };
    match (custom.kind == KIND, custom.version == *version) {
        (false, _) => Ok(false),
        (true, true) => Ok(true),
        (true, false) => Err(Error::invalid(path, "is listed as another version")),
    }
}

impl VerifiedRelease {
    /// The installers that come with this release, by platform and file name.
    pub fn installers(&self) -> Vec<Installer> {
        let description = self.description();
        let facts = description
            .desktop
            .as_ref()
            .map(|desktop| &desktop.installers);
        let of = |listed: &Listed| Installer {
            version: description.version.clone(),
            platform: listed.platform.clone(),
            file_name: listed.file_name.clone(),
            bytes: listed.target.length,
            sha256: listed.target.sha256,
            requires: facts
                .and_then(|facts| facts.get(&listed.platform))
                .map(|facts| facts.requires.clone())
                .unwrap_or_default(),
            target: listed.target.clone(),
        };
        self.facts.installers.iter().map(of).collect()
    }
}

impl Catalog {
    /// The installers for users of a server of this version: for each platform, those of the release whose Desktop
    /// [`Catalog::desktop_for`] chooses.
    pub fn installers_for(&self, server: &Version) -> Vec<Installer> {
        let mut found = Vec::new();
        for platform in self.desktop_platforms() {
            let Ok(desktop) = self.desktop_for(server, None, &platform) else {
                continue;
            };
            let release = self.release(&desktop.description().version);
            let installers = release.map(VerifiedRelease::installers).unwrap_or_default();
            found.extend(installers.into_iter().filter(|it| it.platform == platform));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_that_are_no_part_of_a_release_are_installers() {
        assert_eq!(
            parts("linux-x86_64/crm-1.1.0.sh"),
            Some(("linux-x86_64", "crm-1.1.0.sh"))
        );
        for wrong in [
            "linux-x86_64/release.json",
            "linux-x86_64/tree.json.zst",
            "linux-x86_64/.hidden",
            "linux-x86_64/-rf",
            "linux-x86_64/a/b.sh",
            "linux-x86_64/",
            "Linux/crm.sh",
            "linux-x86_64/čeština.sh",
            "crm.sh",
            "../crm.sh",
        ] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }
}
