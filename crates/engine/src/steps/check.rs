//! Looks whether the update can succeed, before anything is touched.

use obnova_release::Destination;
use rustix::fs::statvfs;

use crate::account;
use crate::api::Problem;
use crate::files::Files;
use crate::problem;
use crate::step::{Context, Step};

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
        let (needed, free) = (needed(cx), free(cx)?);
        if needed > free {
            return Err(Problem::new(problem::DISK_SPACE)
                .arg("needed", needed)
                .arg("free", free)
                .arg("path", cx.installation.state_dir.display()));
        }
        Ok(Some(format!(
            "needs {needed} bytes of disk, {free} are free"
        )))
    }

    fn undo(&self, _cx: &Context) -> Result<(), Problem> {
        Ok(())
    }
}

/// Bytes of disk that the update takes at most.
pub(crate) fn needed(cx: &Context) -> u64 {
    let destination = destination(cx);
    let release = cx.release.map_or(0, |release| {
        release.download_bytes(&destination) + release.tree_bytes()
    });
    let files = Files {
        directories: &cx.installation.data.directories,
        except: &[],
    };
    release + cx.database.room() + files.size() + MARGIN
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
