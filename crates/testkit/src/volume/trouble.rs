//! What can happen to a disk.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Kind, Volume, run};

/// How long processes that were killed may take to be gone from a volume.
const PATIENCE: Duration = Duration::from_secs(60);

impl Volume {
    /// Cuts the power: from now on nothing reaches this disk, and what was not synced never did. Every access fails, until the
    /// volume is given power again.
    ///
    /// # Errors
    /// btrfs has no such switch; or `xfs_io` is missing.
    pub fn cut_power(&self) -> Result<()> {
        if self.kind() == Kind::Btrfs {
            bail!("the power of a btrfs volume cannot be cut");
        }
        cut_power(&self.path())
    }

    /// Gives it power again: mounts it anew, when all who worked with it are gone, which its file system's own recovery precedes.
    ///
    /// # Errors
    /// Somebody still works with it; they are named.
    pub fn restore_power(&self) -> Result<()> {
        let path = self.path();
        let until = Instant::now() + PATIENCE;
        unmount_elsewhere(&path);
        loop {
            match run(Command::new("umount").arg(&path)) {
                Ok(()) => break,
                Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
                Err(error) => {
                    return Err(error.context(format!("held by {:?}", holders(&path))));
                }
            }
        }
        loop {
            match self.mount().and_then(|()| self.probe()) {
                Ok(()) => return Ok(()),
                // The loop device of the mount before may be about to end.
                Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Looks whether it can be written to. Where somebody still has it, it is the same as before, without power.
    fn probe(&self) -> Result<()> {
        let path = self.path().join("probe");
        let probed = File::create(&path).and_then(|_| std::fs::remove_file(&path));
        if let Err(error) = probed {
            run(Command::new("umount").arg(self.path()))?;
            unmount_elsewhere(&self.path());
            return Err(error).context("it is still mounted somewhere");
        }
        Ok(())
    }

    /// Makes it read-only, as Linux does by itself when a disk answers with errors: every write fails from now on, also to files
    /// that are open; what was written before is synced. [`Volume::restore_power`] ends it, as a restart would.
    ///
    /// # Errors
    /// It is not ext4.
    pub fn read_only(&self) -> Result<()> {
        if self.kind() != Kind::Ext4 {
            bail!("only an ext4 volume can become read-only by itself");
        }
        read_only(&self.path())
    }

    /// Takes all room, to the last block.
    ///
    /// # Errors
    /// Not even an empty file can be made.
    pub fn fill(&self) -> Result<Ballast> {
        Ballast::load(&self.path())
    }
}

/// Cuts the power of the ext4 or XFS file system that is mounted here; see [`Volume::cut_power`].
///
/// # Errors
/// `xfs_io` is missing, or it is another kind of file system.
pub fn cut_power(mounted: &Path) -> Result<()> {
    // Without `-f`: the log in memory is thrown away, not written.
    run(Command::new("xfs_io")
        .args(["-x", "-c", "shutdown"])
        .arg(mounted))
    .context("the Debian package `xfsprogs` is needed")
}

/// Makes the ext4 file system that is mounted here, with `errors=remount-ro`, read-only, unless it is; see [`Volume::read_only`].
///
/// # Errors
/// It is another kind of file system.
pub fn read_only(mounted: &Path) -> Result<()> {
    let probe = mounted.join("probe");
    let probed = File::create(&probe).and_then(|_| std::fs::remove_file(&probe));
    if probed.is_err_and(|error| error.kind() == ErrorKind::ReadOnlyFilesystem) {
        return Ok(());
    }
    let output = Command::new("findmnt")
        .args(["-n", "-o", "SOURCE", "--mountpoint"])
        .arg(mounted)
        .output()?;
    let device = String::from_utf8(output.stdout)?;
    // One that is mounted elsewhere too is named with the directory that is seen here.
    let device = device.trim().trim_start_matches("/dev/");
    let device = device.split('[').next().unwrap_or_default();
    let switch = Path::new("/sys/fs/ext4")
        .join(device)
        .join("trigger_fs_error");
    // Nothing is under way at that moment: the kernel may say of a sync in it that it was made, though it was not.
    freeze(mounted, true)?;
    let done = std::fs::write(&switch, "1").with_context(|| switch.display().to_string());
    freeze(mounted, false)?;
    done
}

/// Lets everybody wait who writes, with all that was written so far synced, or lets them go on.
fn freeze(mounted: &Path, on: bool) -> Result<()> {
    let option = match on {
        true => "--freeze",
        false => "--unfreeze",
    };
    run(Command::new("fsfreeze").arg(option).arg(mounted))
}

/// All room of a file system, taken. It is given back when dropped.
#[derive(Debug)]
pub struct Ballast(PathBuf);

impl Ballast {
    /// Takes all room where this directory lies, to the last block.
    ///
    /// # Errors
    /// Not even an empty file can be made.
    pub fn load(directory: &Path) -> Result<Ballast> {
        let path = directory.join("ballast");
        let mut file = File::create(&path)?;
        let ballast = Ballast(path);
        // In one stroke, if the file system can; what is left, in small pieces.
        let room = rustix::fs::fstatvfs(&file)?;
        let free = room.f_bavail * room.f_frsize;
        let _ = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, free);
        let end = file.metadata()?.len();
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(end))?;
        for size in [1 << 20, 4096, 1] {
            let piece = vec![0; size];
            while file.write_all(&piece).is_ok() {}
        }
        // Delayed allocation finds out only now that there is no room.
        let _ = file.sync_all();
        Ok(ballast)
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Whoever made a mount namespace since has a mount of their own of everything that was mounted then, and does not know it.
fn unmount_elsewhere(path: &Path) {
    let own = std::fs::read_link("/proc/self/ns/mnt").ok();
    let mut seen = vec![own];
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let namespace = process.path().join("ns/mnt");
        let name = std::fs::read_link(&namespace).ok();
        if name.is_none() || seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let mounts = std::fs::read_to_string(process.path().join("mounts")).unwrap_or_default();
        let is_there = |line: &str| line.split(' ').nth(1).map(Path::new) == Some(path);
        if mounts.lines().any(is_there) {
            // With its own `/proc`, which `umount` reads. The namespace may have ended meanwhile.
            let processes = process.path().join("ns/pid_for_children");
            let _ = run(Command::new("nsenter")
                .arg(format!("--mount={}", namespace.display()))
                .arg(format!("--pid={}", processes.display()))
                .args(["umount", "--lazy"])
                .arg(path));
        }
    }
}

/// Processes that work with the file system at `path`: number and command line.
pub fn holders(path: &Path) -> Vec<(i32, String)> {
    let Ok(device) = std::fs::metadata(path).map(|metadata| metadata.dev()) else {
        return Vec::new();
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| {
            let id = process.file_name().to_str()?.parse().ok()?;
            let dir = process.path();
            let open = std::fs::read_dir(dir.join("fd"));
            let open = open.into_iter().flatten().flatten().map(|file| file.path());
            let known = ["cwd", "exe", "root"].map(|name| dir.join(name));
            // Where the link leads to, which need not have a name any more.
            let holds = open
                .chain(known)
                .any(|link| std::fs::metadata(link).is_ok_and(|file| file.dev() == device));
            let words = std::fs::read_to_string(dir.join("cmdline")).unwrap_or_default();
            holds.then(|| (id, words.replace('\0', " ").trim().to_owned()))
        })
        .collect()
}
