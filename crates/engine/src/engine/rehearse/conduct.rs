//! Conducts one rehearsal from the download to the result.

use super::*;
use crate::api::{Isolation, StepStatus, UpdateKind};
use crate::launch::Start;
use crate::rehearsal::{CLONE, DOWNLOAD, Measured, Reader, Task, Word, foretell};
use crate::{log, report};

/// How often the worker's words are heard.
const POLL: Duration = Duration::from_millis(50);
/// How often the disk is looked at.
const DISK_LOOK: Duration = Duration::from_secs(1);
/// Room that stays free whatever the clone may take.
const MARGIN: u64 = 64 << 20;
/// Lines of each of the clone's own logs that are kept.
const LOG_LINES: usize = 400;

/// What has become known of a rehearsal so far.
struct Account {
    outcome: Option<RehearsalOutcome>,
    problem: Option<Problem>,
    isolation: Isolation,
    measured: Measured,
    log: Vec<String>,
    /// When the running step began.
    step_began: Instant,
}

impl Engine {
    /// Makes one rehearsal. When this returns nothing of it is left but its result.
    pub(super) fn conduct(&self, wish: &Wish) {
        let mut cancel = Arc::default();
        self.rehearsals.change(|slot| {
            let run = slot.running.get_or_insert_with(|| Run::new(wish));
            cancel = Arc::clone(&run.cancel);
        });
        tracing::info!(version = %wish.version, actor = wish.actor, "a rehearsal begins");
        let mut account = Account {
            outcome: None,
            problem: None,
            isolation: Isolation::None,
            measured: Measured::default(),
            log: Vec::new(),
            step_began: Instant::now(),
        };
        let began = Timestamp::now();
        if let Err(problem) = self.run_rehearsal(wish, &cancel, &mut account) {
            account.outcome = Some(RehearsalOutcome::NotMade);
            account.problem = Some(problem);
        }
        if let Err(error) = self.rehearsals.place.end() {
            tracing::error!(%error, "something of a rehearsal does not end");
        }
        self.keep_logs(&mut account);
        self.conclude(wish, began, account);
        self.rehearsals.change(|slot| {
            if let Some(run) = &mut slot.running {
                run.is_dead = true;
            }
        });
        self.clear_rehearsal();
        // Another one may be waiting for that.
        self.rehearsals
            .change(|slot| slot.running = slot.running.take().filter(|run| !run.is_dead));
    }

    fn run_rehearsal(
        &self,
        wish: &Wish,
        cancel: &AtomicBool,
        account: &mut Account,
    ) -> Result<(), Problem> {
        let from = self.installed()?;
        self.record_interrupted(wish, &from)?;
        self.fetch_rehearsed(wish, cancel, account)?;
        let place = &self.rehearsals.place;
        let system = |error: std::io::Error| {
            Problem::new(problem::SYSTEM)
                .arg("path", place.root().display())
                .detail(error)
        };
        place.clear().and_then(|()| place.make()).map_err(system)?;
        let free = crate::files::free(place.root()).map_err(system)?;
        let settings = self.settings.current().rehearsal;
        let task = Task {
            from,
            to: wish.version.clone(),
            disk_bytes: settings.disk_bytes.unwrap_or(free / 2),
            unisolated: settings.unisolated,
            launcher: self.service.launcher().to_vec(),
            worker: self.rehearsals.worker.clone(),
        };
        task.write(&place.task()).map_err(system)?;
        let child = self.start_worker(&task)?;
        let disk = Disk {
            free_before: free,
            may_take: task.disk_bytes,
        };
        self.listen(child, cancel, account, &disk)
    }

    /// Stands until there is a result, unless an earlier one counts.
    fn record_interrupted(&self, wish: &Wish, from: &Version) -> Result<(), Problem> {
        if self.is_kept(wish, from) {
            return Ok(());
        }
        let now = Timestamp::now();
        let rehearsal = Rehearsal {
            version: wish.version.clone(),
            from: from.clone(),
            started: now,
            finished: now,
            actor: wish.actor.clone(),
            outcome: RehearsalOutcome::NotMade,
            steps: Vec::new(),
            problem: Some(Problem::new(problem::REHEARSAL_BROKEN_OFF)),
            forecast: None,
            isolation: Isolation::None,
            data_bytes: 0,
            expired: None,
        };
        self.write_result(&rehearsal, &[])
    }

    /// Whether there is a rehearsal of this version that says something and counts.
    fn is_kept(&self, wish: &Wish, from: &Version) -> bool {
        self.newest_rehearsal(&wish.version, from)
            .is_some_and(|newest| {
                newest.expired.is_none() && newest.outcome != RehearsalOutcome::NotMade
            })
    }

    fn write_result(&self, rehearsal: &Rehearsal, log: &[String]) -> Result<(), Problem> {
        let store = &self.rehearsals.store;
        store.write(rehearsal, log).map_err(|error| {
            Problem::new(problem::SYSTEM)
                .arg("path", store.directory().display())
                .detail(error)
        })
    }

