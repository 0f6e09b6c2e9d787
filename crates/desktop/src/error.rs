//! What can go wrong, each with a code under which `desktop.ftl` has three texts: what happened, in what state things are, and
//! what to do.

use std::io;

use obnova_release::{ErrorKind, NoDesktop};
use obnova_text::Text;

/// Why something could not be done. What runs here is never harmed by it.
#[derive(Debug)]
pub struct Error {
    /// What kind of error.
    pub code: Code,
    /// The values in its texts.
    pub args: Vec<(&'static str, String)>,
    /// What the machine said, for whoever is to find out.
    pub detail: Option<String>,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal),+ $(,)?) => {
        /// The kinds of [`Error`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[doc = $doc])+ $name),+ }

        impl Code {
            /// All of them.
            pub const ALL: &[Code] = &[$(Code::$name),+];

            /// Its name in texts, JSON and the C interface.
            pub fn name(self) -> &'static str {
                match self { $(Code::$name => $text),+ }
            }
        }
    };
}

codes! {
    /// Nobody answers at the server's address, or not in time.
    ServerUnreachable = "server-unreachable",
    /// What answers is not an Obnova server of this product.
    WrongServer = "wrong-server",
    /// The server's copy of the releases is not signed as it must be, or leads back to an older state.
    Untrusted = "untrusted",
    /// No published Desktop belongs to the server's version.
    NoDesktop = "no-desktop",
    /// The version does not work with the server.
    NotWithServer = "not-with-server",
    /// The Desktop for the server's version must not be used any more.
    BelowMinimum = "below-minimum",
    /// The server does not have the files, or they are not what was signed.
    Damaged = "damaged",
    /// The disk is full.
    DiskFull = "disk-full",
    /// A directory or file may not be written.
    NotAllowed = "not-allowed",
    /// The disk refused in some other way.
    Disk = "disk",
    /// Another program is doing the same.
    Busy = "busy",
    /// The version has failed on this computer before, or its user went back from it.
    Quarantined = "quarantined",
    /// The version's own check says that it cannot run on this computer.
    UnfitHere = "unfit-here",
    /// There is no version to go back to.
    NothingBefore = "nothing-before",
    /// The administrator's policy does not allow it.
    Policy = "policy",
    /// No version is installed here yet.
    NotInstalled = "not-installed",
    /// A file that says what is installed, or how, is damaged.
    StateDamaged = "state-damaged",
    /// Another program is installed there.
    OtherProgram = "other-program",
    /// It is not known which server to follow.
    NoServer = "no-server",
    /// All users of the computer share the installation, and the service that updates it does not answer.
    NoService = "no-service",
    /// The service for all users was asked too often.
    TooOften = "too-often",
    /// Other users could change what is to be run by all.
    Unprotected = "unprotected",
    /// A version could not be started.
    CannotStart = "cannot-start",
    /// Stopped on request.
    Interrupted = "interrupted",
}

impl Error {
    pub(crate) fn new(code: Code) -> Self {
        Self {
            code,
            args: Vec::new(),
            detail: None,
        }
    }

    pub(crate) fn arg(mut self, name: &'static str, value: impl ToString) -> Self {
        self.args.push((name, value.to_string()));
        self
    }

    pub(crate) fn detail(mut self, detail: impl ToString) -> Self {
        self.detail = Some(detail.to_string());
        self
    }

    /// What happened, in what state things are, what to do, in this language.
    pub fn texts(&self, text: &Text) -> [String; 3] {
        let args: Vec<(&str, &str)> = self
            .args
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        ["", "-state", "-do"]
            .map(|part| text.with(&format!("desktop-error-{}{part}", self.code.name()), &args))
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [what, ..] = self.texts(Text::of(obnova_text::Lang::En));
        formatter.write_str(&what)?;
        match &self.detail {
            Some(detail) => write!(formatter, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl From<obnova_release::Error> for Error {
    fn from(error: obnova_release::Error) -> Self {
        if let obnova_release::Error::Local { cause, .. } = &error {
            return Error::from_io(cause).detail(error.chain());
        }
        let code = match error.kind() {
            ErrorKind::Unreachable => Code::ServerUnreachable,
            ErrorKind::Untrusted => Code::Untrusted,
            ErrorKind::Interrupted => Code::Interrupted,
            ErrorKind::Local => Code::Disk,
            ErrorKind::Damaged => Code::Damaged,
            ErrorKind::Invalid => Code::WrongServer,
        };
        Error::new(code).detail(error.chain())
    }
}

impl Error {
    pub(crate) fn from_io(error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::DiskFull,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Code::NotAllowed,
            io::ErrorKind::WouldBlock => Code::Busy,
            _ => Code::Disk,
        };
        Error::new(code).detail(error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::from_io(&error)
    }
}

impl From<NoDesktop> for Error {
    fn from(error: NoDesktop) -> Self {
        let detail = error.to_string();
        match error {
            NoDesktop::BelowMinimum { version, minimum } => Error::new(Code::BelowMinimum)
                .arg("version", version)
                .arg("minimum", minimum),
            NoDesktop::UnknownServer { server } | NoDesktop::NoneFits { server, .. } => {
                Error::new(Code::NoDesktop)
                    .arg("server", server)
                    .detail(detail)
            }
            _ => Error::new(Code::NoDesktop)
                .arg("server", "?")
                .detail(detail),
        }
    }
}
