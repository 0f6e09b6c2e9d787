//! The front between a real engine socket and real applications on loopback.

mod app;
mod drain;
mod engine;
mod front;
mod hold;
mod lost_engine;
mod notice;
mod open_loop;
mod pass;
mod race;
mod shutdown;
mod stream;
mod websocket;
