//! The steps of an update of the server. Their order here is the order in which they are executed; they are undone in reverse.

use crate::api::UpdateKind;
use crate::step::Step;

mod announce;
pub(crate) mod check;
pub(crate) mod clean;
mod commit;
mod download;
mod go_back;
pub(crate) mod hold;
mod lay_out;
pub(crate) mod migrate;
mod prepare;
mod protect_database;
mod protect_files;
mod release_traffic;
mod start;
mod stop;
mod switch;
mod verify;

/// All steps, in order. Everything from `hold` to `release_traffic` is the blackout.
pub const SERVER: &[&dyn Step] = &[
    &check::Check,
    &download::Download,
    &prepare::Prepare,
    &announce::Announce,
    &hold::Hold,
    &stop::Stop,
    &protect_database::ProtectDatabase,
    &protect_files::ProtectFiles,
    &migrate::Migrate,
    &switch::Switch,
    &start::Start,
    &verify::Verify,
    &release_traffic::ReleaseTraffic,
    &commit::Commit,
    &clean::Clean,
];

/// All steps of the way back after an update was finished, in order. The state that is left is protected as in any update.
pub const REVERT: &[&dyn Step] = &[
    &check::Check,
    &lay_out::LayOut,
    &prepare::Prepare,
    &announce::Announce,
    &hold::Hold,
    &stop::Stop,
    &protect_database::ProtectDatabase,
    &protect_files::ProtectFiles,
    &go_back::GoBack,
    &switch::Switch,
    &start::Start,
    &verify::Verify,
    &release_traffic::ReleaseTraffic,
    &commit::Commit,
    &clean::Clean,
];

/// All steps of an update of this kind, in order.
pub fn of(kind: UpdateKind) -> &'static [&'static dyn Step] {
    match kind {
        UpdateKind::Install => SERVER,
        UpdateKind::Revert { .. } => REVERT,
    }
}

/// Their names, in order.
pub fn names(kind: UpdateKind) -> Vec<&'static str> {
    of(kind).iter().map(|step| step.name()).collect()
}
