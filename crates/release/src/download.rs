//! From a verified release to a directory of files: what is in another version is copied, the rest downloaded, all
//! checked; the directory appears under its name when it is complete and on the disk.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::catalog::VerifiedRelease;
use crate::durable::{self, Lock};
use crate::error::Error;
use crate::installed::InstalledRelease;
use crate::transport::Transport;
use crate::tree::Tree;

mod bundle;
mod content;
mod local;
mod missing;
mod staging;
mod unpack;

pub use bundle::Bundle;
use content::Content;
pub(crate) use missing::MissingMemo;
use staging::Staging;

/// Where the versions of this machine are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// A directory for content that was downloaded and is not yet part of a version. On the file system of `versions`.
    pub content: PathBuf,
    /// The directory of `<version>/` and `<version>.json`. Files of all versions in it are used again.
    pub versions: PathBuf,
}

pub(crate) async fn run(
    transport: &Transport,
    release: &VerifiedRelease,
    to: &Destination,
    progress: &mut dyn FnMut(u64, u64),
    cancelled: &AtomicBool,
) -> Result<(), Error> {
    let work = download(transport, release, to, progress, cancelled);
    tokio::select! {
        biased;
        () = set(cancelled) => Err(Error::Interrupted),
        result = work => result,
    }
}

async fn set(cancelled: &AtomicBool) {
    while !cancelled.load(Ordering::Relaxed) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn download(
    transport: &Transport,
    release: &VerifiedRelease,
    to: &Destination,
    progress: &mut dyn FnMut(u64, u64),
    cancelled: &AtomicBool,
) -> Result<(), Error> {
    let _lock = begin(to)?;
    let wanted = InstalledRelease {
        description: release.description().clone(),
        tree: tree(transport, release).await?.clone(),
    };
    put_together(transport, &wanted, to, progress, cancelled).await
}

/// Makes the directories, and keeps others out of them.
fn begin(to: &Destination) -> Result<Lock, Error> {
    let cannot_make = || Error::local("the directory of versions cannot be made");
    durable::create_dir_all(&to.versions).map_err(cannot_make())?;
    durable::create_dir_all(&to.content).map_err(cannot_make())?;
    Lock::try_take(&to.versions.join(".lock")).map_err(Error::local(
        "another download into these versions is running",
    ))
}

/// With [`begin`]'s lock.
async fn put_together(
    transport: &Transport,
    wanted: &InstalledRelease,
    to: &Destination,
    progress: &mut dyn FnMut(u64, u64),
    cancelled: &AtomicBool,
) -> Result<(), Error> {
    let tree = &wanted.tree;
    if is_there(wanted, &to.versions) {
        return Ok(());
    }
    let staging = Staging::begin(&to.versions, &wanted.description.version, tree)?;
    let missing = reuse(&staging, tree, to, cancelled)?;
    fetch_all(transport, &staging, missing, to, progress, cancelled).await?;
    staging.complete(tree)?;
    durable::sync_file_system(staging.directory())
        .map_err(Error::local("the new version cannot be made durable"))?;
    wanted.save(&to.versions)?;
    staging.publish()?;
    content::clear(&to.content)
}

async fn tree<'a>(transport: &Transport, release: &'a VerifiedRelease) -> Result<&'a Tree, Error> {
    if let Some(tree) = release.local_tree() {
        return Ok(tree);
    }
    let packed = transport.fetch_target(&release.facts.tree_target).await?;
    release
        .facts
        .store
        .keep_blob(&release.facts.tree_target, &packed)?;
    release.keep_tree(&packed)
}

fn is_there(wanted: &InstalledRelease, versions: &Path) -> bool {
    InstalledRelease::load(versions, &wanted.description.version)
        .is_ok_and(|there| there == *wanted)
        && wanted.verify(versions).is_ok()
}

/// Copies what is in other versions into the new one; gives back what is in none.
fn reuse<'a>(
    staging: &Staging,
    tree: &'a Tree,
    to: &Destination,
    cancelled: &AtomicBool,
) -> Result<Vec<Content<'a>>, Error> {
    let local = local::index(&to.versions);
    let mut missing = Vec::new();
    for content in content::wanted(tree) {
        if cancelled.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let candidates = local
            .get(&content.file.sha256)
            .map_or(&[][..], Vec::as_slice);
        if !staging.copy_from(candidates, &content)? {
            missing.push(content);
        }
    }
    Ok(missing)
}

async fn fetch_all(
    transport: &Transport,
    staging: &Staging,
    missing: Vec<Content<'_>>,
    to: &Destination,
    progress: &mut dyn FnMut(u64, u64),
    cancelled: &AtomicBool,
) -> Result<(), Error> {
    let total = missing.iter().map(|content| content.file.packed_size).sum();
    let done = Cell::new(0_u64);
    // Several files report from within one task: a cell lets each call the one function in turn.
    let report = std::cell::RefCell::new(progress);
    (*report.borrow_mut())(0, total);
    let parallel = match transport {
        Transport::Directory(_) => 2,
        Transport::Http(http) => http.parallel(),
    };
    stream::iter(missing)
        .map(|content| {
            let (done, report) = (&done, &report);
            async move {
                if cancelled.load(Ordering::Relaxed) {
                    return Err(Error::Interrupted);
                }
                let mine = Cell::new(0_u64);
                let here = |bytes: u64| {
                    done.set(done.get() - mine.get() + bytes);
                    mine.set(bytes);
                    (*report.borrow_mut())(done.get(), total);
                };
                content::bring(transport, &content, &to.content, staging, &here).await?;
                here(content.file.packed_size);
                Ok::<(), Error>(())
            }
        })
        .buffer_unordered(parallel)
        .try_collect()
        .await
}
