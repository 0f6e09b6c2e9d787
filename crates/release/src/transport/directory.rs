//! A repository in a directory: a file share, a stick, or the vendor's own machine.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::Error;
use crate::system;

/// A whole file of at most `limit` bytes; `None` when there is no such file.
pub(super) fn fetch(base: &Path, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    if !super::is_repository(base) {
        return Err(Error::unreachable(
            base.display().to_string(),
            "there is no release repository in this directory",
        ));
    }
    let Some(file) = open_regular(&base.join(path))? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    let shown = base.join(path).display().to_string();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| Error::unreachable(&shown, error))?;
    if bytes.len() as u64 > limit {
        return Err(Error::damaged(
            shown,
            format!("is longer than {limit} bytes"),
        ));
    }
    Ok(Some(bytes))
}

/// Opens a file of a repository for reading; anything but a regular file (a pipe would block for ever) is refused.
pub(crate) fn open_regular(path: &Path) -> Result<Option<File>, Error> {
    let shown = path.display().to_string();
    let refused = || Error::damaged(&shown, "is not a regular file");
    // Merely opening a device may do something: a link of a hostile stick may lead to the watchdog.
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(refused());
    }
    let file = match system::open_at_once(path) {
        Ok(file) => file,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(Error::unreachable(shown, error)),
    };
    let metadata = file
        .metadata()
        .map_err(|error| Error::unreachable(&shown, error))?;
    if !metadata.is_file() {
        return Err(refused());
    }
    Ok(Some(file))
}
