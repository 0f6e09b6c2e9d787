//! Which way an installation goes to the newest version: over ranges and required stops. Pure.

use semver::{Comparator, Op, Version, VersionReq};

/// What the route depends on, of one release.
#[derive(Debug, Clone)]
pub(crate) struct Stage<'a> {
    pub(crate) version: &'a Version,
    pub(crate) from: &'a VersionReq,
    pub(crate) required_stop: bool,
}

/// The indices of the stages to go through, in order, to the newest version that can be reached with the fewest stops;
/// among equally short ways the one with the newest stops. Empty when nothing newer can be reached.
///
/// `stages` are in ascending order. A required stop above `installed` is never jumped over.
pub(crate) fn shortest(installed: &Version, stages: &[Stage<'_>]) -> Vec<usize> {
    // For each stage: the number of updates to it, and the stage before it (none: from what is installed).
    let mut best: Vec<Option<(usize, Option<usize>)>> = vec![None; stages.len()];
    for index in 0..stages.len() {
        let stage = &stages[index];
        if stage.version <= installed {
            continue;
        }
        // Backwards over what could be before it, no further than the last required stop.
        for before in (0..index).rev() {
            if stages[before].version <= installed {
                break;
            }
            if let Some((count, _)) = best[before]
                && matches(stage.from, stages[before].version)
                && best[index].is_none_or(|(least, _)| count + 1 < least)
            {
                best[index] = Some((count + 1, Some(before)));
            }
            if stages[before].required_stop {
                break;
            }
        }
        let jumps_over_a_stop = stages[..index]
            .iter()
            .any(|other| other.required_stop && other.version > installed);
        if !jumps_over_a_stop && matches(stage.from, installed) {
            best[index] = Some((1, None));
        }
    }
    let mut route = Vec::new();
    let mut at = (0..stages.len()).rev().find(|index| best[*index].is_some());
    while let Some(index) = at {
        route.push(index);
        at = best[index].and_then(|(_, before)| before);
    }
    route.reverse();
    route
}

/// Whether a version is in a range. Unlike semver's own rule, which is made for libraries, an early version
/// (`1.2.0-beta.1`) is in every range that it lies in: who installed it has to get away from it again.
pub fn matches(range: &VersionReq, version: &Version) -> bool {
    if version.pre.is_empty() || range.matches(version) {
        return range.matches(version);
    }
    let released = Version::new(version.major, version.minor, version.patch);
    range.matches(&released)
        && !range
            .comparators
            .iter()
            .any(|comparator| begins_at(comparator, &released))
}

/// Whether a comparator's range begins exactly at a version: what comes before that version is then not in it.
fn begins_at(comparator: &Comparator, version: &Version) -> bool {
    !matches!(comparator.op, Op::Less | Op::LessEq | Op::Greater)
        && comparator.major == version.major
        && comparator.minor.unwrap_or(0) == version.minor
        && comparator.patch.unwrap_or(0) == version.patch
}

#[cfg(test)]
mod tests;
