//! The engine's local API: what the centre, the front and the command line say to it, and what it answers.
//!
//! One Unix socket, `<state directory>/engine.sock`. A connection carries one request, a line of JSON ([`Request`]), and
//! its answer: one line ([`Answer`]), except for [`Request::Events`], which answers with a line for each event, and
//! [`Request::Traffic`], a conversation of [`TrafficOrder`] and [`TrafficReport`] lines that lasts as long as the front does.
//! The socket's owner and group may connect; what each may ask for, by its user, is in `peer.rs`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};

mod copies;
mod doctor;
mod installers;
mod rehearsal;
mod traffic;

pub use copies::{Exported, KeepRule, ProtectedCopy, RevertPlan, TableChange};
pub use doctor::{Doctor, Finding, Health, RungFacts};
pub use installers::{CopiedInstaller, DESKTOPS_NAME, INSTALLERS_NAME};
pub use rehearsal::{
    Expired, Forecast, ForecastTraffic, Hop, Isolation, Rehearsal, RehearsalOutcome,
    RehearsalSettings, Rehearsing,
};
pub use traffic::{FrontState, HoldLimits, TrafficMode, TrafficOrder, TrafficReport};

pub use obnova_release::{Proof, Trial};

/// The name of the socket inside the state directory.
pub const SOCKET_NAME: &str = "engine.sock";

/// Number of an update, counted from 1 for the life of the installation.
pub type UpdateId = u64;

/// One request, the first line of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub enum Request {
    /// What is installed, what runs, what was last found. Answers [`Answer::State`] at once, without the network.
    State,
    /// Ask the release repository now. Answers [`Answer::State`] when its answer is in; an unreachable or untrusted
    /// repository is `state.check.problem`, not a failed call.
    Check,
    /// What installing `version` (default: the newest offered) would do, without doing it. Answers [`Answer::Plan`].
    Plan {
        /// The version to go to, or the newest one offered.
        version: Option<Version>,
    },
    /// Start installing. Answers [`Answer::Started`] as soon as the update is in the journal; follow it with `Events`.
    Install {
        /// The version to go to, or the newest one offered.
        version: Option<Version>,
        /// Who asked, for the journal and the mails: a user's name, or `cli:root`.
        actor: String,
        /// Install although the version failed here before, or its rehearsal did.
        insist: bool,
    },
    /// Try `version` on a clone. Answers [`Answer::State`] as soon as it has begun; `state.rehearsing` says how far it is.
    Rehearse {
        /// The version to try, or the newest one offered.
        version: Option<Version>,
        /// Who asked.
        actor: String,
    },
    /// Break off the rehearsal that is running; its clone is deleted. Answers [`Answer::State`].
    CancelRehearsal,
    /// What the newest rehearsal of this version said. Answers [`Answer::Log`].
    RehearsalLog {
        /// Which version.
        version: Version,
    },
    /// Whether this installation is fit, and what protecting it costs. Answers [`Answer::Doctor`].
    Doctor {
        /// Try every way that is possible here, on a small scale, and time it; takes seconds.
        measure: bool,
    },
    /// Protected copies that are kept. Answers [`Answer::Copies`].
    Copies,
    /// Delete a protected copy. Answers [`Answer::Copies`].
    DeleteCopy {
        /// The update before which it was made.
        update: UpdateId,
    },
    /// What going back to the version before would lose. Answers [`Answer::RevertPlan`].
    RevertPlan,
    /// Copy what would be lost by going back into a new directory. Answers [`Answer::Exported`].
    Export {
        /// The directory, made by this.
        directory: std::path::PathBuf,
    },
    /// Go back to the version before the last finished update, and to its data: everything written since is lost. Answers
    /// [`Answer::Started`].
    Revert {
        /// The update that is taken back, so that nobody takes back another than was looked at.
        update: UpdateId,
        /// Who asked.
        actor: String,
    },
    /// Every journalled event with a number greater than `after`, in order; with `follow`, for ever, and with
    /// [`Line::Progress`] lines between them that have no number and are never repeated.
    Events {
        /// The number of the last event already known; 0 for all.
        after: u64,
        /// Wait for more instead of ending after the last one.
        follow: bool,
    },
    /// All updates so far, newest first. Answers [`Answer::History`].
    History,
    /// Facts for technical support about one update (default: the newest). Answers [`Answer::Report`].
    Report {
        /// Which update, or the newest.
        update: Option<UpdateId>,
    },
    /// Finish or undo what an interrupted update left behind, now. Answers [`Answer::State`].
    Recover,
    /// Read the settings that the engine owns. Answers [`Answer::Settings`].
    Settings,
    /// Change them. Answers [`Answer::Settings`] with what is now in force.
    Configure(Settings),
    /// A front takes its orders on this connection from here on.
    Traffic,
    /// End the engine; with `stop_application` the application too. Answers [`Answer::State`], the last one.
    Shutdown {
        /// Stop the application as well; otherwise it goes on running and the next engine adopts it.
        stop_application: bool,
    },
}

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The state of the installation.
    State(Box<State>),
    /// What an update would do.
    Plan(Box<Plan>),
    /// The update was accepted and is in the journal.
    Started {
        /// The (first) update's number.
        update: UpdateId,
    },
    /// Updates, newest first.
    History {
        /// One entry an update.
        updates: Vec<UpdateSummary>,
    },
    /// The diagnostic report.
    Report(Box<Report>),
    /// The settings in force.
    Settings(Settings),
    /// Lines of a log.
    Log {
        /// Oldest first.
        lines: Vec<String>,
    },
    /// What a look at the installation found.
    Doctor(Box<Doctor>),
    /// Protected copies, newest first.
    Copies {
        /// One entry a copy.
        copies: Vec<ProtectedCopy>,
    },
    /// What going back would lose.
    RevertPlan(Box<RevertPlan>),
    /// What was exported.
    Exported(Exported),
    /// The request was understood and refused, or failed; nothing was changed unless the problem says so.
    Problem(Problem),
}

