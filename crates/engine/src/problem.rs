//! Every code a [`Problem`] can have. `obnova-text` has three texts for each; a test in the `obnova` crate compares the lists.

use crate::api::Problem;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal),+ $(,)?) => {
        $($(#[$doc])* pub const $name: &str = $code;)+
        /// All codes.
        pub const ALL: &[&str] = &[$($code),+];
    };
}

codes! {
    /// The release repository did not answer, or not with anything usable. Args: `source`.
    REPOSITORY_UNREACHABLE = "repository-unreachable",
    /// The repository's signatures, versions or dates do not hold. Args: `source`.
    REPOSITORY_UNTRUSTED = "repository-untrusted",
    /// A file of the release is missing or not what was signed. Args: `version`.
    RELEASE_DAMAGED = "release-damaged",
    /// A release is listed and signed, and this program cannot read what it is. Args: `version`.
    RELEASE_UNREADABLE = "release-unreadable",
    /// The download was cut off and could not be resumed. Args: `version`.
    DOWNLOAD_FAILED = "download-failed",
    /// There is nothing newer.
    NOTHING_TO_INSTALL = "nothing-to-install",
    /// No such version is offered. Args: `version`.
    UNKNOWN_VERSION = "unknown-version",
    /// The installed version is too old (or too new) for it, and no stop in between leads there. Args: `version`, `installed`, `range`.
    SOURCE_VERSION = "source-version",
    /// It failed here before. Args: `version`.
    FAILED_BEFORE = "failed-before",
    /// An update is running. Args: `version`.
    UPDATE_RUNNING = "update-running",
    /// Not enough room. Args: `needed`, `free` (bytes), `path`.
    DISK_SPACE = "disk-space",
    /// The database cannot be read, or is not one of the kind that is configured. Args: `database`.
    DATABASE_UNUSABLE = "database-unusable",
    /// Another program writes to the database although the application is stopped. Args: `database`.
    DATABASE_IN_USE = "database-in-use",
    /// The data could not be copied to a safe place. Args: `path`.
    PROTECTION_FAILED = "protection-failed",
    /// The application did not stop in time. Args: `version`.
    STOP_FAILED = "stop-failed",
    /// The release's migration ended with an error. Args: `version`, `status`.
    MIGRATION_FAILED = "migration-failed",
    /// The new version could not be started, or ended at once. Args: `version`.
    START_FAILED = "start-failed",
    /// The new version runs but its health check does not pass. Args: `version`.
    UNHEALTHY = "unhealthy",
    /// The change-over took longer than allowed. Args: `seconds`.
    DEADLINE = "deadline",
    /// The updater itself was interrupted (killed, power lost) in this step. Args: `step`.
    INTERRUPTED = "interrupted",
    /// Something in the machine failed: a disk, a permission. Args: `path`.
    SYSTEM = "system",
    /// The engine cannot be reached.
    ENGINE_UNREACHABLE = "engine-unreachable",
    /// The request was not understood. Args: none.
    BAD_REQUEST = "bad-request",
    /// Whoever asked may not ask for that. Args: none.
    NOT_ALLOWED = "not-allowed",
    /// The configuration file is wrong. Args: `path`.
    CONFIGURATION = "configuration",
    /// The account that the application is to run as does not exist or lacks a right. Args: `user`.
    ACCOUNT = "account",
    /// A rehearsal cannot be made here. Args: `database`, or none.
    REHEARSAL_IMPOSSIBLE = "rehearsal-impossible",
    /// The rehearsal of this version failed. Args: `version`; the detail says why.
    REHEARSAL_FAILED = "rehearsal-failed",
    /// After the way back the clone was not what it was before. Args: `version`.
    REHEARSAL_DIFFERS = "rehearsal-differs",
    /// The clone cannot be cut off from the network, and nobody has agreed to go on without that.
    NOT_ISOLATED = "not-isolated",
    /// A rehearsal is running. Args: `version`.
    REHEARSAL_RUNNING = "rehearsal-running",
    /// The rehearsal was broken off: by a person, an update, or the end of the updater.
    REHEARSAL_BROKEN_OFF = "rehearsal-broken-off",
    /// The rehearsal took longer than it may. Args: `version`, `minutes`.
    REHEARSAL_TOO_LONG = "rehearsal-too-long",
    /// The command that neutralises the clone took longer than it may. Args: `version`, `seconds`.
    NEUTRALISE_TOO_LONG = "neutralise-too-long",
    /// A protected copy is the only good one. Args: `update`.
    LAST_COPY = "last-copy",
    /// There is no copy to go back to, or it does not belong to the installed version.
    NOTHING_TO_REVERT = "nothing-to-revert",
    /// No such update. Args: `update`.
    UNKNOWN_UPDATE = "unknown-update",
}

impl Problem {
    /// A problem with this code and nothing more yet.
    pub fn new(code: &str) -> Problem {
        Problem {
            code: code.to_owned(),
            args: Default::default(),
            detail: None,
        }
    }

    /// With a value for its texts.
    pub fn arg(mut self, name: &str, value: impl ToString) -> Problem {
        self.args.insert(name.to_owned(), value.to_string());
        self
    }

    /// With what the machine said.
    pub fn detail(mut self, detail: impl ToString) -> Problem {
        self.detail = Some(detail.to_string());
        self
    }
}
