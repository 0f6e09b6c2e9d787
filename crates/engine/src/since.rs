//! What was written since requests were let through after an update: kept beside its protected copy, for the day when somebody
//! wants to go back to that and asks what would be lost.
//!
//! The moment and the database's counters are written down before the first request is let through. Data files written since
//! are known by the time of their last change, which the system sets and no program can; the list made a little later says
//! which have gone since. Nothing is missed but a file that was removed in between, which going back would return.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::database::Database;
use crate::durable;

/// Holds a [`Since`].
const MOMENT: &str = "since.json";
/// Every data file a short time after: number of its directory, path, length, modification, each ended by a zero byte.
const LIST: &str = "since.files";
/// The system's stamps lag behind its clock by a tick of at most this length.
const TICK_NS: i128 = 10_000_000;

/// When requests were let through, and where the database stood.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Since {
    /// When.
    pub(crate) at: Timestamp,
    /// The database's counters; nothing where it could not say.
    pub(crate) counters: serde_json::Value,
}

/// What became of a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is new or not as it was.
    Written,
    /// It is gone.
    Removed,
}

/// Data directories, and files in them that belong to the database.
#[derive(Clone, Copy)]
pub(crate) struct Data<'a> {
    /// The directories.
    pub(crate) directories: &'a [PathBuf],
    /// The database's files.
    pub(crate) except: &'a [PathBuf],
}

/// Where a file lies: the number of its directory, and the path in it. Their order is that of the walk.
pub(crate) type Place = (usize, PathBuf);
/// Told what became of a file, and its length.
pub(crate) type Each<'a> = &'a mut dyn FnMut(&Place, Change, u64) -> io::Result<()>;
/// Length, and when it was modified.
type Stamp = (u64, i128);

/// Writes down this moment, unless an interrupted call before has: requests may have been let through since.
///
/// # Errors
/// It could not be written. What the database does not say is left out.
pub(crate) fn mark(copy: &Path, database: &dyn Database) -> io::Result<()> {
    let path = copy.join(MOMENT);
    if path.exists() {
        return Ok(());
    }
    let counters = database.counters().unwrap_or_else(|problem| {
        tracing::warn!(
            code = problem.code,
            detail = problem.detail,
            "what is written from now on cannot be counted"
        );
        serde_json::Value::Null
    });
    let at = Timestamp::now();
    durable::write(&path, &serde_json::to_vec(&Since { at, counters })?, 0o600)
}

/// The moment written down; `None` when there is none.
///
/// # Errors
/// It cannot be read.
pub(crate) fn read(copy: &Path) -> io::Result<Option<Since>> {
    match std::fs::read(copy.join(MOMENT)) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lists all data files, for [`changes`] later.
///
/// # Errors
/// A directory cannot be read, or the list not be written.
pub(crate) fn list(copy: &Path, data: Data) -> io::Result<()> {
    let path = copy.join(LIST);
    durable::remove_file(&path)?;
    let mut list = BufWriter::new(durable::create_new(&path, 0o600)?);
    for file in walk(data) {
        let ((number, inside), (length, modified), _) = file?;
        write!(list, "{number}\0")?;
        list.write_all(inside.as_os_str().as_bytes())?;
        write!(list, "\0{length}\0{modified}\0")?;
    }
    let list = list.into_inner().map_err(io::IntoInnerError::into_error)?;
    list.finish()?;
    durable::sync_dir(copy)
}

/// Tells every data file that was written or removed since, in memory that does not grow with their number. Without a list,
/// only those that were written.
///
/// # Errors
/// A directory or the list cannot be read, or `each` failed.
pub(crate) fn changes(copy: &Path, since: Timestamp, data: Data, each: Each) -> io::Result<()> {
    let mut list = Listed::open(&copy.join(LIST))?;
    let mut before = list.next()?;
    let since = since.as_nanosecond() - TICK_NS;
    for file in walk(data) {
        let (place, stamp, changed) = file?;
        while let Some((gone, _)) = before.as_ref().filter(|(listed, _)| *listed < place) {
            each(gone, Change::Removed, 0)?;
            before = list.next()?;
        }
        let listed = before.as_ref().filter(|(listed, _)| *listed == place);
        let same = listed.map(|(_, was)| *was == stamp);
        if changed >= since || same == Some(false) || same.is_none() && list.exists() {
            each(&place, Change::Written, stamp.0)?;
        }
        if same.is_some() {
            before = list.next()?;
        }
    }
    while let Some((gone, _)) = before {
        each(&gone, Change::Removed, 0)?;
        before = list.next()?;
    }
    Ok(())
}

/// All data files in order, each with the time of its last change of whatever kind. Files come and go meanwhile.
fn walk(data: Data) -> impl Iterator<Item = io::Result<(Place, Stamp, i128)>> {
    let there = |(_, directory): &(usize, &PathBuf)| directory.exists();
    let files = move |(number, directory): (usize, &PathBuf)| {
        let base = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.clone());
        let walk = walkdir::WalkDir::new(&base).sort_by_file_name();
        walk.into_iter().filter_map(move |entry| match entry {
            Ok(entry) if entry.file_type().is_dir() => None,
            Ok(entry) if data.except.iter().any(|file| file == entry.path()) => None,
            Ok(entry) => {
                let inside = entry.path().strip_prefix(&base).ok()?.to_owned();
                let facts = entry.metadata().ok()?;
                let time = |s: i64, ns: i64| i128::from(s) * 1_000_000_000 + i128::from(ns);
                let stamp = (facts.len(), time(facts.mtime(), facts.mtime_nsec()));
                let changed = time(facts.ctime(), facts.ctime_nsec());
                Some(Ok(((number, inside), stamp, changed)))
            }
            Err(error) => {
                let error = io::Error::from(error);
                (error.kind() != io::ErrorKind::NotFound).then_some(Err(error))
            }
        })
    };
    data.directories
        .iter()
        .enumerate()
        .filter(there)
        .flat_map(files)
}

/// The list, read from its beginning.
struct Listed(Option<BufReader<File>>);

impl Listed {
    fn open(path: &Path) -> io::Result<Listed> {
        match File::open(path) {
            Ok(file) => Ok(Listed(Some(BufReader::new(file)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Listed(None)),
            Err(error) => Err(error),
        }
    }

    fn exists(&self) -> bool {
        self.0.is_some()
    }

    fn next(&mut self) -> io::Result<Option<(Place, Stamp)>> {
        let Some(number) = self.field()? else {
            return Ok(None);
        };
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the list of files is damaged");
        let mut more = || self.field()?.ok_or_else(damaged);
        let (path, length, modified) = (more()?, more()?, more()?);
        let place = (parse(&number)?, std::ffi::OsString::from_vec(path).into());
        Ok(Some((place, (parse(&length)?, parse(&modified)?))))
    }

    fn field(&mut self) -> io::Result<Option<Vec<u8>>> {
        let Some(list) = &mut self.0 else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        if list.read_until(0, &mut bytes)? == 0 {
            return Ok(None);
        }
        bytes.pop();
        Ok(Some(bytes))
    }
}

fn parse<T: std::str::FromStr>(bytes: &[u8]) -> io::Result<T> {
    let text = std::str::from_utf8(bytes).ok();
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the list of files is damaged"))
}

#[cfg(test)]
mod tests;
