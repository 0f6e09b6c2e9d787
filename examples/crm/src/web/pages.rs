//! Pages for people, one file each.

pub mod assets;
pub mod attachment;
pub mod detail;
pub mod form;
pub mod language;
pub mod list;
pub mod report;
