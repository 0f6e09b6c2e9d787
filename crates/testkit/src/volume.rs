//! A file system of its own for a test: XFS or btrfs, on which files can be cloned, in a file that is mounted. It is gone with
//! the value, or with the process that made it if that is killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The kind of file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Clones files.
    Xfs,
    /// Clones files, and whole directories as snapshots of subvolumes.
    Btrfs,
}

/// A mounted file system.
#[derive(Debug)]
pub struct Volume {
    directory: tempfile::TempDir,
    watcher: Child,
}

/// Waits until its standard input ends, which is when this process does or gives the volume up. Whoever still works with it
/// keeps it until they end.
const WATCH: &str = r#"
read -r end
umount --lazy "$1/mounted"
rm -rf "$1"
"#;

impl Volume {
    /// Makes and mounts one that holds `bytes`; on disk it takes only what is written to it. Needs root.
    ///
    /// # Errors
    /// The file system's programs are not installed, or it cannot be mounted.
    pub fn new(kind: Kind, bytes: u64) -> Result<Volume> {
        let directory = tempfile::Builder::new().prefix("volume-").tempdir()?;
        let image = directory.path().join("image");
        let mounted = directory.path().join("mounted");
        std::fs::File::create(&image)?.set_len(bytes)?;
        std::fs::create_dir(&mounted)?;
        let make = match kind {
            Kind::Xfs => ["mkfs.xfs", "-q", "-m", "reflink=1"].as_slice(),
            Kind::Btrfs => ["mkfs.btrfs", "--quiet"].as_slice(),
        };
        run(Command::new(make[0]).args(&make[1..]).arg(&image)).with_context(|| {
            format!(
                "{} is needed: install the Debian packages `xfsprogs` and `btrfs-progs`",
                make[0]
            )
        })?;
        run(Command::new("mount")
            .args(["-o", "loop"])
            .args([&image, &mounted]))
        .context("only root can mount file systems, and the kernel must know XFS and btrfs")?;
        let watcher = Command::new("sh")
            .args(["-c", WATCH, "watcher"])
            .arg(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Volume { directory, watcher })
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("mounted")
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
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_gone_after_a_panic() {
        for kind in [Kind::Xfs, Kind::Btrfs] {
            let volume = Volume::new(kind, 512 << 20).unwrap();
            let path = volume.path();
            std::fs::write(path.join("file"), "text").unwrap();
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
                let _volume = volume;
                panic!("on purpose");
            }));
            assert!(panicked.is_err());
            assert!(!path.exists());
            let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
            assert!(!mounts.contains(path.to_str().unwrap()), "{mounts}");
        }
    }
}
