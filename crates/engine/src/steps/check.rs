//! Looks whether the update can succeed, before anything is touched.

use std::sync::atomic::Ordering;

use obnova_release::Destination;
use rustix::fs::statvfs;

use crate::account;
use crate::api::Problem;
use crate::copies;
use crate::files::Files;
use crate::problem;
use crate::reserve::{self, Piece};
use crate::step::{Context, Step};
use crate::steps::clean;

/// Room that stays free whatever the update needs: journal, logs, the mail queue.
const MARGIN: u64 = 64 << 20;

/// See the module.
pub(super) struct Check;

impl Step for Check {
    fn name(&self) -> &'static str {
        "check"
    }

    fn plan(&self, cx: &Context) -> String {
        format!(
            "needs {} bytes of disk, {} are free",
            needed(cx),
            free(cx).unwrap_or(0)
        )
    }

    fn run(&self, cx: &Context) -> Result<Option<String>, Problem> {
        cx.database.check()?;
        account::check(cx.installation, cx.database)?;
        // That of another journal's update with this number.
        clean::throw_away(cx.database, &cx.protected());
        if room(cx).is_err() {
            // What nobody needs may be what fills the disk.
            clean::empty_trash(cx.database, &cx.installation.protected_root());
        }
        let (needed, free) = room(cx)?;
        let reserved = match reserve::take(&cx.installation.state_dir, &pieces(cx))? {
            true => "reserved",
            false => "not reserved, as this file system cannot",
        };
        Ok(Some(format!(
            "needs {needed} bytes of disk, {free} are free; {reserved}"
        )))
    }

    fn undo(&self, cx: &Context) -> Result<(), Problem> {
        reserve::give_back_all(&cx.installation.state_dir);
        Ok(())
    }
}

/// Bytes of disk that the update takes at most, and that are free.
///
/// # Errors
/// `disk-space`: those are too few.
pub(crate) fn room(cx: &Context) -> Result<(u64, u64), Problem> {
    let (needed, free) = (needed(cx), free(cx)?);
    match needed > free {
        true => Err(Problem::new(problem::DISK_SPACE)
            .arg("needed", needed)
            .arg("free", free)
            .arg("path", cx.installation.state_dir.display())),
        false => Ok((needed, free)),
    }
}

/// Bytes of disk that the update takes at most.
pub(crate) fn needed(cx: &Context) -> u64 {
    let pieces = pieces(cx);
    pieces.iter().map(|(_, bytes)| bytes).sum::<u64>() + MARGIN
}

/// What of it each step takes.
fn pieces(cx: &Context) -> [Piece; 5] {
    let destination = destination(cx);
    let release = cx.release.map_or(0, |release| {
        release.download_bytes(&destination) + release.tree_bytes()
    });
    let files = Files {
        directories: &cx.installation.data.directories,
        except: &[],
    };
    let (count, bytes) = files.measure();
    cx.data_files.store(count, Ordering::Relaxed);
    // A revert lays out a second copy of the one that it returns.
    let laid_out = copies::of_revert(cx).map_or(0, |kept| crate::files::size(&kept));
    let room = cx.database.room();
    let protecting = room.min(cx.database.size());
    [
        ("download", release),
        ("lay_out", laid_out),
        ("protect_database", protecting),
        ("protect_files", bytes),
        (reserve::UNDO, room - protecting),
    ]
}

/// Bytes of disk that are free.
pub(crate) fn free(cx: &Context) -> Result<u64, Problem> {
    let directory = &cx.installation.state_dir;
    let system = statvfs(directory).map_err(|error| {
        Problem::new(problem::SYSTEM)
            .arg("path", directory.display())
            .detail(error)
    })?;
    Ok(system.f_bavail * system.f_frsize)
}

/// Where releases are downloaded to.
pub(crate) fn destination(cx: &Context) -> Destination {
    crate::releases::destination(cx.installation)
}
