//! A file system of its own for a test: ext4, XFS or btrfs, in a file that is mounted. It is gone with the value, or with the
//! process that made it if that is killed. Its power can be cut, it can be filled, and it can refuse to be written to.

mod trouble;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

pub use trouble::{Ballast, cut_power, holders};

/// The kind of file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Clones files.
    Xfs,
    /// Clones files, and whole directories as snapshots of subvolumes.
    Btrfs,
    /// Clones nothing, as most servers have it. It neither writes for a program that forgot to (`noauto_da_alloc`), nor on its
    /// own every five seconds (`commit`): what was not synced is lost.
    Ext4,
}

impl Kind {
    /// The name that the system knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Xfs => "xfs",
            Kind::Btrfs => "btrfs",
            Kind::Ext4 => "ext4",
        }
    }

    fn make(self) -> &'static [&'static str] {
        match self {
            Kind::Xfs => &["mkfs.xfs", "-q", "-m", "reflink=1"],
            Kind::Btrfs => &["mkfs.btrfs", "--quiet"],
            Kind::Ext4 => &["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0"],
        }
    }

    fn options(self) -> &'static str {
        match self {
            Kind::Ext4 => "loop,noauto_da_alloc,commit=600,errors=remount-ro",
            Kind::Xfs | Kind::Btrfs => "loop",
        }
    }
}

/// A mounted file system.
#[derive(Debug)]
pub struct Volume {
    directory: tempfile::TempDir,
    at: PathBuf,
    watcher: Child,
    kind: Kind,
}

/// Waits until its standard input ends, which is when this process does or gives the volume up. Whoever still works with it
/// keeps it until they end.
const WATCH: &str = r#"
read -r end
umount --lazy "$2"
rm -rf "$1"
"#;

impl Volume {
    /// Makes and mounts one that holds `bytes`; on disk it takes only what is written to it. Needs root.
    ///
    /// # Errors
    /// The file system's programs are not installed, or it cannot be mounted.
    pub fn new(kind: Kind, bytes: u64) -> Result<Volume> {
        let directory = tempfile::Builder::new().prefix("volume-").tempdir()?;
        let at = directory.path().join("mounted");
        std::fs::create_dir(&at)?;
        Volume::make(kind, bytes, directory, at)
    }

    /// The same, mounted on a directory that is there.
    ///
    /// # Errors
    /// As [`Volume::new`].
    pub fn new_at(kind: Kind, bytes: u64, at: &Path) -> Result<Volume> {
        let directory = tempfile::Builder::new().prefix("volume-").tempdir()?;
        Volume::make(kind, bytes, directory, at.to_owned())
    }

    fn make(kind: Kind, bytes: u64, directory: tempfile::TempDir, at: PathBuf) -> Result<Volume> {
        let image = directory.path().join("image");
        std::fs::File::create(&image)?.set_len(bytes)?;
        let make = kind.make();
        run(Command::new(make[0]).args(&make[1..]).arg(&image)).with_context(|| {
            format!(
                "{} is needed: install the Debian packages `xfsprogs`, `btrfs-progs` and `e2fsprogs`",
                make[0]
            )
        })?;
        let watcher = Command::new("sh")
            .args(["-c", WATCH, "watcher"])
            .args([directory.path(), &at])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let volume = Volume {
            directory,
            at,
            watcher,
            kind,
        };
        volume.mount()?;
        Ok(volume)
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.at.clone()
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    fn mount(&self) -> Result<()> {
        run(Command::new("mount")
            .args(["-t", self.kind.name(), "-o", self.kind.options()])
            .arg(self.directory.path().join("image"))
            .arg(self.path()))
        .with_context(|| {
            format!(
                "only root can mount file systems, and the kernel must know {}",
                self.kind.name()
            )
        })
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Its standard input ends.
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

fn run(command: &mut Command) -> Result<()> {
    let program = Path::new(command.get_program()).to_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| program.display().to_string())?;
    ensure!(
        output.status.success(),
        "{}: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

#[cfg(test)]
mod tests;
