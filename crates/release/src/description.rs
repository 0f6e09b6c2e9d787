//! The facts of a release: written by the vendor in `release.toml`, signed and distributed as `release.json`.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::Date;
use semver::{Version, VersionReq};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::Error;

mod check;
mod values;

pub(crate) use check::is_platform;
pub use values::Values;

/// The version of the `release.json` format that this program writes and reads.
const FORMAT: u64 = 1;

/// The longest `release.json` that is accepted, bytes.
pub(crate) const MAX_LENGTH: u64 = 1 << 20;

/// What a release is, how it is started, migrated and checked.
///
/// ```
/// let description = obnova_release::Description::from_toml(
///     r#"
///     product = "crm"
///     name = "Example CRM"
///     version = "1.1.0"
///     date = 2026-11-24
///     from = ">=1.0.0, <1.1.0"
///
///     [server]
///     start = ["${tree}/bin/crm", "serve", "--port", "${port}", "--database", "${database}"]
///     migrate = ["${tree}/bin/crm", "migrate", "--database", "${database}"]
///     check = ["${tree}/bin/crm", "check", "--port", "${port}"]
///
///     [[server.health]]
///     path = "/health"
///     contains = "ok"
///
///     [database]
///     change = "migrate"
///
///     [notes]
///     cs = "Vyhledávání je rychlejší."
///     en = "Search is faster."
///     "#,
///     "release.toml",
/// )?;
/// assert_eq!(description.version.to_string(), "1.1.0");
/// # Ok::<(), obnova_release::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// The product's identifier: lower-case letters, digits and dashes. The same in all its releases.
    pub product: String,
    /// The product's name for people.
    pub name: String,
    /// The release's version.
    pub version: Version,
    /// The day of the release.
    #[serde(deserialize_with = "date")]
    pub date: Date,
    /// Who is offered it.
    #[serde(default)]
    pub channel: Channel,
    /// The versions it can be installed over.
    #[serde(default)]
    pub from: VersionReq,
    /// Whether an update from below it to above it has to stop here.
    #[serde(default)]
    pub required_stop: bool,
    /// How the server component is run.
    pub server: Server,
    /// What it does to the database of the version before.
    #[serde(default)]
    pub database: DatabaseChange,
    /// Which Desktop versions work with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desktop: Option<Desktop>,
    /// Where diagnostic reports go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support_email: Option<String>,
    /// What is new: Markdown by language (`cs`, `en`).
    #[serde(default)]
    pub notes: BTreeMap<String, String>,
}

/// Who is offered a release.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Everybody.
    #[default]
    Stable,
    /// Those who asked for early versions; they are offered the stable ones as well.
    Beta,
}

impl Channel {
    /// Whether somebody on this channel is offered releases of `other`.
    pub fn includes(self, other: Channel) -> bool {
        self == Self::Beta || other == Self::Stable
    }
}

impl std::fmt::Display for Channel {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Stable => "stable",
            Self::Beta => "beta",
        })
    }
}

impl std::str::FromStr for Channel {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "stable" => Ok(Self::Stable),
            "beta" => Ok(Self::Beta),
            _ => Err(Error::invalid(
                format!("channel {text:?}"),
                "must be stable or beta",
            )),
        }
    }
}

/// How the server component is run. Arguments and environment may hold `${tree}`, `${port}`, `${data}` and
/// `${database}`; see [`Values`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The program and its arguments; no shell is between.
    pub start: Vec<String>,
    /// The program that brings the database from the version before to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrate: Option<Vec<String>>,
    /// The program that tells, by its exit code, whether the server component that has just been started works: run once,
    /// after all of `health` succeeded, and not for a version that was installed and checked before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Vec<String>>,
    /// The program that takes from a copy of the data what must not act upon the world: mail servers, payment keys, web hooks.
    /// In rehearsals it runs on the clone before anything else does: the installed version's, or the new one's where that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neutralise: Option<Vec<String>>,
    /// Environment variables of all of them.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// How it is asked to end.
    #[serde(default)]
    pub stop: Stop,
    /// The requests that tell whether it works; all must succeed.
    pub health: Vec<Probe>,
    /// Seconds it may take from its start until they do and `check` has ended.
    #[serde(default = "default_health_seconds")]
    pub health_seconds: u64,
}

/// How the server component is asked to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stop {
    /// The signal it gets.
    pub signal: Signal,
    /// Seconds it has before it is killed.
    pub seconds: u64,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            signal: Signal::Term,
            seconds: 30,
        }
    }
}

/// A signal that asks a program to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGTERM.
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT.
    Quit,
}

/// One request that tells whether the server component works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The HTTP method.
    #[serde(default = "default_method")]
    pub method: String,
    /// The path and query, from `/`.
    pub path: String,
    /// Request headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The request's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The status that is right.
    #[serde(default = "default_status")]
    pub status: u16,
    /// A text that must be in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
}

