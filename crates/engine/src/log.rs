//! Reads the ends of logs, for problems and reports, and keeps no more where they grew too long.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// How far back from the end lines are looked for.
const WINDOW: u64 = 64 << 10;

/// The last lines of a file, at most `lines`; none when it cannot be read. Only whole ones: in the rest of a line a secret could
/// stand whose beginning is missing, so that it is not known for one.
pub fn tail(path: &Path, lines: usize) -> Vec<String> {
    let mut bytes = read_end(path).unwrap_or_default();
    if bytes.len() as u64 == WINDOW {
        let first = bytes.iter().position(|byte| *byte == b'\n');
        bytes.drain(..first.map_or(bytes.len(), |first| first + 1));
    }
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..]
        .iter()
        .map(|line| (*line).to_owned())
        .collect()
}

/// Makes a log that is longer than `limit` bytes as short as what [`tail`] reads of it, even where the disk is full.
///
/// # Errors
/// It cannot be written.
pub fn keep_end(path: &Path, limit: u64) -> std::io::Result<()> {
    if std::fs::metadata(path).map_or(0, |metadata| metadata.len()) <= limit {
        return Ok(());
    }
    let end = read_end(path)?;
    let mut file = OpenOptions::new().write(true).truncate(true).open(path)?;
    file.write_all(&end)
}

fn read_end(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(WINDOW)))?;
    let mut bytes = Vec::new();
    file.take(WINDOW).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_a_line_is_no_line() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("log");
        let line = format!("{}secret", "x".repeat(WINDOW as usize - 20));
        std::fs::write(&path, format!("{line}\nwhole\n{}\n", "y".repeat(30)))?;
        assert_eq!(tail(&path, 100), ["whole".to_owned(), "y".repeat(30)]);
        std::fs::write(&path, "one\ntwo\n")?;
        assert_eq!(tail(&path, 100), ["one", "two"]);
        Ok(())
    }
}
