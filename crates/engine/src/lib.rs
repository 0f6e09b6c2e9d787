//! Installs a verified release as a transaction: old or new, never between. See ARCHITECTURE.md.

pub mod api;
pub mod client;
pub mod problem;
