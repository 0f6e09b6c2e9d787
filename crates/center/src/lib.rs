//! The Administration Centre: pages for administrators, users and their groups, the mails about updates, and the jobs
//! that follow the engine. It only asks; the engine acts. See ARCHITECTURE.md.

mod app;
mod assets;
mod attempt;
mod auth;
mod connections;
mod desktops;
mod error;
mod explain;
mod first_run;
mod forecast;
mod form;
mod format;
mod headers;
mod jobs;
mod mails;
mod notes;
mod openapi;
mod page;
mod pages;
pub mod proven;
mod run;
mod session;
mod store;
mod visitor;

pub use first_run::{Administrator, FirstSettings, prepare};
pub use run::{Error, Options, run, serve};