/// What a release does to the database of the version before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "DatabaseTable", into = "DatabaseTable")]
pub enum DatabaseChange {
    /// Nothing.
    #[default]
    None,
    /// Its migrate command changes it.
    Migrate,
}

/// The `[database]` table.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DatabaseTable {
    change: ChangeWord,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ChangeWord {
    None,
    Migrate,
}

impl From<DatabaseTable> for DatabaseChange {
    fn from(table: DatabaseTable) -> Self {
        match table.change {
            ChangeWord::None => Self::None,
            ChangeWord::Migrate => Self::Migrate,
        }
    }
}

impl From<DatabaseChange> for DatabaseTable {
    fn from(change: DatabaseChange) -> Self {
        Self {
            change: match change {
                DatabaseChange::None => ChangeWord::None,
                DatabaseChange::Migrate => ChangeWord::Migrate,
            },
        }
    }
}

/// Which Desktop versions work with a release, and the Desktop that it brings along.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Desktop {
    /// The range of versions that work with this release's server component.
    pub range: VersionReq,
    /// No Desktop follows a server to a version below this one, which counts whatever release says it: for holes that an
    /// attacker could lead back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Version>,
    /// What does not work in an older Desktop as long as its user has not updated: Markdown by language (`cs`, `en`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limited: BTreeMap<String, String>,
    /// The Desktop of this release's version, by platform (`linux-x86_64`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub platforms: BTreeMap<String, DesktopProgram>,
    /// What is to be said of the installers for these platforms.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub installers: BTreeMap<String, DesktopInstaller>,
}

/// What is to be said of the installers for one platform. That they exist is said by the signed list, not here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesktopInstaller {
    /// What a computer needs for it, for people, by language (`cs`, `en`): shown beside the download.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requires: BTreeMap<String, String>,
}

/// How a Desktop is run on one platform. Arguments may hold `${tree}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DesktopProgram {
    /// The program and its arguments; no shell is between.
    pub start: Vec<String>,
    /// The program that tells, by its exit code, whether this version can run on this computer: run before it is switched to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Vec<String>>,
    /// Seconds that a version started for the first time has to confirm that it works.
    #[serde(default = "default_confirm_seconds")]
    pub confirm_seconds: u64,
}

impl DesktopProgram {
    /// A command with `${tree}` replaced.
    pub fn filled(command: &[String], tree: &str) -> Vec<String> {
        let filled = command.iter();
        filled.map(|part| part.replace("${tree}", tree)).collect()
    }
}

fn default_confirm_seconds() -> u64 {
    60
}

fn default_health_seconds() -> u64 {
    60
}

fn default_method() -> String {
    "GET".into()
}

fn default_status() -> u16 {
    200
}

/// A date written as TOML's own kind or as text.
fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Text(String),
        Native(toml::value::Datetime),
    }
    let text = match Written::deserialize(deserializer)? {
        Written::Text(text) => text,
        Written::Native(native) => native.to_string(),
    };
    text.parse().map_err(|error| {
        serde::de::Error::custom(format!("date {text:?} is not YYYY-MM-DD: {error}"))
    })
}

impl Description {
    /// Reads and checks a vendor's `release.toml`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let bytes = crate::durable::read_limited(path, MAX_LENGTH)
            .map_err(Error::local("the description cannot be read"))?;
        let text =
            String::from_utf8(bytes).map_err(|_| Error::invalid(&name, "is not text in UTF-8"))?;
        Self::from_toml(&text, &name)
    }

    /// Reads and checks the text of a `release.toml`; `name` is what errors call it.
    pub fn from_toml(text: &str, name: &str) -> Result<Self, Error> {
        let description: Self =
            toml::from_str(text).map_err(|error| Error::invalid(name, error.to_string()))?;
        description.check(name)?;
        Ok(description)
    }

    /// The bytes of `release.json`: the same facts always give the same bytes.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        let invalid = |error: serde_json::Error| Error::invalid("release.json", error.to_string());
        let mut value = serde_json::to_value(self).map_err(invalid)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("format".into(), FORMAT.into());
            object.sort_keys();
        }
        serde_json::to_vec(&value).map_err(invalid)
    }

    /// Reads and checks a `release.json`.
    pub fn from_json(bytes: &[u8], name: &str) -> Result<Self, Error> {
        let invalid = |reason: String| Error::invalid(name, reason);
        let mut value: serde_json::Value =
            serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
        let format = value
            .as_object_mut()
            .and_then(|object| object.remove("format"));
        if format.as_ref().and_then(serde_json::Value::as_u64) != Some(FORMAT) {
            return Err(invalid(
                "is in a format that this version of Obnova does not know; update Obnova first"
                    .into(),
            ));
        }
        let description: Self =
            serde_json::from_value(value).map_err(|error| invalid(error.to_string()))?;
        description.check(name)?;
        Ok(description)
    }
}

#[cfg(test)]
mod tests;
