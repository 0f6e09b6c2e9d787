//! What the fuzz targets call: the same functions, and the same workshop of a vendor and a customer, as the tests of
//! `crates/release`.

#[allow(dead_code)]
#[path = "../../crates/release/tests/it/forger.rs"]
mod forger;
#[cfg(feature = "engine")]
pub mod lines;
#[path = "../../crates/release/tests/it/outside.rs"]
pub mod outside;
#[allow(dead_code)]
#[path = "../../crates/release/tests/it/workshop.rs"]
mod workshop;