    /// Into the same store that the update takes it from.
    fn fetch_rehearsed(
        &self,
        wish: &Wish,
        cancel: &AtomicBool,
        account: &mut Account,
    ) -> Result<(), Problem> {
        let step = DOWNLOAD.to_owned();
        self.hear(account, Word::Started { step: step.clone() });
        let began = Instant::now();
        let release = self
            .releases
            .release(&wish.version)
            .ok_or_else(|| Problem::new(problem::UNKNOWN_VERSION).arg("version", &wish.version))?;
        let mut progress = |done, total| self.tell_rehearsal(done, total, Unit::Bytes);
        let downloaded = self.releases.download(&release, &mut progress, cancel);
        if cancel.load(Ordering::Relaxed) {
            return Err(Problem::new(problem::REHEARSAL_BROKEN_OFF));
        }
        downloaded?;
        let installed = crate::step::installed(&self.installation, &wish.version)?;
        installed
            .verify(&self.installation.versions())
            .map_err(|error| {
                Problem::new(problem::RELEASE_DAMAGED)
                    .arg("version", &wish.version)
                    .detail(crate::step::chain(&error))
            })?;
        let took_ms = milliseconds(began);
        let detail = None;
        self.hear(
            account,
            Word::Finished {
                step,
                took_ms,
                detail,
            },
        );
        Ok(())
    }

    fn start_worker(&self, task: &Task) -> Result<Child, Problem> {
        let place = &self.rehearsals.place;
        let arguments = rehearsal::arguments(&self.installation.state_dir);
        let command: Vec<String> = task.worker.iter().cloned().chain(arguments).collect();
        let kept = rehearsal::KEPT_VARIABLES.iter().filter_map(|name| {
            let value = std::env::var(name).ok()?;
            Some(((*name).to_owned(), value))
        });
        let start = Start {
            record: &place.record(),
            note: serde_json::Value::Null,
            log: &place.log(),
            die_with_parent: true,
            service: &Default::default(),
            command: &command,
            env: &kept.collect::<Vec<_>>(),
            directory: place.root(),
        };
        start.spawn(self.service.launcher()).map_err(|error| {
            Problem::new(problem::REHEARSAL_IMPOSSIBLE)
                .detail(format!("the worker cannot be started: {error}"))
        })
    }

    /// Hears the worker until it has ended, or is to.
    fn listen(
        &self,
        mut child: Child,
        cancel: &AtomicBool,
        account: &mut Account,
        disk: &Disk,
    ) -> Result<(), Problem> {
        let mut words = Reader::of(self.rehearsals.place.words());
        let mut looked = Instant::now();
        let result = loop {
            let has_ended = !matches!(child.try_wait(), Ok(None));
            for word in words.hear() {
                self.hear(account, word);
            }
            if account.outcome.is_some() || has_ended {
                break Ok(());
            }
            if cancel.load(Ordering::Relaxed) {
                break Err(Problem::new(problem::REHEARSAL_BROKEN_OFF));
            }
            if looked.elapsed() > DISK_LOOK {
                looked = Instant::now();
                if let Err(problem) = disk.look(self.rehearsals.place.root()) {
                    break Err(problem);
                }
            }
            std::thread::sleep(POLL);
        };
        // Whoever leads the others first; a kill is never refused, so this ends.
        let _ = child.kill();
        let _ = child.wait();
        result?;
        if account.outcome.is_none() {
            let said = log::tail(&self.rehearsals.place.log(), 20).join("\n");
            return Err(Problem::new(problem::REHEARSAL_IMPOSSIBLE)
                .detail(format!("the worker ended before its time: {said}")));
        }
        Ok(())
    }

    fn tell_rehearsal(&self, done: u64, total: u64, unit: Unit) {
        self.rehearsals.change(|slot| {
            let Some(run) = &mut slot.running else { return };
            let mut steps = run.rehearsing.steps.iter();
            let Some(step) = steps.find(|step| step.status == StepStatus::Running) else {
                return;
            };
            run.rehearsing.progress = Some(Progress {
                // It belongs to none.
                update: 0,
                step: step.step.clone(),
                done,
                total,
                unit,
            });
        });
    }

    fn set_step(&self, name: &str, status: StepStatus, took_ms: Option<u64>) {
        self.rehearsals.change(|slot| {
            let Some(run) = &mut slot.running else { return };
            run.rehearsing.progress = None;
            let mut steps = run.rehearsing.steps.iter_mut();
            if let Some(step) = steps.find(|step| step.step == name) {
                step.status = status;
                step.failed = status == StepStatus::Failed;
                step.took_ms = took_ms.or(step.took_ms);
            }
        });
    }

