//! Bringing one content from the repository into the new version.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::staging::Staging;
use super::unpack;
use crate::digest::Digest;
use crate::durable;
use crate::error::Error;
use crate::transport::{Transport, content_path, open_regular};
use crate::tree::{FileEntry, Tree};

/// Compressed content up to this length goes through memory; longer content through a file that survives a restart.
const SMALL: u64 = 256 << 10;

/// One content and all the paths of a tree that have it.
#[derive(Debug)]
pub(super) struct Content<'a> {
    pub(super) file: &'a FileEntry,
    /// Never empty. With the permission bits of each.
    pub(super) paths: Vec<(&'a str, u32)>,
}

impl Content<'_> {
    /// Where the part of it that was downloaded is.
    pub(super) fn partial(&self, directory: &Path) -> PathBuf {
        directory.join(format!("{}.part", self.file.packed_sha256))
    }
}

/// The different contents of a tree, in the order of their first paths.
pub(super) fn wanted(tree: &Tree) -> Vec<Content<'_>> {
    let mut contents: Vec<Content<'_>> = Vec::new();
    let mut places: HashMap<Digest, usize> = HashMap::new();
    for (path, file) in tree.files() {
        let place = *places.entry(file.sha256).or_insert_with(|| {
            contents.push(Content {
                file,
                paths: Vec::new(),
            });
            contents.len() - 1
        });
        contents[place].paths.push((path, file.mode));
    }
    contents
}

/// Downloads, verifies and unpacks one content to all its paths.
pub(super) async fn bring(
    transport: &Transport,
    content: &Content<'_>,
    directory: &Path,
    staging: &Staging,
    progress: &dyn Fn(u64),
) -> Result<(), Error> {
    let path = content_path(&content.file.packed_sha256);
    let address = transport.address(&path);
    let target = staging.at(content.paths[0].0);
    let file = *content.file;
    match transport {
        Transport::Directory(_) => {
            let packed = open_regular(Path::new(&address))?
                .ok_or_else(|| Error::damaged(&address, "is not in the repository"))?;
            in_background(move || unpack::to_file(packed, &file, &target, &address)).await?;
        }
        Transport::Http(_) if file.packed_size <= SMALL => {
            let packed = transport
                .fetch(&path, file.packed_size)
                .await?
                .ok_or_else(|| Error::damaged(&address, "is not in the repository"))?;
            in_background(move || unpack::to_file(packed.as_slice(), &file, &target, &address))
                .await?;
        }
        Transport::Http(http) => {
            let partial = content.partial(directory);
            let wanted = crate::transport::Wanted {
                path,
                length: file.packed_size,
                sha256: file.packed_sha256,
                partial: partial.clone(),
            };
            http.download(&wanted, progress).await?;
            in_background(move || {
                let packed = std::fs::File::open(&partial)
                    .map_err(Error::local("downloaded content cannot be read"))?;
                unpack::to_file(packed, &file, &target, &address)
            })
            .await?;
        }
    }
    staging.spread(content)
}

/// Unpacking a large file must not stop the downloads beside it.
async fn in_background(
    work: impl FnOnce() -> Result<(), Error> + Send + 'static,
) -> Result<(), Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            Err(Error::local("unpacking ended before its time")(
                std::io::Error::other(error),
            ))
        })
}

/// Removes what was downloaded and is part of a version now.
pub(super) fn clear(directory: &Path) -> Result<(), Error> {
    let failed =
        || Error::local("downloaded content that is not needed any more cannot be removed");
    for entry in std::fs::read_dir(directory).map_err(failed())? {
        let path = entry.map_err(failed())?.path();
        let ours = path
            .extension()
            .is_some_and(|extension| extension == "part" || extension == "etag");
        if ours {
            durable::remove_file(&path).map_err(failed())?;
        }
    }
    Ok(())
}
