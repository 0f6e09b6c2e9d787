//! Copies of files and trees that can stand in for the originals: content, holes, modes, owners, times, extended attributes
//! (access control lists are some), hard links, symbolic links, named pipes.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{
    FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown, symlink,
};
use std::path::{Path, PathBuf};

use rustix::buffer::spare_capacity;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, SeekFrom, Timespec, Timestamps, XattrFlags, ioctl_ficlone,
    lgetxattr, lgetxattr_query, llistxattr, llistxattr_query, lsetxattr, mknodat, seek, statfs,
    utimensat,
};
use rustix::io::Errno;

use super::{
    Kind, TEMPORARY_PREFIX, act, opening, parallel, remove_dir_all, remove_file,
    remove_file_unsynced, rename_unsynced, sync_dir, sync_file_system,
};

/// statfs(2).
const XFS: i64 = 0x5846_5342;
/// Bytes copied between two questions whether to go on.
const PIECE: usize = 1 << 20;

/// Asked again and again while something is copied: whether to go on.
pub type GoOn<'a> = &'a dyn Fn() -> bool;

/// How a copy was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// By reflink: original and copy share their blocks until one of them is written to.
    Cloned,
    /// Byte by byte.
    Copied,
}

/// Copies a file to a place where none is: by reflink where the file system can, else byte by byte; synced. After a crash the
/// copy may be partial.
///
/// # Errors
/// The file cannot be read, the copy not written, or `go_on` said no (`Interrupted`).
pub fn copy_file(from: &Path, to: &Path, go_on: GoOn) -> io::Result<Means> {
    let (copy, means) = copy_content(from, to, go_on)?;
    keep_metadata(&fs::metadata(from)?, from, to)?;
    act(Kind::Sync, to, || copy.sync_all())?;
    Ok(means)
}

/// Copies what an open file holds to a place where none is, with nothing else of it, unsynced. For a file whose locks this
/// process holds: those would be lost when another handle on it is closed.
///
/// # Errors
/// As [`copy_file`].
pub fn copy_open_file(from: &File, to: &Path, go_on: GoOn) -> io::Result<Means> {
    Ok(copy_handle(from, to, go_on)?.1)
}

/// Copies anything but a directory or a socket to a place where nothing is, unsynced. After a crash the copy may be partial.
///
/// # Errors
/// It cannot be read, the copy not written, it is a device, or `go_on` said no (`Interrupted`).
pub fn copy_entry(from: &Path, to: &Path, go_on: GoOn) -> io::Result<()> {
    Copying::new(go_on, &mut |_| ()).entry(from, to)
}

/// Copies the first `limit` bytes of a file, synced: a trial of how long that takes.
///
/// # Errors
/// As [`copy_file`].
pub fn copy_start(from: &File, to: &Path, limit: u64, go_on: GoOn) -> io::Result<()> {
    let copy = create_copy(to)?;
    let length = from.metadata()?.len().min(limit);
    copy_bytes(from, &copy, length, go_on)?;
    act(Kind::Sync, to, || copy.sync_all())
}

/// Copies a tree to a place where nothing is, several files at a time, leaving out what `skip` names and sockets, and syncs all of it
/// at once: a sync for each of many files takes many times as long. Where everything was cloned, what others have written in the same file system is
/// not written for that, where it can be helped. `progress` is told the length of every file. After a crash the copy may be partial.
///
/// # Errors
/// Something cannot be read or written, is a device, or `go_on` said no (`Interrupted`).
pub fn copy_tree(
    from: &Path,
    to: &Path,
    skip: &dyn Fn(&Path) -> bool,
    go_on: GoOn,
    progress: &mut dyn FnMut(u64),
) -> io::Result<()> {
    let has_copied = parallel::copy(from, to, skip, go_on, progress)?;
    match !has_copied && syncs_in_order(to) {
        // It was changed last.
        true => sync_dir(to),
        false => sync_file_system(to),
    }
}

/// Whether what is on the disk here never lacks what was changed before it: then one sync makes all clones durable that were made
/// until then. XFS has one log, in the order of the changes; making a clone is a change that the log holds, and what is cloned
/// is on the disk before it. Syncing the file system instead would wait for all that others have written: after a failed update
/// for all of a database that is about to be thrown away.
fn syncs_in_order(path: &Path) -> bool {
    statfs(path).is_ok_and(|it| it.f_type == XFS)
}

