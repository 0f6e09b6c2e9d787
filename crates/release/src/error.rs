//! What can go wrong with a release. The cause of an error is in its `source`, never repeated in its text.

use std::io;

use jiff::Timestamp;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a release could not be found, trusted, downloaded or published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody answers at the repository's address, or no repository is there.
    #[error("the release repository at {address} cannot be reached")]
    Unreachable {
        /// The address that was asked.
        address: String,
        /// What the network or file system said.
        #[source]
        cause: Cause,
    },
    /// The repository answers so slowly that it is as good as not there.
    #[error("the release repository is too slow: {address} was not complete after {seconds} s")]
    TooSlow {
        /// The address that was asked.
        address: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The repository's metadata is not signed as the trusted root demands, or goes back to an older state.
    #[error("the release repository at {address} is not to be trusted")]
    Untrusted {
        /// The address that was asked.
        address: String,
        /// What verification said.
        #[source]
        cause: Cause,
    },
    /// The repository's metadata is signed well, but no longer valid: somebody may be hiding newer releases.
    #[error("the signed metadata ({role}) of the release repository expired at {expires}")]
    Expired {
        /// Which metadata.
        role: String,
        /// Since when.
        expires: Timestamp,
    },
    /// A file of the repository, or of a version on this machine, is not what was signed.
    #[error("{what} is damaged: {reason}")]
    Damaged {
        /// Which file.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("interrupted on request; what was downloaded is kept")]
    Interrupted,
    /// This machine's disk refused.
    #[error("{what}")]
    Local {
        /// What was being done.
        what: String,
        /// What the operating system said.
        #[source]
        cause: io::Error,
    },
    /// A description, tree, key or argument that breaks the rules.
    #[error("{what}: {reason}")]
    Invalid {
        /// Which file or setting.
        what: String,
        /// Which rule, and how to keep it.
        reason: String,
    },
}

/// The kinds of [`Error`], for those who only need to know what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The repository cannot be reached, or not at a useful speed: try again later.
    Unreachable,
    /// The repository's signatures, versions or dates are wrong: nothing of it may be used.
    Untrusted,
    /// Content is not what was signed: the vendor or the mirror has to repair it.
    Damaged,
    /// Stopped on request.
    Interrupted,
    /// This machine's disk or permissions.
    Local,
    /// Input that breaks the rules.
    Invalid,
}

impl Error {
    /// What kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable { .. } | Self::TooSlow { .. } => ErrorKind::Unreachable,
            Self::Untrusted { .. } | Self::Expired { .. } => ErrorKind::Untrusted,
            Self::Damaged { .. } => ErrorKind::Damaged,
            Self::Interrupted => ErrorKind::Interrupted,
            Self::Local { .. } => ErrorKind::Local,
            Self::Invalid { .. } => ErrorKind::Invalid,
        }
    }

    /// The error and all its causes in one line, for logs and details.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }

    pub(crate) fn unreachable(address: impl Into<String>, cause: impl Into<Cause>) -> Self {
        Self::Unreachable {
            address: address.into(),
            cause: cause.into(),
        }
    }

    pub(crate) fn damaged(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Damaged {
            what: what.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn invalid(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid {
            what: what.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn local(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |cause| Self::Local { what, cause }
    }
}
