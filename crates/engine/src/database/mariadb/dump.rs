//! The rung *dump*: a dump in the protected directory. Going back makes the database anew and fills it from there. The dump is
//! only read, so whatever dies meanwhile, the next call starts over.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::address::Address;
use super::failure::Failure;
use super::note;
use super::server::{Server, identifier, literal};
use super::tools;
use crate::durable;

const DUMP: &str = "dump.sql";

/// Where in a directory the dump lies.
pub(super) fn file(directory: &Path) -> PathBuf {
    directory.join(DUMP)
}

/// The statement that makes an empty database like this one.
pub(super) fn creation(server: &mut Server, database: &str) -> Result<String, Failure> {
    let row = server.row(&format!("SHOW CREATE DATABASE {}", identifier(database)))?;
    row.and_then(|row| row.into_iter().nth(1))
        .ok_or_else(|| Failure::Unsuitable(format!("there is no database {database}")))
}

/// Options for what only some databases hold.
pub(super) fn options(server: &mut Server, database: &str) -> Result<Vec<&'static str>, Failure> {
    let versioned = server.number(&format!(
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = {} AND table_type = 'SYSTEM VERSIONED'",
        literal(database)
    ))?;
    Ok(match versioned {
        0 => Vec::new(),
        _ => vec!["--dump-history"],
    })
}

/// Dumps all but the rows, to nowhere: a view that leads nowhere, or something that this account does not get to see, shows.
pub(super) fn try_schema(
    server: &mut Server,
    address: &Address,
    database: &str,
) -> Result<(), Failure> {
    let mut options = options(server, database)?;
    options.push("--no-data");
    tools::dump(address, &options, false, &|| true, &mut |_| Ok(()))
}

/// Dumps the database.
pub(super) fn protect(
    server: &mut Server,
    address: &Address,
    database: &str,
    to: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    server.cut_off(database)?;
    let longest = write(server, address, database, to, false, go_on)?;
    let packet = server.number("SELECT @@global.max_allowed_packet")?;
    if longest >= packet {
        return Err(Failure::Unsuitable(format!(
            "a row of {longest} bytes could not be put back: set max_allowed_packet of the server, now {packet}, to more than that"
        )));
    }
    note::set_complete(to)
}

/// Writes the dump, durably, and tells the length of its longest line: a statement that cannot be sent in more than one piece.
pub(super) fn write(
    server: &mut Server,
    address: &Address,
    database: &str,
    to: &Path,
    gentle: bool,
    go_on: &dyn Fn() -> bool,
) -> Result<u64, Failure> {
    let path = file(to);
    let disk = |error| Failure::disk(&path, error);
    let mut output = durable::create_new(&path, 0o600).map_err(disk)?;
    let mut lines = Lines::default();
    let options = options(server, database)?;
    tools::dump(address, &options, gentle, go_on, &mut |piece| {
        lines.add(piece);
        output.write_all(piece)
    })?;
    output.finish().map_err(disk)?;
    durable::sync_dir(to).map_err(|error| Failure::disk(to, error))?;
    Ok(lines.longest())
}

/// Makes the database what the dump says. Repeatable.
pub(super) fn restore(
    server: &mut Server,
    address: &Address,
    database: &str,
    from: &Path,
    creation: &str,
    sequences: &[Sequence],
) -> Result<(), Failure> {
    // A loader of an engine that was killed is among those.
    server.evict(database, None)?;
    server.run(&format!("DROP DATABASE IF EXISTS {}", identifier(database)))?;
    server.run(creation)?;
    tools::load(address, server, &file(from), &|| true)?;
    set(server, database, sequences)
}

/// Where a sequence is. A dump says so too, but as something that can only go up from the sequence's beginning.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Sequence {
    name: String,
    next: i64,
}

/// Where the sequences are.
pub(super) fn sequences(server: &mut Server, database: &str) -> Result<Vec<Sequence>, Failure> {
    let names = server.rows(&format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = {} AND table_type = 'SEQUENCE'",
        literal(database)
    ))?;
    let mut found = Vec::new();
    for name in names.into_iter().filter_map(|row| row.into_iter().next()?) {
        let place = format!("{}.{}", identifier(database), identifier(&name));
        let next = server.text(&format!("SELECT next_not_cached_value FROM {place}"))?;
        if let Some(next) = next.and_then(|next| next.parse().ok()) {
            found.push(Sequence { name, next });
        }
    }
    Ok(found)
}

/// Puts the sequences where they were.
pub(super) fn set(
    server: &mut Server,
    database: &str,
    sequences: &[Sequence],
) -> Result<(), Failure> {
    for sequence in sequences {
        server.run(&format!(
            "ALTER SEQUENCE {}.{} RESTART {}",
            identifier(database),
            identifier(&sequence.name),
            sequence.next
        ))?;
    }
    Ok(())
}

/// The longest of lines that come in pieces.
#[derive(Default)]
struct Lines {
    longest: u64,
    current: u64,
}

impl Lines {
    fn add(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.longest = self.longest.max(self.current + end as u64);
            self.current = 0;
            rest = &rest[end + 1..];
        }
        self.current += rest.len() as u64;
    }

    fn longest(&self) -> u64 {
        self.longest.max(self.current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_line_is_found_across_pieces() {
        let mut lines = Lines::default();
        for piece in ["ab\ncde", "fg\n", "\nhi"] {
            lines.add(piece.as_bytes());
        }
        assert_eq!(lines.longest(), 5);
        lines.add(b"jklmnop");
        assert_eq!(lines.longest(), 9);
    }
}
