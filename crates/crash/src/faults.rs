//! The one list of faults.

use anyhow::{Context, Result};

use crate::fault::Fault;

mod kills;

/// All of them.
pub fn all() -> Vec<Box<dyn Fault>> {
    let mut all: Vec<Box<dyn Fault>> = Vec::new();
    all.extend(kills::all());
    all
}

/// The one with this name.
///
/// # Errors
/// There is none; with those that there are.
pub fn named(name: &str) -> Result<Box<dyn Fault>> {
    let mut all = all();
    let names: Vec<&str> = all.iter().map(|fault| fault.name()).collect();
    let at = names.iter().position(|it| *it == name);
    let at = at.with_context(|| format!("no fault {name}; there are {}", names.join(", ")))?;
    Ok(all.swap_remove(at))
}
