//! Protected copies that are kept, and the way back to one of them.

use std::path::Path;
use std::sync::atomic::Ordering;

use super::Engine;
use crate::api::{Answer, EventKind, Problem, ProtectedCopy, RevertPlan, UpdateId, UpdateKind};
use crate::copies::{Keeping, Kept};
use crate::problem;
use crate::revert::{self, Target};
use crate::step::chain;
use crate::steps;

impl Engine {
    /// Good copies of finished updates, and which of them stay.
    pub(super) fn keeping(&self) -> Keeping {
        let rule = self.settings.current().keep;
        self.hub
            .with_history(|history| Keeping::of(&self.installation, history, rule))
    }

    /// Removes copies that the rule does not keep any more, and what is left of those that are no good; while no update is open.
    /// Of what the history does not know, nothing is touched.
    pub(super) fn keep_to_rule(&self) {
        let staying = self.keeping().all_staying();
        let known = self.hub.with_history(|history| history.next_id());
        let root = self.installation.protected_root();
        steps::clean::throw_away_but(self.database.as_ref(), &root, &|name| {
            let update = name.parse::<UpdateId>();
            update.is_err() || update.is_ok_and(|it| it >= known || staying.contains(&it))
        });
    }

    pub(super) fn copies(&self) -> Answer {
        let keeping = self.keeping();
        let target = self.target().ok();
        let installed = self.installed().ok();
        let can_revert = |copy: &Kept| match (&target, &installed) {
            (Some(target), Some(installed)) if target.update == copy.update => {
                revert::obstacles(target, &self.installation, installed).is_empty()
            }
            _ => false,
        };
        let only = keeping.copies.len() == 1;
        let describe = |copy: &Kept| ProtectedCopy {
            update: copy.update,
            version: copy.version.clone(),
            to: copy.to.clone(),
            at: copy.at,
            bytes: self.bytes(copy),
            is_last: only,
            can_revert: can_revert(copy),
        };
        Answer::Copies {
            copies: keeping.copies.iter().map(describe).collect(),
        }
    }

    pub(super) fn bytes(&self, copy: &Kept) -> u64 {
        let copy = self.installation.protected(copy.update);
        self.database.protected_size(&copy.join("database"))
            + crate::files::size(&copy.join("files"))
    }

    pub(super) fn delete_copy(&self, update: UpdateId) -> Result<Answer, Problem> {
        let work = self.settled_work();
        self.refuse_while_busy(work.busy)?;
        let copies = self.keeping().copies;
        if !copies.iter().any(|copy| copy.update == update) {
            return Err(Problem::new(problem::UNKNOWN_UPDATE).arg("update", update));
        }
        if copies.len() == 1 {
            return Err(Problem::new(problem::LAST_COPY).arg("update", update));
        }
        let copy = self.installation.protected(update);
        steps::clean::throw_away(self.database.as_ref(), &copy);
        drop(work);
        Ok(self.copies())
    }

    fn target(&self) -> Result<Target, Problem> {
        self.hub
            .with_history(revert::target)
            .ok_or_else(|| Problem::new(problem::NOTHING_TO_REVERT))
    }

    fn refuse_while_busy(&self, busy: bool) -> Result<(), Problem> {
        if !busy {
            return Ok(());
        }
        let to = self
            .hub
            .with_history(|history| history.open().map(|update| update.to.to_string()));
        Err(Problem::new(problem::UPDATE_RUNNING).arg("version", to.unwrap_or_default()))
    }

    fn revert_obstacles(&self, target: &Target) -> Result<Vec<Problem>, Problem> {
        let mut obstacles = revert::obstacles(target, &self.installation, &self.installed()?);
        let busy = self.hub.with_history(|history| history.open().is_some());
        obstacles.extend(self.refuse_while_busy(busy).err());
        if obstacles.is_empty() {
            let update = self.hub.with_history(|history| history.next_id());
            let kind = UpdateKind::Revert { of: target.update };
            let progress = |_, _, _| ();
            let cx = self.context(update, kind, &target.from, &target.to, None, &progress);
            obstacles.extend(steps::check::room(&cx).err());
        }
        Ok(obstacles)
    }

    fn make_revert_plan(&self) -> Result<RevertPlan, Problem> {
        let target = self.target()?;
        let obstacles = self.revert_obstacles(&target)?;
        revert::plan(
            &target,
            &self.installation,
            self.database.as_ref(),
            obstacles,
        )
    }

    pub(super) fn revert_plan(&self) -> Result<Answer, Problem> {
        self.make_revert_plan()
            .map(|plan| Answer::RevertPlan(Box::new(plan)))
    }

    pub(super) fn export(&self, directory: &Path) -> Result<Answer, Problem> {
        let plan = self.make_revert_plan()?;
        let go_on = || !self.cancelled.load(Ordering::Relaxed);
        let database = self.database.as_ref();
        revert::export(&plan, &self.installation, database, directory, &go_on).map(Answer::Exported)
    }

    /// Journals the start of a revert and wakes the worker.
    pub(super) fn revert(&self, update: UpdateId, actor: &str) -> Result<Answer, Problem> {
        let mut work = self.settled_work();
        self.refuse_while_busy(work.busy)?;
        let target = self.target()?;
        if target.update != update {
            return Err(Problem::new(problem::NOTHING_TO_REVERT).detail(format!(
                "the last finished update is {}, not {update}",
                target.update
            )));
        }
        if let Some(obstacle) = self.revert_obstacles(&target)?.into_iter().next() {
            return Err(obstacle);
        }
        // What the update is for goes first.
        self.rehearsals.break_off()?;
        let update = self.hub.with_history(|history| history.next_id());
        let started = EventKind::UpdateStarted {
            from: target.from,
            to: target.to,
            then: Vec::new(),
            hop: 1,
            actor: actor.to_owned(),
            kind: UpdateKind::Revert { of: target.update },
            forecast: None,
        };
        self.hub.append(update, started).map_err(|error| {
            Problem::new(problem::SYSTEM)
                .arg("path", self.installation.journal().display())
                .detail(chain(&error))
        })?;
        work.busy = true;
        self.wake.notify_all();
        Ok(Answer::Started { update })
    }
}
