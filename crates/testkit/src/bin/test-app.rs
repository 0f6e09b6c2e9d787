//! A tiny application for the engine's tests.
fn main() {}
