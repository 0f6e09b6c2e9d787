//! `obnova doctor`: whether this installation is fit, and how its data can be protected at what cost.

use serde::{Deserialize, Serialize};

use super::Problem;

/// What a look at the installation found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Doctor {
    /// The database: kind and place.
    pub database: String,
    /// What the database's role may and may not do. Technical English.
    pub rights: Vec<String>,
    /// Every way to protect it, the fastest first.
    pub rungs: Vec<RungFacts>,
    /// What was looked at, and how it is.
    pub findings: Vec<Finding>,
}

/// One way to protect the database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RungFacts {
    /// Its name in the installation file, such as `copy`.
    pub rung: String,
    /// Why it cannot be taken here; empty when it can. Technical English.
    pub why_not: Option<String>,
    /// Whether it is the one that the next update takes.
    pub chosen: bool,
    /// Milliseconds that protecting takes during the blackout.
    pub protect_ms: Option<u64>,
    /// Milliseconds that returning takes.
    pub restore_ms: Option<u64>,
    /// Bytes of disk that it takes.
    pub disk_bytes: Option<u64>,
    /// How those figures were measured: on what, how large. Technical English; empty when they were not.
    pub measured: Option<String>,
}

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What: `disk`, `network-namespace`, `repository` ...; text key `doctor-<topic>`.
    pub topic: String,
    /// How it is.
    pub health: Health,
    /// What was seen. Technical English.
    pub detail: String,
    /// What is wrong, where something is.
    pub problem: Option<Problem>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it should be.
    Good,
    /// It works, and could be better.
    Fair,
    /// An update would not work.
    Bad,
}
