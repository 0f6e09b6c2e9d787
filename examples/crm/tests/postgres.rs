//! The whole program on PostgreSQL: the tests of `it`, which are on SQLite, once more.

#[path = "it/api.rs"]
mod api;
#[path = "it/postgres.rs"]
mod database;
#[path = "it/harness.rs"]
mod harness;
#[path = "it/pages.rs"]
mod pages;
#[path = "it/releases.rs"]
mod releases;
#[path = "it/seeding.rs"]
mod seeding;
#[path = "it/service.rs"]
mod service;
