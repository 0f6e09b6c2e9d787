//! What a release of Obnova is, how it is found and trusted, and how a vendor publishes it.
//!
//! A vendor describes a version in `release.toml` ([`Description`]) and puts it with its files into a repository that
//! is only static files ([`publish`]). An installation asks that repository with a [`Client`]: every answer is verified
//! (TUF, from a root that came with the installation) before it becomes a [`VerifiedRelease`], which nobody outside of this
//! crate can make. [`Client::download`] turns one into a directory of files.
//!
//! ```text
//!  release.toml + files ── publish ──> metadata/ targets/ content/     any web server, share or stick
//!                                            │
//!                      Client::refresh ──> Catalog ── route ──> VerifiedRelease ── download ──> versions/1.2.0/
//! ```

// See clippy.toml. Tests write, and damage, whatever they like.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod appended;
mod catalog;
mod client;
mod clock;
mod description;
mod desktop;
mod digest;
mod download;
#[allow(clippy::disallowed_methods)] // the one place for them
pub mod durable;
mod error;
mod installed;
mod installers;
mod mirror;
mod proof;
pub mod publish;
mod route;
mod source;
mod store;
#[cfg_attr(unix, path = "system/unix.rs")]
#[cfg_attr(windows, path = "system/windows.rs")]
mod system;
mod transport;
mod tree;

pub use catalog::{Catalog, NoRoute, Route, Unreadable, VerifiedRelease};
pub use client::{Client, Look, Options, Repository};
pub use description::{
    Channel, DatabaseChange, Description, Desktop, DesktopInstaller, DesktopProgram, Probe, Server,
    Signal, Stop, Values,
};
pub use desktop::NoDesktop;
pub use digest::Digest;
pub use download::{Bundle, Destination};
pub use error::{Error, ErrorKind};
pub use installed::InstalledRelease;
pub use installers::Installer;
pub use mirror::Mirrored;
pub use proof::{Proof, Trial};
pub use route::matches;
pub use source::Source;
pub use transport::Limits;
pub use tree::{Entry, FileEntry, MAX_BYTES, MAX_ENTRIES, MAX_PATH, Tree, compare};
