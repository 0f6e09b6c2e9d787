//! Lets somebody look on at every change to the disk, and spoil it: the crash harness, and nobody else. Without an observer each
//! change costs one load more.

use std::io;
use std::path::Path;
use std::sync::OnceLock;

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A new file, still empty.
    Create,
    /// A file with content from somewhere else.
    Copy,
    /// More at the end of a file.
    Append,
    /// A file is cut.
    Truncate,
    /// Another name; what had it before is gone.
    Rename,
    /// A symbolic link.
    Link,
    /// A new directory.
    Directory,
    /// A file, or a directory with all in it, is gone.
    Remove,
    /// Other permissions or times.
    Attributes,
    /// Nothing but that what was done survives a power cut.
    Sync,
}

/// A change to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act<'a> {
    /// What it does.
    pub kind: Kind,
    /// To which path.
    pub path: &'a Path,
}

/// What becomes of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is made.
    Do,
    /// It is not made, and who wanted it is told that it was.
    Skip,
    /// Only for [`Kind::Append`]: who wanted it is told that it was made, and it is with the next one.
    Late,
    /// It is not made, and who wanted it is told this error of the operating system's.
    Fail(i32),
}

/// Somebody who looks on.
pub trait Observer: Send + Sync {
    /// A change is about to be made, by this thread, when this returns.
    fn before(&self, act: Act<'_>) -> Verdict;

    /// It was made, or was not to be.
    fn after(&self, act: Act<'_>);
}

static OBSERVER: OnceLock<Box<dyn Observer>> = OnceLock::new();

/// Has every change of this process observed from now on, for its whole life. `false` when somebody observes already.
pub fn observe(observer: Box<dyn Observer>) -> bool {
    OBSERVER.set(observer).is_ok()
}

/// Makes a change under the eyes of the observer, if there is one.
///
/// # Errors
/// Those of `make`, or the observer's.
pub fn act(kind: Kind, path: &Path, make: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    or_late(kind, path, make).map(drop)
}

/// As [`act`]; `true` when the change is to be made later.
pub(super) fn or_late(
    kind: Kind,
    path: &Path,
    make: impl FnOnce() -> io::Result<()>,
) -> io::Result<bool> {
    let Some(observer) = OBSERVER.get() else {
        return make().map(|()| false);
    };
    let act = Act { kind, path };
    let done = match observer.before(act) {
        Verdict::Do => make().map(|()| false),
        Verdict::Skip => Ok(false),
        Verdict::Late if kind == Kind::Append => Ok(true),
        Verdict::Late => make().map(|()| false),
        Verdict::Fail(number) => Err(io::Error::from_raw_os_error(number)),
    };
    observer.after(act);
    done
}

/// Opens a file in a way that makes it; that can be refused, and not be left out.
///
/// # Errors
/// Those of `open`, or the observer's.
pub fn opening<T>(path: &Path, open: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let Some(observer) = OBSERVER.get() else {
        return open();
    };
    let act = Act {
        kind: Kind::Create,
        path,
    };
    let opened = match observer.before(act) {
        Verdict::Fail(number) => Err(io::Error::from_raw_os_error(number)),
        _ => open(),
    };
    observer.after(act);
    opened
}
