//! `obnova release build`: a description and a directory of files become a release, compressed and hashed but not signed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use semver::Version;
use serde::Serialize;

use crate::description::Description;
use crate::digest::Hasher;
use crate::durable;
use crate::error::Error;
use crate::transport::content_path;
use crate::tree::{Entry, FileEntry, FoundKind, MAX_ENTRIES, Tree, scan};

/// zstd's level: nearly as small as it gets, at a speed that does not stop a vendor's day.
const LEVEL: i32 = 12;
/// The permission bits of what is built where files have none: better too much that may be started than too little.
const EXECUTABLE: u32 = 0o755;

/// What to build from, and where to.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// The vendor's `release.toml`.
    pub description: PathBuf,
    /// The directory of the program's files.
    pub tree: PathBuf,
    /// The directory to be made. An earlier build in it is replaced.
    pub out: PathBuf,
}

/// What was built.
#[derive(Debug, Clone, Serialize)]
pub struct Built {
    /// The directory.
    pub out: PathBuf,
    /// The version.
    pub version: Version,
    /// Files, directories and links.
    pub entries: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes of all different files, compressed.
    pub packed_bytes: u64,
}

/// Builds a release. Nothing is signed and the repository is not touched, so this can run where no keys are.
pub fn build(options: &BuildOptions) -> Result<Built, Error> {
    build_with_desktops(options, &BTreeMap::new())
}

/// As [`build`], with the files of the release's Desktop for each of the description's platforms.
pub fn build_with_desktops(
    options: &BuildOptions,
    desktops: &BTreeMap<String, PathBuf>,
) -> Result<Built, Error> {
    let description = Description::read(&options.description)?;
    check_platforms(&description, desktops)?;
    let beside = options
        .out
        .with_file_name(format!(".building-{:08x}", rand::random::<u32>()));
    let failed = || Error::local("the release cannot be built");
    refuse_foreign(&options.out)?;
    durable::create_dir_all(&beside.join("content")).map_err(failed())?;
    let result = build_into(&description, &options.tree, &beside)
        .and_then(|tree| build_desktops(&description, desktops, &beside).map(|()| tree))
        .and_then(|tree| replace(&beside, &options.out).map(|()| tree));
    if result.is_err() {
        durable::remove_dir_all(&beside).map_err(failed())?;
    }
    let tree = result?;
    Ok(Built {
        out: options.out.clone(),
        version: description.version,
        entries: tree.entries().len(),
        bytes: tree.bytes(),
        packed_bytes: tree.packed_bytes(),
    })
}

fn build_into(description: &Description, source: &Path, out: &Path) -> Result<Tree, Error> {
    let failed = || Error::local("the release cannot be built");
    let tree = pack_tree(source, out)?;
    check_programs(description, &tree)?;
    durable::write_new(&out.join("release.json"), &description.to_json()?, 0o644)
        .map_err(failed())?;
    durable::write_new(&out.join("tree.json.zst"), &tree.to_packed()?, 0o644).map_err(failed())?;
    durable::sync_file_system(out).map_err(failed())?;
    Ok(tree)
}

/// Packs the files of a directory; their content goes below `out`.
fn pack_tree(source: &Path, out: &Path) -> Result<Tree, Error> {
    let name = source.display().to_string();
    let found = scan(source)?;
    if found.len() > MAX_ENTRIES {
        return Err(Error::invalid(
            name,
            format!("has more than {MAX_ENTRIES} entries"),
        ));
    }
    let mut entries = BTreeMap::new();
    let mut files = Vec::new();
    for item in found {
        match item.kind {
            FoundKind::Directory { mode } => {
                let mode = mode.unwrap_or(EXECUTABLE);
                entries.insert(item.path, Entry::Directory { mode });
            }
            FoundKind::Link { target } => {
                entries.insert(item.path, Entry::Link { target });
            }
            FoundKind::File { mode, .. } => {
                files.push((item.path, item.absolute, mode.unwrap_or(EXECUTABLE)));
            }
        }
    }
    for (path, file) in pack_all(files, out)? {
        entries.insert(path, Entry::File(file));
    }
    Tree::new(entries, &name)
}

/// The file list of a built release's Desktop.
pub(crate) fn built_desktop(built: &Path, platform: &str) -> PathBuf {
    built.join("desktop").join(platform).join("tree.json.zst")
}

fn build_desktops(
    description: &Description,
    desktops: &BTreeMap<String, PathBuf>,
    out: &Path,
) -> Result<(), Error> {
    let failed = || Error::local("the release's Desktop cannot be built");
    for (platform, source) in desktops {
        let tree = pack_tree(source, out)?;
        tree.check_for_platform(platform)
            .map_err(|reason| Error::invalid(source.display().to_string(), reason))?;
        let programs = description
            .desktop
            .iter()
            .flat_map(|desktop| &desktop.platforms);
        for (_, program) in programs.filter(|(name, _)| *name == platform) {
            let commands = [
                ("start", Some(&program.start)),
                ("check", program.check.as_ref()),
            ];
            for (key, command) in commands {
                check_program(
                    &format!("desktop.platforms.{platform}.{key}"),
                    command,
                    &tree,
                )?;
            }
        }
        let list = built_desktop(out, platform);
        if let Some(directory) = list.parent() {
            durable::create_dir_all(directory).map_err(failed())?;
        }
        durable::write_new(&list, &tree.to_packed()?, 0o644).map_err(failed())?;
    }
    if !desktops.is_empty() {
        durable::sync_file_system(out).map_err(failed())?;
    }
    Ok(())
}

