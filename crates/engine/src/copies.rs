//! Protected copies that are kept after their updates were finished: which are good, and which of them stay.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use semver::Version;

use crate::api::{KeepRule, Problem, UpdateId, UpdateKind};
use crate::database::Spare;
use crate::durable;
use crate::installation::Installation;
use crate::problem;
use crate::state::{Direction, History, Update};
use crate::step::Context;

/// In a kept copy: a revert has used it up.
const USED_UP: &str = "used-up";
/// In what a revert has laid out: what the database's driver said about it.
const SPARE: &str = "spare.json";

const HOURS_A_DAY: i64 = 24;

/// A good copy, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The update before which it was made.
    pub update: UpdateId,
    /// The version that it belongs to.
    pub version: Version,
    /// The version that the update led to.
    pub to: Version,
    /// When it was made.
    pub at: Timestamp,
}

/// Good copies of finished updates, newest first, and which of them stay.
#[derive(Debug, Clone, Default)]
pub struct Keeping {
    /// The rule.
    pub rule: KeepRule,
    /// The copies.
    pub copies: Vec<Kept>,
}

impl Keeping {
    /// What the history and the disk say.
    pub fn of(installation: &Installation, history: &History, rule: KeepRule) -> Keeping {
        let finished = |update: &&Update| update.direction == Direction::Completed;
        let copies = history
            .updates()
            .iter()
            .rev()
            .filter(finished)
            .filter(|update| is_good(&installation.protected(update.id)))
            .map(kept)
            .collect();
        Keeping { rule, copies }
    }

    /// The updates whose copies stay when this one's, just made, is the newest.
    pub fn with_newest(&self, update: UpdateId, installation: &Installation) -> Vec<UpdateId> {
        let others = self.copies.iter().filter(|copy| {
            // A revert may have used it up since.
            copy.update != update && is_good(&installation.protected(copy.update))
        });
        let others: Vec<&Kept> = others.collect();
        let stay = self.staying(&others, 1);
        std::iter::once(update).chain(stay).collect()
    }

    /// The updates whose copies stay; the newest always does.
    pub fn all_staying(&self) -> Vec<UpdateId> {
        self.staying(&self.copies.iter().collect::<Vec<_>>(), 0)
    }

    fn staying(&self, copies: &[&Kept], newer: usize) -> Vec<UpdateId> {
        let now = Timestamp::now();
        let limit = usize::try_from(self.rule.copies).unwrap_or(usize::MAX);
        let young = |copy: &Kept| {
            let hours = now.duration_since(copy.at).as_hours();
            self.rule.days == 0 || hours <= i64::from(self.rule.days) * HOURS_A_DAY
        };
        let stays = |(place, copy): &(usize, &&Kept)| {
            let newest = place + newer == 0;
            newest || place + newer < limit && young(copy)
        };
        let staying = copies.iter().enumerate().filter(stays);
        staying.map(|(_, copy)| copy.update).collect()
    }
}

fn kept(update: &Update) -> Kept {
    let made = update.step("protect_database").map(|step| step.began);
    Kept {
        update: update.id,
        version: update.from.clone(),
        to: update.to.clone(),
        at: made.unwrap_or(update.started),
    }
}

/// Whether a copy whose update was finished can still be gone back to.
pub(crate) fn is_good(copy: &Path) -> bool {
    copy.join("files").is_dir() && !copy.join(USED_UP).exists()
}

/// The copy that a revert goes back to.
///
/// # Errors
/// `nothing-to-revert`: it is not there, or this is no revert.
pub(crate) fn of_revert(cx: &Context) -> Result<PathBuf, Problem> {
    match cx.kind {
        UpdateKind::Revert { of } => Ok(cx.installation.protected(of)),
        UpdateKind::Install => Err(Problem::new(problem::NOTHING_TO_REVERT)),
    }
    .and_then(|copy| match copy.is_dir() {
        true => Ok(copy),
        false => Err(Problem::new(problem::NOTHING_TO_REVERT)),
    })
}

/// Writes down that nobody may go back to this copy again.
pub(crate) fn set_used_up(copy: &Path) -> io::Result<()> {
    durable::write(&copy.join(USED_UP), b"", 0o600)
}

/// Writes down, last of all, what was laid out.
pub(crate) fn set_spare(laid_out: &Path, spare: Spare) -> io::Result<()> {
    durable::write(&laid_out.join(SPARE), &serde_json::to_vec(&spare)?, 0o600)
}

/// What was laid out.
pub(crate) fn spare(laid_out: &Path) -> io::Result<Spare> {
    Ok(serde_json::from_slice(&std::fs::read(
        laid_out.join(SPARE),
    )?)?)
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    fn keeping(copies: u32, days: u32, ages: &[i64]) -> Keeping {
        let copy = |(number, age): (usize, &i64)| Kept {
            update: 100 - number as u64,
            version: Version::new(1, 0, 0),
            to: Version::new(1, 1, 0),
            at: Timestamp::now() - (age * HOURS_A_DAY).hours(),
        };
        Keeping {
            rule: KeepRule { copies, days },
            copies: ages.iter().enumerate().map(copy).collect(),
        }
    }

    #[test]
    fn so_many_stay_the_newest() {
        assert_eq!(keeping(2, 0, &[1, 2, 3]).all_staying(), [100, 99]);
    }

    #[test]
    fn what_is_too_old_goes_however_few_there_are() {
        assert_eq!(keeping(9, 10, &[1, 9, 11, 30]).all_staying(), [100, 99]);
    }

    #[test]
    fn the_newest_stays_however_old_and_whatever_the_rule_says() {
        assert_eq!(keeping(0, 10, &[400, 500]).all_staying(), [100]);
    }
}
