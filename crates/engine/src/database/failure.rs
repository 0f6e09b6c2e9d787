//! Why something could not be done with a database of a server.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

/// See the module.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It refused, or could not be reached.
    #[error("the server")]
    Server(#[source] sqlx::Error),
    /// It did not answer.
    #[error("the server did not answer within {0} s")]
    Silent(u64),
    /// Others are in the database, and may not be cut off.
    #[error("still in the database: {0}")]
    InUse(String),
    /// It, or this account's rights, are not what is needed.
    #[error("{0}")]
    Unsuitable(String),
    /// A program failed.
    #[error("{tool}: {output}")]
    Tool {
        /// Its name.
        tool: Cow<'static, str>,
        /// What it said.
        output: String,
    },
    /// A disk of this machine.
    #[error("{}", path.display())]
    Disk {
        /// Where.
        path: PathBuf,
        /// What it said.
        #[source]
        source: io::Error,
    },
    /// Somebody wants the engine to end, or the deadline is over.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// A failure of this machine's disk, or that a copy was broken off.
    pub(super) fn disk(path: &Path, source: io::Error) -> Failure {
        match source.kind() {
            io::ErrorKind::Interrupted => Failure::Interrupted,
            _ => Failure::Disk {
                path: path.to_owned(),
                source,
            },
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Failure {
        Failure::Server(error)
    }
}
