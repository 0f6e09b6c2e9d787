//! The centre on a real port, with a real store, against an engine on a real socket.

mod browser;
mod centre;
mod desktops;
mod engine;
mod fleet;
mod hostile;
mod openapi;
mod pages;
mod rehearsals;
mod routes;
mod script;
mod security;
mod texts;
mod updates;
