//! The whole way of a release: published, found, verified, downloaded; and everything that may go wrong on it.

mod clients;
mod crashes;
mod downloads;
mod keys;
mod publishing;
mod scale;
mod server;
mod trees;
mod web;
mod workshop;
