//! The crash harness: a whole installation, killed, starved and cut off at every moment of an update.

pub mod fault;
pub mod faults;
pub mod world;
