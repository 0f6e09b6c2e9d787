//! A customer's own copy of what Desktops need of a vendor's repository: all of its metadata and descriptions, and the files
//! of a few Desktops. It is a repository like the vendor's, of static files, and nobody has to trust it: Desktops verify what
//! they get from it exactly as they would from the vendor.

mod installers;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::catalog::{Catalog, Target, VerifiedRelease};
use crate::client::{Client, Repository};
use crate::digest::Digest;
use crate::durable::{self, Lock};
use crate::error::Error;
use crate::transport::{Transport, Wanted, content_path, open_regular, target_path};
use crate::tree::FileEntry;

/// How long a file stays that no copied Desktop needs any more: somebody may be in the middle of downloading it.
const GRACE: Duration = Duration::from_secs(24 * 3600);

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mirrored {
    /// Files of Desktops that were not there before.
    pub new_files: u64,
    /// Their bytes.
    pub new_bytes: u64,
}

impl Client {
    /// Copies these Desktops (see [`VerifiedRelease::desktop`]) and the metadata of the last complete look to a directory that a
    /// web server may show. Files first and metadata last, so that whoever reads meanwhile sees what was there before or all
    /// of the new. May be repeated; after a crash it goes on where it was.
    ///
    /// Setting `cancelled` ends it with [`Error::Interrupted`] after the file under way.
    ///
    /// # Errors
    /// The repository or this disk fails; what was there before is still whole.
    pub fn mirror(
        &self,
        catalog: &Catalog,
        desktops: &[VerifiedRelease],
        to: &Path,
        cancelled: &AtomicBool,
    ) -> Result<Mirrored, Error> {
        let mirror = Mirror::open(&self.repository, to)?;
        let mut mirrored = Mirrored::default();
        let mut needed = HashSet::new();
        for desktop in desktops {
            self.fetch_list(desktop)?;
            let missing = || Error::damaged(&desktop.facts.tree_target.path, "cannot be kept");
            let tree = desktop.local_tree().ok_or_else(missing)?;
            for (_, file) in tree.files() {
                if cancelled.load(Ordering::Relaxed) {
                    return Err(Error::Interrupted);
                }
                if needed.insert(file.packed_sha256) && mirror.bring(file)? {
                    mirrored.new_files += 1;
                    mirrored.new_bytes += file.packed_size;
                }
            }
            mirror.put_signed(&desktop.facts.tree_target)?;
        }
        for release in &catalog.releases {
            mirror.put_signed(&release.facts.description_target)?;
        }
        durable::sync_file_system(to).map_err(cannot())?;
        mirror.put_metadata()?;
        mirror.sweep(&needed)?;
        Ok(mirrored)
    }
}

struct Mirror<'a> {
    repository: &'a Repository,
    to: PathBuf,
    _lock: Lock,
}

impl<'a> Mirror<'a> {
    fn open(repository: &'a Repository, to: &Path) -> Result<Self, Error> {
        for directory in ["metadata", "targets", "content"] {
            durable::create_dir_all(&to.join(directory)).map_err(cannot())?;
        }
        let lock = Lock::take(&to.join(".lock")).map_err(cannot())?;
        durable::remove_temporaries(&to.join("metadata")).map_err(cannot())?;
        Ok(Self {
            repository,
            to: to.to_owned(),
            _lock: lock,
        })
    }

    /// Puts a signed file of the store where it is in the vendor's repository.
    fn put_signed(&self, target: &Target) -> Result<(), Error> {
        let place = self.to.join(target_path(&target.path, &target.sha256));
        if std::fs::metadata(&place).is_ok_and(|found| found.len() == target.length) {
            return Ok(());
        }
        let missing = || Error::damaged(&target.path, "is missing in the local store");
        let bytes = self.repository.store.blob(target)?.ok_or_else(missing)?;
        put(&place, &bytes)
    }

    /// Brings compressed content, unless it is there; says whether it was not.
    fn bring(&self, file: &FileEntry) -> Result<bool, Error> {
        let path = content_path(&file.packed_sha256);
        self.bring_file(path, file.packed_size, file.packed_sha256)
    }

    /// Brings a file of signed length and digest, unless it is there; says whether it was not.
    fn bring_file(&self, path: String, length: u64, sha256: Digest) -> Result<bool, Error> {
        let place = self.to.join(&path);
        // It got its name when it was complete and verified.
        if std::fs::metadata(&place).is_ok_and(|found| found.len() == length) {
            return Ok(false);
        }
        let Repository {
            transport, runtime, ..
        } = self.repository;
        let partial = self.to.join(format!("{sha256}.part"));
        match transport {
            Transport::Http(http) => {
                let wanted = Wanted {
                    path,
                    length,
                    sha256,
                    partial: partial.clone(),
                };
                runtime.block_on(http.download(&wanted, &|_| ()))?;
            }
            Transport::Directory(base) => copy(&base.join(&path), &partial, (sha256, length))?,
        }
        if let Some(directory) = place.parent() {
            durable::create_dir_all(directory).map_err(cannot())?;
        }
        durable::remove_file_unsynced(&partial.with_extension("etag")).map_err(cannot())?;
        durable::set_mode_unsynced(&partial, 0o644).map_err(cannot())?;
        durable::sync_file(&partial).map_err(cannot())?;
        durable::rename(&partial, &place).map_err(cannot())?;
        Ok(true)
    }

