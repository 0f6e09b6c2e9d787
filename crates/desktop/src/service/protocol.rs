//! What is said over the socket: lines of JSON.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};

/// All that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Give all users this version, which belongs to the server and which the vendor has signed.
    Apply {
        /// The version.
        version: Version,
    },
    /// What is here? With braces, so that serde refuses more words here too.
    Status {},
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// So many bytes are here, of so many; more follows.
    Progress {
        /// Bytes downloaded.
        done: u64,
        /// Bytes to be downloaded.
        total: u64,
    },
    /// All users have this version from their next start on.
    Applied {
        /// The version.
        version: Version,
    },
    /// What is here.
    Status(Shared),
    /// It was not done, and nothing was changed.
    Error(Said),
}

/// What all users of the computer have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// The product.
    pub product: String,
    /// The address of the server that it follows.
    pub server: String,
    /// The version that everybody's next start is one of.
    pub current: Version,
    /// Versions that are kept to go back to, newest first.
    pub kept: Vec<Version>,
    /// The program for which this service was made.
    pub root: std::path::PathBuf,
}

/// An [`Error`], on its way from one process to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    code: String,
    args: BTreeMap<String, String>,
    detail: Option<String>,
}

/// The values that texts of errors have: what else is said is left out.
const ARGS: [&str; 5] = ["address", "version", "minimum", "server", "path"];

impl Request {
    /// As a line.
    pub fn line(&self) -> Vec<u8> {
        line(self)
    }
}

impl Answer {
    pub(super) fn line(&self) -> Vec<u8> {
        line(self)
    }

    pub(super) fn error(error: &Error) -> Self {
        let args = error.args.iter();
        Self::Error(Said {
            code: error.code.name().to_owned(),
            args: args
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            detail: error.detail.clone(),
        })
    }
}

impl From<Said> for Error {
    fn from(said: Said) -> Self {
        let code = Code::ALL.iter().find(|code| code.name() == said.code);
        let mut error = Error::new(code.copied().unwrap_or(Code::NoService));
        for name in ARGS {
            if let Some(value) = said.args.get(name) {
                error = error.arg(name, value);
            }
        }
        error.detail = said.detail;
        error
    }
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_version_can_be_said() {
        let read = |text: &str| serde_json::from_str::<Request>(text).ok();
        let version = Version::new(1, 1, 0);
        assert_eq!(
            read(r#"{"ask":"apply","version":"1.1.0"}"#),
            Some(Request::Apply { version })
        );
        assert_eq!(read(r#"{"ask":"status"}"#), Some(Request::Status {}));
        for more in [
            r#"{"ask":"apply","version":"1.1.0","path":"/tmp/x"}"#,
            r#"{"ask":"apply","version":"../1.1.0"}"#,
            r#"{"ask":"apply","version":"1.1.0/../../x"}"#,
            r#"{"ask":"apply"}"#,
            r#"{"ask":"run","version":"1.1.0"}"#,
            r#"{"ask":"status","root":"/"}"#,
        ] {
            assert_eq!(read(more), None, "{more}");
        }
    }

    #[test]
    fn an_error_says_the_same_at_the_other_end() {
        let error = Error::new(Code::BelowMinimum)
            .arg("version", "1.0.0")
            .arg("minimum", "1.1.0")
            .detail("x");
        let Answer::Error(said) = Answer::error(&error) else {
            panic!();
        };
        let there = Error::from(said);
        assert_eq!(there.to_string(), error.to_string());
        assert_eq!(there.code, Code::BelowMinimum);
    }
}