/// Makes the tree `to` what the copy `from` is, wherever it lies, and syncs it; what `skip` names is left alone on both sides.
/// Repeatable, since the copy is only read; between, `to` is partly the one and partly the other.
///
/// # Errors
/// Something cannot be read or written.
pub fn mirror_tree(from: &Path, to: &Path, skip: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    let mut copying = Copying {
        skip,
        go_on: &|| true,
        progress: &mut |_| (),
        linked: HashMap::new(),
        has_copied: false,
    };
    copying.mirror(from, to)?;
    sync_file_system(to)
}

pub(super) struct Copying<'a> {
    skip: &'a dyn Fn(&Path) -> bool,
    go_on: GoOn<'a>,
    progress: &'a mut dyn FnMut(u64),
    /// The first copy of each file that has several names, by device and number.
    linked: HashMap<(u64, u64), PathBuf>,
    /// Bytes were copied, not cloned, so they are not on the disk yet.
    has_copied: bool,
}

impl<'a> Copying<'a> {
    pub(super) fn new(go_on: GoOn<'a>, progress: &'a mut dyn FnMut(u64)) -> Copying<'a> {
        Copying {
            skip: &|_| false,
            go_on,
            progress,
            linked: HashMap::new(),
            has_copied: false,
        }
    }

    /// Whether bytes were copied, not cloned.
    pub(super) fn has_copied(&self) -> bool {
        self.has_copied
    }

    /// Copies anything but a directory.
    pub(super) fn entry(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let metadata = fs::symlink_metadata(from)?;
        let kind = metadata.file_type();
        if kind.is_file() {
            let key = (metadata.dev(), metadata.ino());
            if let Some(first) = self.linked.get(&key) {
                return fs::hard_link(first, to);
            }
            let (_, means) = copy_content(from, to, self.go_on)?;
            self.has_copied |= means == Means::Copied;
            if metadata.nlink() > 1 {
                self.linked.insert(key, to.to_owned());
            }
            (self.progress)(metadata.len());
        } else if kind.is_symlink() {
            symlink(fs::read_link(from)?, to)?;
        } else if kind.is_fifo() {
            mknodat(CWD, to, FileType::Fifo, Mode::from_bits_truncate(0o600), 0)?;
        } else if kind.is_socket() {
            // Whoever listened on it has been stopped and makes it anew.
            return Ok(());
        } else {
            return Err(io::Error::other(format!(
                "{} is a device, which cannot be copied",
                from.display()
            )));
        }
        keep_metadata(&metadata, from, to)
    }

    fn mirror(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        if !fs::symlink_metadata(to).is_ok_and(|metadata| metadata.is_dir()) {
            remove_file_unsynced(to)?;
            fs::create_dir_all(to)?;
        }
        for entry in fs::read_dir(to)? {
            let target = entry?.path();
            let source = from.join(name(&target)?);
            if !(self.skip)(&target) && fs::symlink_metadata(source).is_err() {
                remove(&target)?;
            }
        }
        for entry in fs::read_dir(from)? {
            let source = entry?.path();
            let target = to.join(name(&source)?);
            if fs::symlink_metadata(&source)?.is_dir() {
                self.mirror(&source, &target)?;
            } else if !(self.skip)(&target) {
                self.replace(&source, &target)?;
            }
        }
        keep_metadata(&fs::metadata(from)?, from, to)
    }

    fn replace(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let metadata = fs::symlink_metadata(from)?;
        if metadata.nlink() == 1 && is_same_file(&metadata, from, to)? {
            return keep_metadata(&metadata, from, to);
        }
        let mut fresh = std::ffi::OsString::from(TEMPORARY_PREFIX);
        fresh.push(name(to)?);
        let fresh = to.with_file_name(fresh);
        remove(&fresh)?;
        self.entry(from, &fresh)?;
        if fs::symlink_metadata(to).is_ok_and(|metadata| metadata.is_dir()) {
            remove(to)?;
        }
        rename_unsynced(&fresh, to)?;
        // Other names of the same file are made from this one.
        if let Some(first) = self.linked.get_mut(&(metadata.dev(), metadata.ino()))
            && *first == fresh
        {
            *first = to.to_owned();
        }
        // Renaming one name of a file over another one of it does nothing.
        remove_file_unsynced(&fresh)
    }
}

