//! The steps of an update of the server. Their order here is the order in which they are executed; they are undone in reverse.

use crate::step::Step;

mod announce;
pub(crate) mod check;
pub(crate) mod clean;
mod commit;
mod download;
mod hold;
pub(crate) mod migrate;
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

/// The names of all steps, in order.
pub fn names() -> Vec<&'static str> {
    SERVER.iter().map(|step| step.name()).collect()
}
