//! Installs a verified release as a transaction: the system ends exactly as it was, or exactly updated, and serving.
//!
//! ```text
//!  api  requests and events             plan  pure: what an update would do
//!  server -> engine -> update ->  steps    each with run and undo, journalled before it acts
//!                 |        |        `-> database/ service/ files   drivers
//!                 |        `-> hub -> journal, state   events, synced before anybody acts upon them
//!                 `-> recovery   pure: what to do about an interrupted update; the normal start path
//! ```
//!
//! Everything that must be so for that: an event is on disk before its act; a failed append stops the update; `run` and `undo`
//! are repeatable; step names are never reused; after the record of `release_traffic` there is no automatic way back (but for a new version that ends before its first request).

// See clippy.toml. Tests write, and damage, whatever they like.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]
// `cfg(fuzzing)` is what cargo-fuzz sets: what only fuzz targets and tests call is not in the product.
#![allow(unexpected_cfgs)]

mod account;
pub mod api;
mod application;
pub mod client;
mod contents;
mod copies;
pub mod database;
mod doctor;
#[allow(clippy::disallowed_methods)] // the one place for them
mod durable;
mod engine;
mod files;
mod hub;
mod installation;
mod journal;
pub mod launch;
mod log;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod outside;
mod peer;
mod plan;
mod probe;
pub mod problem;
mod recovery;
pub mod rehearsal;
mod releases;
mod report;
mod reserve;
mod revert;
pub mod server;
pub mod service;
mod settings;
pub mod setup;
mod since;
mod state;
mod step;
mod steps;
mod traffic;
mod update;

pub use application::installed;
pub use contents::Contents;
pub use engine::{Engine, Options};
pub use installation::{FILE_NAME as INSTALLATION_FILE, Installation};
pub use journal::{Moment, Observer};
pub use steps::names as step_names;