pub(super) fn name(path: &Path) -> io::Result<&std::ffi::OsStr> {
    path.file_name()
        .ok_or_else(|| io::Error::other("an entry without a name"))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => remove_dir_all(path),
        Ok(_) => remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether `to` is a file with this length, time and content.
fn is_same_file(metadata: &Metadata, from: &Path, to: &Path) -> io::Result<bool> {
    let Ok(there) = fs::symlink_metadata(to) else {
        return Ok(false);
    };
    let stamp = |it: &Metadata| {
        (
            it.is_file(),
            it.len(),
            it.mtime(),
            it.mtime_nsec(),
            it.nlink(),
        )
    };
    if !metadata.is_file() || stamp(metadata) != stamp(&there) {
        return Ok(false);
    }
    let (one, other) = (File::open(from)?, File::open(to)?);
    let (mut left, mut right) = (vec![0; PIECE], vec![0; PIECE]);
    let mut at = 0;
    while at < metadata.len() {
        let length = piece(metadata.len() - at);
        one.read_exact_at(&mut left[..length], at)?;
        other.read_exact_at(&mut right[..length], at)?;
        if left[..length] != right[..length] {
            return Ok(false);
        }
        at += length as u64;
    }
    Ok(true)
}

fn piece(left: u64) -> usize {
    usize::try_from(left).unwrap_or(PIECE).min(PIECE)
}

fn copy_content(from: &Path, to: &Path, go_on: GoOn) -> io::Result<(File, Means)> {
    copy_handle(&File::open(from)?, to, go_on)
}

fn copy_handle(source: &File, to: &Path, go_on: GoOn) -> io::Result<(File, Means)> {
    let copy = create_copy(to)?;
    if ioctl_ficlone(&copy, source).is_ok() {
        return Ok((copy, Means::Cloned));
    }
    copy_bytes(source, &copy, source.metadata()?.len(), go_on)?;
    Ok((copy, Means::Copied))
}

fn create_copy(to: &Path) -> io::Result<File> {
    opening(to, || {
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(to)
    })
}

fn copy_bytes(source: &File, copy: &File, length: u64, go_on: GoOn) -> io::Result<()> {
    copy.set_len(length)?;
    let mut buffer = vec![0; piece(length)];
    let mut at = 0;
    while let Some((start, end)) = next_data(source, at, length)? {
        at = start;
        while at < end {
            if !go_on() {
                return Err(io::Error::new(
                    io::ErrorKind::Interrupted,
                    "the copying was broken off",
                ));
            }
            let length = piece(end - at);
            source.read_exact_at(&mut buffer[..length], at)?;
            copy.write_all_at(&buffer[..length], at)?;
            at += length as u64;
        }
    }
    Ok(())
}

/// Where the next data from `at` on begins and ends; holes between stay holes.
fn next_data(file: &File, at: u64, length: u64) -> io::Result<Option<(u64, u64)>> {
    if at >= length {
        return Ok(None);
    }
    let start = match seek(file, SeekFrom::Data(at)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        // This file system knows nothing of holes.
        Err(Errno::INVAL) => return Ok(Some((at, length))),
        Err(error) => return Err(error.into()),
    };
    let end = seek(file, SeekFrom::Hole(start))?;
    Ok(Some((start, end.min(length))))
}

/// Gives `to` owner, permissions, extended attributes and times of `from`, whose metadata these are.
pub(super) fn keep_metadata(metadata: &Metadata, from: &Path, to: &Path) -> io::Result<()> {
    let made = fs::symlink_metadata(to)?;
    if (made.uid(), made.gid()) != (metadata.uid(), metadata.gid()) {
        lchown(to, Some(metadata.uid()), Some(metadata.gid()))?;
    }
    if !made.is_symlink() {
        fs::set_permissions(to, fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
    }
    keep_attributes(from, to)?;
    let time = |seconds, nanoseconds| Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    };
    let times = Timestamps {
        last_access: time(metadata.atime(), metadata.atime_nsec()),
        last_modification: time(metadata.mtime(), metadata.mtime_nsec()),
    };
    Ok(utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn keep_attributes(from: &Path, to: &Path) -> io::Result<()> {
    let mut names = Vec::with_capacity(match llistxattr_query(from) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => return Ok(()),
        Err(error) => return Err(error.into()),
    });
    if names.capacity() == 0 {
        return Ok(());
    }
    llistxattr(from, spare_capacity(&mut names))?;
    for name in names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        let mut value = Vec::with_capacity(lgetxattr_query(from, name)?.max(1));
        lgetxattr(from, name, spare_capacity(&mut value))?;
        match lsetxattr(to, name, &value, XattrFlags::empty()) {
            // Labels are the system's to give.
            Err(_) if name.starts_with(b"security.") => {}
            other => other?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
