//! A vendor, a customer and the customer's CRM on one machine: what the demo shows and the end-to-end tests use.
//!
//! Everything is real: releases are built and signed by the `obnova` program, installed by it, and watched from outside, through
//! HTTP, SMTP, the database file and the process list.

pub mod admin;
pub mod computer;
pub mod database;
pub mod programs;
pub mod story;
pub mod tour;
pub mod vendor;
pub mod work;
pub mod world;
