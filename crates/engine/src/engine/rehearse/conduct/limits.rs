//! What a rehearsal may take of the disk, and of time.

use std::time::{Duration, Instant};

use crate::api::Problem;
use crate::problem;

/// Room that stays free whatever the clone may take.
const MARGIN: u64 = 64 << 20;

/// What a rehearsal may take.
pub(super) struct Limits {
    pub(super) disk: Disk,
    pub(super) time: Duration,
    pub(super) began: Instant,
}

impl Limits {
    pub(super) fn time(&self) -> Result<(), Problem> {
        match self.began.elapsed() < self.time {
            true => Ok(()),
            false => {
                let minutes = self.time.as_secs().div_ceil(60);
                Err(Problem::new(problem::REHEARSAL_TOO_LONG).arg("minutes", minutes))
            }
        }
    }
}

/// What the clone may take of the disk.
pub(super) struct Disk {
    pub(super) free_before: u64,
    pub(super) may_take: u64,
}

impl Disk {
    /// Cheap while all is well: only when the disk has lost more than the clone may take is it measured whose that is.
    pub(super) fn look(&self, root: &std::path::Path) -> Result<(), Problem> {
        let Ok(free) = crate::files::free(root) else {
            return Ok(());
        };
        let lost = self.free_before.saturating_sub(free);
        let is_over = lost > self.may_take && crate::files::size(root) > self.may_take;
        match is_over || free < MARGIN {
            true => Err(Problem::new(problem::DISK_SPACE)
                .arg("needed", lost.max(self.may_take))
                .arg("free", free.min(self.may_take))
                .arg("path", root.display())),
            false => Ok(()),
        }
    }
}
