//! The one list of faults.

use anyhow::{Context, Result};

use crate::fault::Fault;

mod clock;
mod database;
mod disk;
mod handles;
mod kills;
mod network;
mod power;
mod read_only;
mod smtp;

/// All of them.
pub fn all() -> Vec<Box<dyn Fault>> {
    let mut all: Vec<Box<dyn Fault>> = Vec::new();
    all.extend(kills::all());
    all.extend(power::all());
    all.extend(disk::all());
    all.extend(read_only::all());
    all.extend(handles::all());
    all.extend(network::all());
    all.extend(smtp::all());
    all.extend(database::all());
    all.extend(clock::all());
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