/// A line on a connection opened with [`Request::Events`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum Line {
    /// A journalled event.
    Event(Event),
    /// How far the running step is. Not journalled.
    Progress(Progress),
}

/// The state of the installation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The product's identifier, as in its releases.
    pub product: String,
    /// The product's name for people.
    pub name: String,
    /// The version that is installed.
    pub installed: Version,
    /// What the engine is doing.
    pub phase: Phase,
    /// Whether the application answers: the address it serves on, behind the front.
    pub serving: Option<SocketAddr>,
    /// The public address of the application (the front's).
    pub public_address: Option<String>,
    /// Addresses the vendor's current release gives for support.
    pub support_email: Option<String>,
    /// The result of the last look at the release repository, if there was one.
    pub check: Option<Check>,
    /// The number of the newest event; start following from here.
    pub last_event: u64,
    /// The last finished update, if there was one.
    pub last_update: Option<UpdateSummary>,
    /// The rehearsal that is running, if one is.
    #[serde(default)]
    pub rehearsing: Option<Rehearsing>,
    /// How the last one ended that was made since the engine started, whatever version it was of.
    #[serde(default)]
    pub rehearsed: Option<Rehearsal>,
    /// Every front that is connected.
    #[serde(default)]
    pub fronts: Vec<FrontState>,
}

/// What the engine is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// Nothing; an update may be started.
    Idle,
    /// An update is running, forwards.
    Updating(Running),
    /// An update failed or was interrupted and is being undone.
    RollingBack(Running),
}

/// A running update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// Which update.
    pub update: UpdateId,
    /// From which version.
    pub from: Version,
    /// To which version.
    pub to: Version,
    /// Versions that follow in the same click, after this one (required stops).
    pub then: Vec<Version>,
    /// Who started it.
    pub actor: String,
    /// When it started.
    pub started: Timestamp,
    /// Every step of it, in order, with its state: what a progress page draws.
    pub steps: Vec<StepState>,
    /// How far the running step is, when that is known.
    pub progress: Option<Progress>,
    /// Why it is being undone, if it is.
    pub problem: Option<Problem>,
    /// Whether it leads on or back.
    #[serde(default)]
    pub kind: UpdateKind,
    /// What a rehearsal had said it would take.
    #[serde(default)]
    pub forecast: Option<Forecast>,
}

