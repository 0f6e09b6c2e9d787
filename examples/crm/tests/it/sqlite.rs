//! The database of these tests is a SQLite file.

use std::path::Path;

/// What it says about the index that 1.2.0 cannot make.
pub const DUPLICATES: &str = "UNIQUE constraint failed";

/// Environment that the CRM needs to get in.
pub fn environment() -> Vec<(&'static str, String)> {
    Vec::new()
}

/// The address of a database for an installation in this directory.
pub fn make(directory: &Path) -> String {
    format!("sqlite://{}", directory.join("crm.db").display())
}
