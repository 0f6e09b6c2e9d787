//! What an engine answers about itself: looking, and no act.

use std::sync::PoisonError;

use obnova_release::Description;
use semver::Version;

use super::Engine;
use crate::api::{Answer, Offer, Phase, Problem, Progress, Running, State, UpdateId, UpdateKind};
use crate::application;
use crate::plan;
use crate::problem;
use crate::report;
use crate::state::{Direction, Update};
use crate::steps::hold;

impl Engine {
    /// The installed version.
    pub(crate) fn installed(&self) -> Result<Version, Problem> {
        application::installed(&self.installation)?.ok_or_else(|| {
            Problem::new(problem::CONFIGURATION)
                .arg("path", self.installation.state_dir.display())
                .detail("nothing is installed yet: run obnova setup")
        })
    }

    /// The facts of the installed version, read once: the file that holds them lists the whole tree.
    pub(super) fn description(&self, version: &Version) -> Result<Description, Problem> {
        let mut kept = self
            .installed_facts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(description) if description.version == *version => Ok(description.clone()),
            _ => {
                let description = crate::step::installed(&self.installation, version)?.description;
                *kept = Some(description.clone());
                Ok(description)
            }
        }
    }

    pub(super) fn state(&self) -> Result<Answer, Problem> {
        let installed = self.installed()?;
        let description = self.description(&installed)?;
        let channel = self.settings.current().channel;
        let progress = self.hub.current_progress();
        // A copy: what follows looks at files, and must not keep events waiting.
        let history = self.hub.with_history(Clone::clone);
        let ended = history
            .updates()
            .iter()
            .rev()
            .find(|update| !update.is_open());
        let last_update = ended.map(|update| update.summary());
        let phase = phase(history.open(), progress);
        let mut check = self.releases.check(&installed, &channel, &history);
        if let Some(check) = &mut check {
            let offer = check.offer.take();
            check.offer = offer.map(|offer| self.with_rehearsal(offer, &installed));
        }
        let front = &self.installation.front;
        Ok(Answer::State(Box::new(State {
            product: self.installation.product.clone(),
            name: description.name,
            installed,
            phase,
            serving: self.traffic.upstream(),
            public_address: front
                .public_url
                .clone()
                .or_else(|| Some(format!("http://{}/", front.listen))),
            support_email: description.support_email,
            check,
            last_event: self.hub.last_event(),
            last_update,
            rehearsing: self.rehearsals.rehearsing(),
            rehearsed: self.rehearsals.rehearsed(),
            fronts: self.traffic.states(),
        })))
    }

    pub(super) fn history(&self) -> Answer {
        let updates = self.hub.with_history(|history| {
            history
                .updates()
                .iter()
                .rev()
                .map(Update::summary)
                .collect()
        });
        Answer::History { updates }
    }

    pub(super) fn report(&self, update: Option<UpdateId>) -> Result<Answer, Problem> {
        let summary = self.hub.with_history(|history| {
            let mut updates = history.updates().iter().rev();
            let found = updates.find(|known| update.is_none_or(|id| known.id == id));
            found.map(Update::summary)
        });
        if let (Some(id), None) = (update, &summary) {
            return Err(Problem::new(problem::UNKNOWN_UPDATE).arg("update", id));
        }
        let installed = self.installed()?;
        let events = summary
            .as_ref()
            .map(|summary| self.hub.events_of(summary.update));
        let report = report::make(report::Facts {
            installation: &self.installation,
            database_secrets: self.database.secrets(),
            support_email: self.description(&installed)?.support_email,
            installed,
            update: summary,
            events: events.unwrap_or_default(),
        });
        Ok(Answer::Report(Box::new(report)))
    }

    pub(super) fn offer(&self, wanted: Option<Version>) -> Result<Offer, Problem> {
        let installed = self.installed()?;
        let channel = self.settings.current().channel;
        let history = self.hub.with_history(Clone::clone);
        let found = self
            .releases
            .offer(&installed, &channel, &history, wanted.as_ref())
            .map(|offer| self.with_rehearsal(offer, &installed));
        plan::choose(found, wanted)
    }

    pub(super) fn dry_run(&self, version: Option<Version>) -> Result<Answer, Problem> {
        let offer = self.offer(version)?;
        let to = offer.route.first().unwrap_or(&offer.version).clone();
        let from = self.installed()?;
        let release = self.releases.release(&to);
        let update = self.hub.with_history(|history| history.next_id());
        let kind = UpdateKind::Install;
        let mut context = self.context(update, kind, &from, &to, release.as_ref(), &|_, _, _| ());
        let forecast = self.foretold(&offer.route, &from);
        context.hold = hold::limits(context.hold, forecast.as_ref());
        plan::dry_run(offer, &context).map(|plan| Answer::Plan(Box::new(plan)))
    }
}

fn phase(open: Option<&Update>, progress: Option<Progress>) -> Phase {
    let Some(update) = open else {
        return Phase::Idle;
    };
    let running = Running {
        update: update.id,
        from: update.from.clone(),
        to: update.to.clone(),
        then: update.then.clone(),
        actor: update.actor.clone(),
        started: update.started,
        steps: update.step_states(),
        progress: progress.filter(|progress| progress.update == update.id),
        problem: update.problem.clone(),
        kind: update.kind,
        forecast: update.forecast.clone(),
    };
    match update.direction {
        Direction::Back => Phase::RollingBack(running),
        _ => Phase::Updating(running),
    }
}