    fn hear(&self, account: &mut Account, mut word: Word) {
        // The worker begins anew in the middle of this step.
        if let Word::Finished { step, took_ms, .. } = &mut word
            && step == CLONE
        {
            *took_ms = milliseconds(account.step_began);
        }
        if let Some(line) = word.spoken() {
            let now = Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
            account.log.push(format!("{now} {line}"));
        }
        match word {
            Word::Isolation { isolation } => account.isolation = isolation,
            Word::Data { bytes } => account.measured.data_bytes = bytes,
            Word::Grown { bytes } => account.measured.grown_bytes = bytes,
            Word::Note { .. } => {}
            Word::Rung { rung } => account.measured.rung = Some(rung),
            Word::Undone { step, took_ms } => {
                account.measured.undone_ms.insert(step, took_ms);
            }
            Word::Started { step } => {
                account.step_began = Instant::now();
                self.set_step(&step, StepStatus::Running, None);
            }
            Word::Progress { done, total, unit } => self.tell_rehearsal(done, total, unit),
            Word::Finished { step, took_ms, .. } => {
                self.set_step(&step, StepStatus::Done, Some(took_ms));
                account.measured.took_ms.insert(step, took_ms);
            }
            Word::Failed { step, .. } => self.set_step(&step, StepStatus::Failed, None),
            Word::End { outcome, problem } => {
                account.outcome = Some(outcome);
                account.problem = problem;
            }
        }
    }

    /// What the clone's own programs said, before that is deleted with it.
    fn keep_logs(&self, account: &mut Account) {
        let place = &self.rehearsals.place;
        let state = place.state_dir();
        let logs = [
            ("worker", place.log()),
            ("migration", state.join("log/migrate-1.log")),
            ("application", state.join("log/application.log")),
        ];
        for (name, path) in logs {
            let lines = log::tail(&path, LOG_LINES);
            if !lines.is_empty() {
                account.log.push(format!("--- {name}"));
                account.log.extend(lines);
            }
        }
        let text = account.log.join("\n");
        let redacted = report::redact(&self.installation, self.database.secrets(), &text);
        account.log = redacted.lines().map(str::to_owned).collect();
    }

    /// Writes the result, unless it was broken off and an earlier one counts.
    fn conclude(&self, wish: &Wish, began: Timestamp, mut account: Account) {
        let Ok(from) = self.installed() else { return };
        let steps = self.rehearsals.rehearsing().map(|it| it.steps);
        let outcome = account.outcome.unwrap_or(RehearsalOutcome::NotMade);
        let problem = account.problem.take();
        tracing::info!(version = %wish.version, ?outcome, ?problem, "the rehearsal has ended");
        let is_broken_off = problem
            .as_ref()
            .is_some_and(|problem| problem.code == problem::REHEARSAL_BROKEN_OFF);
        if is_broken_off && self.is_kept(wish, &from) {
            return;
        }
        if is_broken_off && self.rehearsals.is_closed() {
            // The next engine may begin it again.
            self.rehearsals.store.forget(&wish.version);
            return;
        }
        let forecast = (outcome == RehearsalOutcome::Passed).then(|| {
            self.mind_rung(&mut account.measured);
            self.foretell(wish, &from, &account.measured)
        });
        let rehearsal = Rehearsal {
            version: wish.version.clone(),
            from: from.clone(),
            started: began,
            finished: Timestamp::now(),
            actor: wish.actor.clone(),
            outcome,
            steps: steps.unwrap_or_default(),
            problem,
            forecast,
            isolation: account.isolation,
            data_bytes: account.measured.data_bytes,
            expired: None,
        };
        if let Err(problem) = self.write_result(&rehearsal, &account.log) {
            tracing::error!(detail = problem.detail, "the result could not be kept");
        }
        self.forget_data_bytes();
        self.rehearsals.store.forget_before(&from);
    }

    /// The clone lies on a server of its own, and so may be protected in another way than the original, which is then timed.
    fn mind_rung(&self, measured: &mut Measured) {
        let original = rehearsal::chosen(self.database.rungs(false));
        if original.is_none_or(|original| Some(original.rung) == measured.rung) {
            return;
        }
        if let Some(timed) = rehearsal::chosen(self.database.rungs(true)) {
            tracing::info!(rung = timed.rung, of_clone = measured.rung, "timed apart");
            measured.protected_by(&timed);
        }
    }

    fn foretell(&self, wish: &Wish, from: &Version, measured: &Measured) -> Forecast {
        let release = self.releases.release(&wish.version);
        let update = self.hub.with_history(|history| history.next_id());
        let context = self.context(
            update,
            UpdateKind::Install,
            from,
            &wish.version,
            release.as_ref(),
            &|_, _, _| (),
        );
        let needed = crate::steps::check::needed(&context);
        let settings = self.settings.current();
        self.hub
            .with_history(|history| foretell(measured, &settings, history, needed))
    }
}

fn milliseconds(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// What the clone may take of the disk.
struct Disk {
    free_before: u64,
    may_take: u64,
}

impl Disk {
    /// Cheap while all is well: only when the disk has lost more than the clone may take is it measured whose that is.
    fn look(&self, root: &std::path::Path) -> Result<(), Problem> {
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
