//! Keeps a program on a user's computer at the version that its server needs.
//!
//! A program embeds [`Desktop`]; a tiny launcher ([`launcher`]) starts whichever version is the right one. The server says
//! which version it is; what the vendor has signed decides which Desktop belongs to it. That may be a newer or an older one
//! than is here: both go the same way.
//!
//! ```no_run
//! use obnova_desktop::{Desktop, Health};
//! # fn main() -> Result<(), obnova_desktop::Error> {
//! let desktop = Desktop::open("/home/anna/.local/share/crm".as_ref())?;
//! // First thing after a start: this version works.
//! desktop.confirm(|| Health::Good)?;
//! let found = desktop.check()?;
//! if let Some(wanted) = &found.wanted {
//!     desktop.download(wanted, &mut |done, total| println!("{done} of {total}"))?;
//!     let staged = desktop.stage(wanted)?;
//!     desktop.apply(staged)?; // the next start is of the other version
//! }
//! # Ok(())
//! # }
//! ```
//!
//! ```text
//!  <root>/desktop.toml, root.json       given by the installer
//!         versions/<version>/           side by side; none in use is ever changed, renamed or removed
//!         state/pointer.json            which of them runs: replaced in one instant
//!         state/journal.jsonl           what is being done, so that the next start finishes or undoes it
//!         content/, tuf/                downloads under way; verified metadata
//! ```

// `cfg(fuzzing)` is what cargo-fuzz sets: what only fuzz targets and tests call is not in the product.
#![allow(unexpected_cfgs)]

mod apply;
pub mod asynchronous;
mod check;
mod configuration;
mod confirm;
mod desktop;
mod download;
#[cfg_attr(windows, path = "entries/windows.rs")]
mod entries;
mod error;
mod follow;
mod install;
mod journal;
pub mod launcher;
mod layout;
mod machine;
#[doc(hidden)]
pub mod moment;
mod news;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod outside;
mod platform;
mod pointer;
mod policy;
mod programs;
mod reason;
mod report;
#[cfg(windows)]
mod resident;
mod rollback;
mod schedule;
mod server;
#[cfg(unix)]
pub mod service;
mod stage;
mod state;
mod status;
mod sweep;
mod uninstall;

pub use apply::Applied;
pub use check::{Direction, Found, Wanted};
pub use configuration::Configuration;
pub use confirm::{Confirmed, Health};
pub use desktop::Desktop;
pub use entries::Entries;
pub use error::{Code, Error};
pub use follow::Followed;
pub use install::{Installation, Installing};
pub use layout::Layout;
pub use news::{About, Notes};
pub use platform::{language, name as platform, tell};
pub use pointer::{Installed, News, Quarantined, Reason};
pub use policy::{Mode, Policy};
pub use programs::{Alone, Attendance, OpenProgram};
pub use schedule::Schedule;
pub use server::Refusal;
pub use stage::Staged;
pub use status::Status;
