//! Passwords for servers of our own.

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
