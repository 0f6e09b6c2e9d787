//! The whole way of a release: published, found, verified, downloaded; and everything that may go wrong on it.

mod clients;
mod corpus;
mod crashes;
mod desktops;
mod downloads;
mod forger;
mod hostile_content;
mod hostile_keys;
mod hostile_metadata;
mod hostile_releases;
mod installers;
mod keys;
mod outside;
mod proofs;
mod publishing;
mod scale;
mod server;
mod tls;
mod trees;
mod tuf_client;
mod web;
mod workshop;