    /// The timestamp last: it is what makes the rest count.
    fn put_metadata(&self) -> Result<(), Error> {
        let missing = || Error::damaged("known.json", "is missing in the local store");
        let known = self.repository.store.known()?.ok_or_else(missing)?;
        let metadata = self.to.join("metadata");
        for (role, text) in [("targets", &known.targets), ("snapshot", &known.snapshot)] {
            let number = number(text)?;
            put(
                &metadata.join(format!("{number}.{role}.json")),
                text.as_bytes(),
            )?;
            forget_before(&metadata, role, number)?;
        }
        for version in 1..=known.root_version {
            let name = format!("{version}.root.json");
            let place = metadata.join(&name);
            if place.is_file() {
                continue;
            }
            // One that cannot be had any more is missed only by Desktops that are older still.
            if let Some(root) = self.root(&name)? {
                put(&place, &root)?;
            }
        }
        put(&metadata.join("timestamp.json"), known.timestamp.as_bytes())
    }

    fn root(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let Repository {
            transport,
            store,
            runtime,
            ..
        } = self.repository;
        if let Some(root) = store.metadata(&format!("root_history/{name}"))? {
            return Ok(Some(root));
        }
        let path = format!("metadata/{name}");
        let fetched = transport.fetch(&path, 1 << 20);
        Ok(runtime.block_on(fetched).unwrap_or_default())
    }

    /// Removes content that is not needed any more and has not been for a while, and what broken downloads have left.
    fn sweep(&self, needed: &HashSet<Digest>) -> Result<(), Error> {
        let content = self.to.join("content");
        let files = walkdir::WalkDir::new(&content).min_depth(2).max_depth(2);
        let loose = walkdir::WalkDir::new(&self.to).min_depth(1).max_depth(1);
        for entry in files.into_iter().chain(loose).flatten() {
            let name = entry.file_name().to_string_lossy();
            let digest = name
                .split_once('.')
                .and_then(|(digest, _)| digest.parse().ok());
            let Some(digest) = digest else { continue };
            let modified = entry
                .metadata()
                .ok()
                .and_then(|found| found.modified().ok());
            let age = modified.and_then(|modified| modified.elapsed().ok());
            if !needed.contains(&digest) && age.is_some_and(|age| age > GRACE) {
                durable::remove_file(entry.path()).map_err(cannot())?;
            }
        }
        Ok(())
    }
}

/// Copies a file from a repository in a directory, verified.
fn copy(from: &Path, to: &Path, signed: (Digest, u64)) -> Result<(), Error> {
    let shown = from.display().to_string();
    if open_regular(from)?.is_none() {
        return Err(Error::damaged(shown, "is not in the repository"));
    }
    durable::remove_file_unsynced(to).map_err(cannot())?;
    durable::copy_unsynced(from, to, 0o644).map_err(cannot())?;
    let copied = std::fs::File::open(to)
        .and_then(Digest::of_reader)
        .map_err(cannot())?;
    if copied != signed {
        durable::remove_file(to).map_err(cannot())?;
        return Err(Error::damaged(shown, "is not what was signed"));
    }
    Ok(())
}

fn put(place: &Path, bytes: &[u8]) -> Result<(), Error> {
    if std::fs::read(place).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(directory) = place.parent() {
        durable::create_dir_all(directory).map_err(cannot())?;
    }
    durable::write(place, bytes, 0o644).map_err(cannot())
}

/// The version of a role's file.
fn number(text: &str) -> Result<u64, Error> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Error::damaged("known.json", error.to_string()))?;
    let number = value["signed"]["version"].as_u64();
    number.ok_or_else(|| Error::damaged("known.json", "has a file without a version"))
}

/// Removes numbered files of a role that nobody can be reading any more: those before the one before.
fn forget_before(metadata: &Path, role: &str, number: u64) -> Result<(), Error> {
    let ending = format!(".{role}.json");
    for entry in std::fs::read_dir(metadata).map_err(cannot())? {
        let entry = entry.map_err(cannot())?;
        let name = entry.file_name();
        let old = name
            .to_str()
            .and_then(|name| name.strip_suffix(&ending)?.parse::<u64>().ok());
        if old.is_some_and(|old| old + 1 < number) {
            durable::remove_file(&entry.path()).map_err(cannot())?;
        }
    }
    Ok(())
}

fn cannot() -> impl FnOnce(std::io::Error) -> Error {
    Error::local("the copy of the release repository for Desktops cannot be written")
}
