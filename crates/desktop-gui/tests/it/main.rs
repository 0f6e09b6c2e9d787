//! The windows and the agent as their users have them: on a screen, clicked with a mouse, with a keyboard and by a screen
//! reader's interface, with a message bus, and against a vendor's real repository behind a server.

mod agent;
mod news;
mod panel;
mod program;
mod reader;
mod scene;
mod screenshots;
mod seat;
#[path = "../../../desktop/tests/it/server.rs"]
#[allow(dead_code)]
mod server;
mod update;
#[path = "../../../desktop/tests/it/world.rs"]
#[allow(dead_code)]
mod world;
