//! The whole program, run as its users run it: releases are put together, migrated, filled, served and asked.

mod api;
#[path = "sqlite.rs"]
mod database;
mod harness;
mod pages;
mod releases;
mod seeding;
mod service;