/// What is described has to be there, and the other way round.
fn check_platforms(
    description: &Description,
    desktops: &BTreeMap<String, PathBuf>,
) -> Result<(), Error> {
    let described: Vec<&String> = description
        .desktop
        .iter()
        .flat_map(|desktop| desktop.platforms.keys())
        .collect();
    if let Some(missing) = described.iter().find(|name| !desktops.contains_key(**name)) {
        return Err(Error::invalid(
            format!("desktop.platforms.{missing}"),
            format!("is described, but no files were given; use --desktop {missing}=DIR"),
        ));
    }
    match desktops.keys().find(|name| !described.contains(name)) {
        Some(unknown) => Err(Error::invalid(
            format!("the Desktop for {unknown}"),
            format!("is not described; add [desktop.platforms.{unknown}] with its start command"),
        )),
        None => Ok(()),
    }
}

/// Packs files on all processors.
fn pack_all(
    files: Vec<(String, PathBuf, u32)>,
    out: &Path,
) -> Result<Vec<(String, FileEntry)>, Error> {
    let next = AtomicUsize::new(0);
    let packed = Mutex::new(Vec::with_capacity(files.len()));
    let work = || -> Result<(), Error> {
        while let Some((path, absolute, mode)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let file = pack(absolute, *mode, out)?;
            packed
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push((path.clone(), file));
        }
        Ok(())
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect::<Result<Vec<()>, Error>>()
    })?;
    Ok(packed
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner))
}

fn pack(source: &Path, mode: u32, out: &Path) -> Result<FileEntry, Error> {
    let failed = || Error::local(format!("{} cannot be packed", source.display()));
    let mut input = File::open(source).map_err(failed())?;
    let temporary = out.join(format!(".packing-{:016x}", rand::random::<u64>()));
    let output = durable::create_new(&temporary, 0o644).map_err(failed())?;
    let mut output = Counting {
        inner: output,
        hasher: Hasher::default(),
    };
    let mut plain = Hasher::default();
    let mut encoder = zstd::Encoder::new(&mut output, LEVEL).map_err(failed())?;
    // Knowing the length, zstd takes no more memory than a small file needs, here and where it is unpacked. A file that
    // changes meanwhile is an error.
    let length = input.metadata().map_err(failed())?.len();
    encoder
        .set_pledged_src_size(Some(length))
        .map_err(failed())?;
    let mut buffer = vec![0; 128 << 10];
    loop {
        let count = input.read(&mut buffer).map_err(failed())?;
        if count == 0 {
            break;
        }
        plain.update(&buffer[..count]);
        encoder.write_all(&buffer[..count]).map_err(failed())?;
    }
    encoder.finish().map_err(failed())?;
    output.inner.finish_unsynced().map_err(failed())?;
    let (sha256, size) = plain.finish();
    let (packed_sha256, packed_size) = output.hasher.finish();
    let place = out.join(content_path(&packed_sha256));
    if let Some(parent) = place.parent() {
        durable::create_dir_unsynced(parent).map_err(failed())?;
    }
    durable::rename_unsynced(&temporary, &place).map_err(failed())?;
    Ok(FileEntry {
        mode,
        sha256,
        size,
        packed_sha256,
        packed_size,
    })
}

struct Counting<W> {
    inner: W,
    hasher: Hasher,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A program that is to come from the tree has to be in it, and executable.
fn check_programs(description: &Description, tree: &Tree) -> Result<(), Error> {
    let server = &description.server;
    let commands = [
        ("start", Some(&server.start)),
        ("migrate", server.migrate.as_ref()),
    ];
    for (key, command) in commands {
        check_program(&format!("server.{key}"), command, tree)?;
    }
    Ok(())
}

fn check_program(key: &str, command: Option<&Vec<String>>, tree: &Tree) -> Result<(), Error> {
    let program = command
        .and_then(|command| command.first())
        .and_then(|program| program.strip_prefix("${tree}/"));
    let Some(program) = program else {
        return Ok(());
    };
    let reason = match tree.entries().get(program) {
        Some(Entry::File(file)) if file.mode & 0o111 == 0 => "is not executable",
        Some(Entry::Directory { .. }) => "is a directory",
        // A link leads somewhere inside the tree, which is all that can be said of it here.
        Some(_) => return Ok(()),
        None => "is not among the files",
    };
    Err(Error::invalid(key, format!("{program:?} {reason}")))
}

/// Only what an earlier build has made may be replaced.
fn refuse_foreign(out: &Path) -> Result<(), Error> {
    let is_build = out.join("release.json").is_file() && out.join("tree.json.zst").is_file();
    let is_empty = std::fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
    if out.exists() && !is_build && !is_empty {
        return Err(Error::invalid(
            out.display().to_string(),
            "is there already and is not an earlier build; name another directory",
        ));
    }
    Ok(())
}

fn replace(beside: &Path, out: &Path) -> Result<(), Error> {
    let failed = || Error::local("the release cannot be put in its place");
    if out.exists() {
        durable::remove_dir_all(out).map_err(failed())?;
    }
    durable::rename(beside, out).map_err(failed())
}
