//! A Desktop with all its files in one directory, as an installer carries it. It is not signed by itself: whoever runs an
//! installer trusts that one, whose digest is signed. Everything that is downloaded afterwards is verified as always.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::{Destination, begin, put_together};
use crate::description::{self, Description};
use crate::durable;
use crate::error::Error;
use crate::installed::InstalledRelease;
use crate::transport::{Transport, content_path};
use crate::tree::{MAX_PACKED_MANIFEST, Tree};

/// A Desktop's description, list and compressed files:
///
/// ```text
/// release.json  tree.json.zst  content/ab/<sha256>.zst
/// ```
#[derive(Debug)]
pub struct Bundle {
    directory: PathBuf,
    release: InstalledRelease,
}

impl Bundle {
    /// Reads what is in the directory. Says nothing about the files yet.
    ///
    /// # Errors
    /// It is none.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let read = |name: &str, limit| {
            let what = "what is to be installed cannot be read";
            durable::read_limited(&directory.join(name), limit).map_err(Error::local(what))
        };
        let description = Description::from_json(
            &read("release.json", description::MAX_LENGTH)?,
            "release.json",
        )?;
        let tree = Tree::from_packed(
            &read("tree.json.zst", MAX_PACKED_MANIFEST)?,
            "tree.json.zst",
        )?;
        Ok(Self {
            directory: directory.to_owned(),
            release: InstalledRelease { description, tree },
        })
    }

    /// The vendor's facts.
    pub fn description(&self) -> &Description {
        &self.release.description
    }

    /// Bytes of all its files on the disk.
    pub fn bytes(&self) -> u64 {
        self.release.tree.bytes()
    }

    /// Makes `<versions>/<version>/` of it, as [`crate::Client::download`] does: every file verified, and the directory whole or
    /// not there. May be repeated; a damaged one is replaced.
    ///
    /// # Errors
    /// A file is not what the list says, or the disk refuses.
    pub fn unpack(&self, to: &Destination) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::local("the files cannot be unpacked"))?;
        let _lock = begin(to)?;
        let from = Transport::Directory(self.directory.clone());
        let never = AtomicBool::new(false);
        runtime.block_on(put_together(
            &from,
            &self.release,
            to,
            &mut |_, _| (),
            &never,
        ))
    }

    /// The files of the bundle of a built release's Desktop: their names in it, and where they are now.
    ///
    /// # Errors
    /// The release has no Desktop for this platform, or cannot be read.
    pub fn of_built(built: &Path, platform: &str) -> Result<Vec<(String, PathBuf)>, Error> {
        let (list, tree) = built_tree(built, platform)?;
        let mut files = vec![
            ("release.json".to_owned(), built.join("release.json")),
            ("tree.json.zst".to_owned(), list),
        ];
        let mut seen = HashSet::new();
        for (_, file) in tree.files() {
            if seen.insert(file.packed_sha256) {
                let path = content_path(&file.packed_sha256);
                let place = built.join(&path);
                files.push((path, place));
            }
        }
        Ok(files)
    }

    /// Bytes of all files of a built release's Desktop.
    ///
    /// # Errors
    /// As [`Bundle::of_built`].
    pub fn of_built_bytes(built: &Path, platform: &str) -> Result<u64, Error> {
        Ok(built_tree(built, platform)?.1.bytes())
    }
}

fn built_tree(built: &Path, platform: &str) -> Result<(PathBuf, Tree), Error> {
    let list = crate::publish::built_desktop(built, platform);
    let bytes = durable::read_limited(&list, MAX_PACKED_MANIFEST).map_err(Error::local(
        "the built Desktop cannot be read; build the release with `--desktop`",
    ))?;
    let tree = Tree::from_packed(&bytes, &list.display().to_string())?;
    Ok((list, tree))
}
