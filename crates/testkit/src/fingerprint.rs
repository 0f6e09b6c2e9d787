//! What a tree of files or a database holds, in a form that can be compared and whose differences can be read.

mod sqlite;
mod tree;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use sha2::{Digest, Sha256};

/// How many differences a [`Difference`] shows.
const SHOWN: usize = 40;

/// Every file of a tree, every row of a database, or every line of a text, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    entries: BTreeMap<String, String>,
}

impl Fingerprint {
    /// Of every file, directory and symbolic link below `path`: type, content, mode, owner, target, and the time of the
    /// last change of files to the nanosecond. Not the times of directories, which change whenever a file is made.
    pub fn of_tree(path: impl AsRef<Path>) -> Result<Self> {
        let entries = tree::entries(path.as_ref())?;
        Ok(Self { entries })
    }

    /// Of an SQLite database: its schema, its settings, every row of every table. Reads a copy, so neither the file nor
    /// its `-wal` is touched, whether or not a program has it open.
    pub async fn of_sqlite(path: impl AsRef<Path>) -> Result<Self> {
        let entries = sqlite::entries(path.as_ref()).await?;
        Ok(Self { entries })
    }

    /// Of a text, such as a dump: each line by its number.
    pub fn of_text(text: &str) -> Self {
        let lines = text.split_inclusive('\n').enumerate();
        let entries = lines
            .map(|(index, line)| (format!("line {:07}", index + 1), line.to_owned()))
            .collect();
        Self { entries }
    }

    /// Of what somebody else has read, by name.
    pub fn of_entries(entries: BTreeMap<String, String>) -> Self {
        Self { entries }
    }

    /// Without the entries whose name `is_left_out`: paths relative to the tree's root, or `table <name> row <rowid>`.
    #[must_use]
    pub fn without(mut self, is_left_out: impl Fn(&str) -> bool) -> Self {
        self.entries.retain(|name, _| !is_left_out(name));
        self
    }

    /// Names and what is there under them, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// One SHA-256 over everything, in hexadecimal digits.
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (name, value) in &self.entries {
            for part in [name, value] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        hex::encode(hash.finalize())
    }

    /// What has changed from `self` to `later`.
    pub fn diff(&self, later: &Self) -> Difference {
        let mut lines = Vec::new();
        for (name, before) in &self.entries {
            match later.entries.get(name) {
                None => lines.push(format!("- {name}: {before}")),
                Some(after) if after != before => {
                    lines.push(format!("~ {name}: {before} -> {after}"));
                }
                Some(_) => {}
            }
        }
        for (name, after) in &later.entries {
            if !self.entries.contains_key(name) {
                lines.push(format!("+ {name}: {after}"));
            }
        }
        Difference { lines }
    }

    /// Fails with the differences if there are any.
    pub fn expect_same(&self, later: &Self) -> Result<()> {
        let difference = self.diff(later);
        anyhow::ensure!(difference.is_empty(), "{difference}");
        Ok(())
    }
}

/// What has changed between two fingerprints. Printing shows the first of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    lines: Vec<String>,
}

impl Difference {
    /// Nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Each change: `- gone`, `~ changed`, `+ new`.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} differences", self.lines.len())?;
        for line in self.lines.iter().take(SHOWN) {
            writeln!(f, "  {line}")?;
        }
        if self.lines.len() > SHOWN {
            writeln!(f, "  ...")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
