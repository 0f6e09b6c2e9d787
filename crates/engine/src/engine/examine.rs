//! Gathers what the doctor looks at.

use jiff::Timestamp;

use super::Engine;
use crate::account;
use crate::api::{Answer, Doctor, Finding, Problem, UpdateKind};
use crate::doctor;
use crate::steps::check;

impl Engine {
    /// Looks at everything; asks the repository, too.
    pub(super) fn examine(&self, measure: bool) -> Result<Answer, Problem> {
        let rungs = self.database.rungs(measure);
        let mut findings = vec![doctor::database(self.database.check(), &rungs)];
        findings.extend(self.examine_disk()?);
        findings.extend([
            doctor::file_system(&self.installation.state_dir),
            doctor::data(&self.installation),
            doctor::network_namespace(self.rehearsals.worker()),
            self.examine_repository()?,
            doctor::front(self.traffic.fronts()),
            self.examine_clock(),
            doctor::user(
                &self.installation,
                account::check(&self.installation, self.database.as_ref()),
            ),
        ]);
        Ok(Answer::Doctor(Box::new(Doctor {
            database: self.database.describe(),
            rights: self.database.rights(),
            rungs,
            findings,
        })))
    }

    /// Room for the update that is offered, or for one whose release takes nothing; and what kept copies take.
    fn examine_disk(&self) -> Result<[Finding; 2], Problem> {
        let installed = self.installed()?;
        let offered = self.offer(None).ok().and_then(|offer| {
            let to = offer.route.first().unwrap_or(&offer.version);
            self.releases.release(to)
        });
        let update = self.hub.with_history(|history| history.next_id());
        let progress = |_, _, _| ();
        let cx = self.context(
            update,
            UpdateKind::Install,
            &installed,
            &installed,
            offered.as_ref(),
            &progress,
        );
        let (needed, free) = (check::needed(&cx), check::free(&cx)?);
        let bytes = cx.keeping.copies.iter().map(|copy| self.bytes(copy)).sum();
        Ok([
            doctor::disk(needed, free, &self.installation.state_dir),
            doctor::copies(cx.keeping.copies.len(), bytes, free),
        ])
    }

    fn examine_repository(&self) -> Result<Finding, Problem> {
        self.releases.refresh();
        let history = self.hub.with_history(Clone::clone);
        let channel = self.settings.current().channel;
        let check = self.releases.check(&self.installed()?, &channel, &history);
        Ok(doctor::repository(check.as_ref(), Timestamp::now()))
    }

    fn examine_clock(&self) -> Finding {
        let last = self.hub.with_history(|history| {
            let last = history.updates().last()?;
            Some(last.finished.unwrap_or(last.started))
        });
        doctor::clock(last, Timestamp::now())
    }
}
