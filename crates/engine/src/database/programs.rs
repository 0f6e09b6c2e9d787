//! Programs of database servers and their clients, as processes of this machine.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// Bytes of what a program said that a problem quotes.
const QUOTED: usize = 4000;

/// Whether there is such a program.
pub(super) fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// A program with the lowest priority for processor and disk, as far as this machine has the programs for that: whoever works
/// with the machine goes first.
pub(super) fn gentle(program: &Path) -> Command {
    let mut words: Vec<OsString> = Vec::new();
    for prefix in [&["nice", "-n", "19"][..], &["ionice", "-c", "3"]] {
        if in_path(prefix[0]) {
            words.extend(prefix.iter().map(Into::into));
        }
    }
    words.push(program.into());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

/// The end of what was said.
pub(super) fn end_of(said: &[u8]) -> String {
    let said = &said[said.len().saturating_sub(QUOTED)..];
    String::from_utf8_lossy(said).trim().to_owned()
}

/// The end of what was said in a log.
pub(super) fn tail(log: &Path) -> String {
    end_of(&std::fs::read(log).unwrap_or_default())
}