/// One step of a running or finished update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepState {
    /// The step's name, such as `protect_database`; text key `step-<name with dashes>`.
    pub step: String,
    /// How it stands.
    pub status: StepStatus,
    /// Whether this is the step that failed, or was interrupted; still so once it has been undone.
    #[serde(default)]
    pub failed: bool,
    /// How long it took (or has taken), milliseconds.
    pub took_ms: Option<u64>,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Not begun.
    Waiting,
    /// Begun, not finished.
    Running,
    /// Finished.
    Done,
    /// Begun and failed.
    Failed,
    /// Being undone.
    Undoing,
    /// Undone: as before it began.
    Undone,
}

/// How far the running step is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Which update.
    pub update: UpdateId,
    /// Which step.
    pub step: String,
    /// How much is done, in `unit`s.
    pub done: u64,
    /// How much there is in all; 0 when not known.
    pub total: u64,
    /// What is counted.
    pub unit: Unit,
}

/// What a [`Progress`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Files.
    Files,
    /// Requests under way in the front.
    Requests,
}

/// What the release repository offers this installation, as of one look at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// When the repository was last asked.
    pub at: Timestamp,
    /// Why asking it failed then. `offer` still holds what an earlier look found.
    pub problem: Option<Problem>,
    /// The newest version for this channel, when it is newer than the installed one.
    pub offer: Option<Offer>,
    /// When the repository's signed metadata ends to be valid.
    pub metadata_expires: Option<Timestamp>,
}

/// A newer version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// The newest version that can be reached.
    pub version: Version,
    /// The versions to go through, in order; the last one is `version`. More than one when there are required stops.
    pub route: Vec<Version>,
    /// What is new in *every* version between the installed one and the offered one, newest first.
    pub notes: Vec<ReleaseNotes>,
    /// Why it cannot be installed now; empty when it can.
    pub obstacles: Vec<Problem>,
    /// Whether an administrator may install it in spite of `obstacles` (it failed here before, or its rehearsal did).
    pub may_insist: bool,
    /// The newest rehearsal of `version` from what is installed.
    #[serde(default)]
    pub rehearsal: Option<Rehearsal>,
    /// What the vendor has proven of the way back from `version`, if anything.
    #[serde(default)]
    pub proof: Option<Proof>,
    /// Bytes to download, at most.
    pub download_bytes: u64,
}

/// What is new in one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseNotes {
    /// The version.
    pub version: Version,
    /// Its date, `YYYY-MM-DD`.
    pub date: String,
    /// Markdown by language (`cs`, `en`).
    pub text: BTreeMap<String, String>,
}

/// What an update would do: the dry run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// From which version.
    pub from: Version,
    /// To which version.
    pub to: Version,
    /// Versions that follow after it in the same click.
    pub then: Vec<Version>,
    /// The steps, in order, each with what it will do here.
    pub steps: Vec<PlannedStep>,
    /// Bytes of disk needed at most while it runs.
    pub disk_needed: u64,
    /// Bytes of disk free now.
    pub disk_free: u64,
    /// Why it cannot be installed now; empty when it can.
    pub obstacles: Vec<Problem>,
}

/// One step of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// The step's name.
    pub step: String,
    /// Technical detail: paths, sizes, the method chosen and why. English, not translated.
    pub detail: String,
}

