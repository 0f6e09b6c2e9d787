//! Passwords: in files, and new ones for servers of our own.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::failure::Failure;

/// A new one: 32 letters and digits that nobody can guess.
pub(super) fn make() -> Result<String, Failure> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    File::open(source)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| Failure::disk(source, error))?;
    Ok(hex::encode(bytes))
}

/// The password that a file holds, and nothing else.
pub(super) fn read(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::disk(path, error))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
