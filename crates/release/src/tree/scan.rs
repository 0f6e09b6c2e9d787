//! What is on the disk in a directory, and whether it is a tree.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Entry, Tree};
use crate::digest::Digest;
use crate::error::Error;
use crate::system;

/// One thing found in a directory.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its path below the directory.
    pub(crate) path: String,
    /// Its path on this machine.
    pub(crate) absolute: PathBuf,
    pub(crate) kind: FoundKind,
}

/// Permission bits, where the operating system has any.
pub(crate) type Mode = Option<u32>;

#[derive(Debug)]
pub(crate) enum FoundKind {
    Directory { mode: Mode },
    File { mode: Mode, size: u64 },
    Link { target: String },
}

/// All that is in a directory, sorted by path, without following links. Anything that is not a file, directory or link
/// is refused.
pub(crate) fn scan(root: &Path) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(root).follow_links(false).min_depth(1) {
        let entry = entry.map_err(|error| {
            let shown = error.path().unwrap_or(root).display().to_string();
            let cause = error
                .into_io_error()
                .unwrap_or_else(|| std::io::Error::other("a loop of links"));
            Error::Local {
                what: format!("{shown} cannot be read"),
                cause,
            }
        })?;
        found.push(look_at(root, entry.path())?);
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

fn look_at(root: &Path, absolute: &Path) -> Result<Found, Error> {
    let shown = absolute.display().to_string();
    let cannot_read = || Error::local(format!("{shown} cannot be read"));
    let path = absolute
        .strip_prefix(root)
        .ok()
        .and_then(Path::to_str)
        .ok_or_else(|| Error::invalid(&shown, "has a name that is not text in UTF-8"))?;
    let path = system::inside(path);
    let metadata = fs::symlink_metadata(absolute).map_err(cannot_read())?;
    let kind = metadata.file_type();
    let mode = system::mode(&metadata);
    let kind = if kind.is_dir() {
        FoundKind::Directory { mode }
    } else if kind.is_file() {
        FoundKind::File {
            mode,
            size: metadata.len(),
        }
    } else if kind.is_symlink() {
        let target = fs::read_link(absolute).map_err(cannot_read())?;
        let target = target
            .to_str()
            .ok_or_else(|| Error::invalid(&shown, "links to a name that is not text in UTF-8"))?;
        FoundKind::Link {
            target: target.to_owned(),
        }
    } else {
        let what = system::kind(kind);
        return Err(Error::invalid(
            shown,
            format!("is a {what}; only files, directories and links can be released"),
        ));
    };
    Ok(Found {
        path,
        absolute: absolute.to_owned(),
        kind,
    })
}

/// Checks that `root` holds exactly this tree: every content, mode and link, and nothing else.
pub fn compare(root: &Path, tree: &Tree) -> Result<(), Error> {
    let found = scan(root)?;
    let damaged = |path: &str, reason: &str| {
        Err(Error::damaged(
            root.join(path).display().to_string(),
            reason,
        ))
    };
    let mut matched = 0;
    for item in &found {
        let Some(entry) = tree.entries().get(&item.path) else {
            return damaged(&item.path, "does not belong to the release");
        };
        if let Some(reason) = difference(item, entry)? {
            return damaged(&item.path, reason);
        }
        matched += 1;
    }
    if matched < tree.entries().len() {
        let there: std::collections::HashSet<&str> =
            found.iter().map(|item| item.path.as_str()).collect();
        if let Some(path) = tree
            .entries()
            .keys()
            .find(|path| !there.contains(path.as_str()))
        {
            return damaged(path, "is missing");
        }
    }
    Ok(())
}

fn difference(item: &Found, entry: &Entry) -> Result<Option<&'static str>, Error> {
    Ok(match (&item.kind, entry) {
        (FoundKind::Directory { mode }, Entry::Directory { mode: right }) => {
            differs(mode, *right).then_some("has other permissions")
        }
        (FoundKind::Link { target }, Entry::Link { target: right }) => {
            (target != right).then_some("links elsewhere")
        }
        (FoundKind::File { mode, .. }, Entry::File(file)) if differs(mode, file.mode) => {
            Some("has other permissions")
        }
        (FoundKind::File { size, .. }, Entry::File(file)) if *size != file.size => {
            Some("has another length")
        }
        (FoundKind::File { .. }, Entry::File(file)) => {
            let (digest, _) = fs::File::open(&item.absolute)
                .and_then(Digest::of_reader)
                .map_err(Error::local(format!(
                    "{} cannot be read",
                    item.absolute.display()
                )))?;
            (digest != file.sha256).then_some("has other content")
        }
        _ => Some("is of another kind"),
    })
}

/// Without permission bits there is nothing to be different.
fn differs(found: &Mode, right: u32) -> bool {
    found.is_some_and(|mode| mode != right)
}