/// Something that went wrong or stands in the way, in a form that any language can be made of.
///
/// The texts are `problem-<code>` (what happened), `problem-<code>-state` (the state of the data now) and
/// `problem-<code>-do` (what to do), with `args`; the same ones in page, mail and command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The code, such as `migration-failed`. Every code is listed in [`crate::problem`].
    pub code: String,
    /// Values for the texts.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
    /// What the machine said, for a specialist: an excerpt of a log, an operating system's error. Not translated; may
    /// hold data of the customer's, so the report shows it before it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A journalled event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counted from 1 without gaps.
    pub number: u64,
    /// When it was written.
    pub at: Timestamp,
    /// Which update it belongs to.
    pub update: UpdateId,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. These are the journal's records: written and synced *before* the act they announce.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// An update begins: nothing has been changed yet.
    UpdateStarted {
        /// From which version.
        from: Version,
        /// To which version.
        to: Version,
        /// Versions that follow in the same click.
        then: Vec<Version>,
        /// This is the n-th of the versions of one click, from 1.
        hop: u32,
        /// Who asked.
        actor: String,
        /// Whether it leads on or back.
        #[serde(default, skip_serializing_if = "UpdateKind::is_install")]
        kind: UpdateKind,
        /// What a rehearsal said it would take.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forecast: Option<Forecast>,
    },
    /// A step is about to act.
    StepStarted {
        /// Its name.
        step: String,
    },
    /// A step has finished.
    StepFinished {
        /// Its name.
        step: String,
        /// Milliseconds.
        took_ms: u64,
        /// Technical detail: what was done, by which method. English.
        detail: Option<String>,
    },
    /// A step failed, or the update was found interrupted in it; all is about to be undone.
    StepFailed {
        /// Its name.
        step: String,
        /// Why.
        problem: Problem,
    },
    /// A step is about to be undone.
    UndoStarted {
        /// Its name.
        step: String,
    },
    /// A step is as if it had never begun.
    UndoFinished {
        /// Its name.
        step: String,
        /// Milliseconds.
        took_ms: u64,
    },
    /// The new version serves; the update is finished. There is no automatic way back from here.
    Completed {
        /// Milliseconds from the first to the last held request's moment: from holding traffic to letting it through.
        blackout_ms: u64,
    },
    /// Everything is as it was before the update.
    RolledBack {
        /// Why it was undone.
        problem: Problem,
        /// Milliseconds from holding traffic to letting it through to the old version; 0 if it never was held.
        blackout_ms: u64,
    },
}

/// Whether an update leads on or back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateKind {
    /// To a release.
    #[default]
    Install,
    /// Back to the protected copy of an earlier update, after that was finished.
    Revert {
        /// The update that is taken back.
        of: UpdateId,
    },
}

impl UpdateKind {
    /// Whether it leads on; journals from before there was another way say nothing.
    pub fn is_install(&self) -> bool {
        *self == UpdateKind::Install
    }
}

/// One update, for lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UpdateSummary {
    /// Its number.
    pub update: UpdateId,
    /// From which version.
    pub from: Version,
    /// To which version.
    pub to: Version,
    /// Versions that were to follow in the same click.
    pub then: Vec<Version>,
    /// Who asked.
    pub actor: String,
    /// When it started.
    pub started: Timestamp,
    /// When it ended; `None` while it runs.
    pub finished: Option<Timestamp>,
    /// How it ended.
    pub outcome: Outcome,
    /// Milliseconds in which requests were held.
    pub blackout_ms: Option<u64>,
    /// Its steps.
    pub steps: Vec<StepState>,
    /// Why it was undone, if it was.
    pub problem: Option<Problem>,
    /// Whether it led on or back.
    #[serde(default)]
    pub kind: UpdateKind,
    /// What a rehearsal had said it would take.
    #[serde(default)]
    pub forecast: Option<Forecast>,
}

/// How an update ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has not ended.
    Running,
    /// The new version serves.
    Completed,
    /// The old version serves and all is as before.
    RolledBack,
}

/// Facts for technical support, chosen from a list of what is allowed; nothing else of the machine is in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// When it was made.
    pub at: Timestamp,
    /// Obnova's own version.
    pub obnova: String,
    /// The product.
    pub product: String,
    /// The installed version.
    pub installed: Version,
    /// The update it is about.
    pub update: Option<UpdateSummary>,
    /// Its events.
    pub events: Vec<Event>,
    /// Operating system, kernel, processors, memory, free disk: name and value.
    pub system: BTreeMap<String, String>,
    /// The last lines of the application's and the migration's output, redacted.
    pub logs: BTreeMap<String, Vec<String>>,
    /// Where the vendor takes such reports.
    pub support_email: Option<String>,
}

/// The settings that the engine owns, because they decide what may be installed and how traffic is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `stable` or `beta`.
    pub channel: String,
    /// How the front holds requests.
    pub hold: HoldLimits,
    /// Seconds from holding traffic until everything is undone if the new version does not serve; three times the forecast
    /// where nothing is said, or ten minutes without a forecast.
    pub blackout_deadline_s: Option<u64>,
    /// When rehearsals are made and how long they count.
    #[serde(default)]
    pub rehearsal: RehearsalSettings,
    /// Which protected copies are kept.
    #[serde(default)]
    pub keep: KeepRule,
}
