//! Conducts one rehearsal from the download to the result.

mod limits;

use limits::{Disk, Limits};

use super::*;
use crate::api::{Hop, Isolation, StepState, StepStatus, UpdateKind};
use crate::launch::Start;
use crate::rehearsal::{
    Between, CLONE, DISCARD, DOWNLOAD, Measured, Reader, Task, Word, foretell, together,
    update_steps,
};
use crate::{log, report};

/// How often the worker's words are heard.
const POLL: Duration = Duration::from_millis(50);
/// How often the disk is looked at.
const DISK_LOOK: Duration = Duration::from_secs(1);
/// Records that are tried, and bytes of each.
const RECORDS: u32 = 5;
const RECORD_BYTES: usize = 256;
/// Lines of each of the clone's own logs that are kept.
const LOG_LINES: usize = 400;

/// What has become known of a rehearsal so far.
struct Account {
    outcome: Option<RehearsalOutcome>,
    problem: Option<Problem>,
    /// The version that failed.
    failed: Option<Version>,
    isolation: Isolation,
    /// Bytes of database and data files that were copied.
    data_bytes: u64,
    /// What was measured of each version on the way.
    measured: Vec<Measured>,
    /// Which of them is spoken of.
    at: usize,
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
            failed: None,
            isolation: Isolation::None,
            data_bytes: 0,
            measured: vec![Measured::default(); wish.route.len()],
            at: 0,
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
                run.rehearsing.progress = None;
                run.rehearsing.steps.push(StepState {
                    step: DISCARD.to_owned(),
                    status: StepStatus::Running,
                    failed: false,
                    took_ms: None,
                });
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
            route: wish.route.clone(),
            disk_bytes: settings.disk_bytes.unwrap_or(free / 2),
            unisolated: settings.unisolated,
            neutralise_seconds: settings.neutralise_seconds,
            launcher: self.service.launcher().to_vec(),
            worker: self.rehearsals.worker.clone(),
        };
        task.write(&place.task()).map_err(system)?;
        let child = self.start_worker(&task)?;
        let disk = Disk {
            free_before: free,
            may_take: task.disk_bytes,
        };
        let limits = Limits {
            disk,
            time: Duration::from_secs(settings.limit_seconds.into()),
            began: Instant::now(),
        };
        let ended = self.listen(child, cancel, account, &limits);
        ended.map_err(
            |problem| match problem.code == problem::REHEARSAL_TOO_LONG {
                true => problem.arg("version", &wish.version),
                false => problem,
            },
        )
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
            walk: Vec::new(),
            failed: None,
        };
        self.write_result(&rehearsal, &[])
    }

    /// Whether there is a rehearsal of this version that says something and counts.
    fn is_kept(&self, wish: &Wish, from: &Version) -> bool {
        self.newest_rehearsal(&wish.route, from)
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
        for version in &wish.route {
            self.fetch(version, cancel)?;
        }
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

    fn fetch(&self, version: &Version, cancel: &AtomicBool) -> Result<(), Problem> {
        let release = self
            .releases
            .release(version)
            .ok_or_else(|| Problem::new(problem::UNKNOWN_VERSION).arg("version", version))?;
        let mut progress = |done, total| self.tell_rehearsal(done, total, Unit::Bytes);
        let downloaded = self.releases.download(&release, &mut progress, cancel);
        if cancel.load(Ordering::Relaxed) {
            return Err(Problem::new(problem::REHEARSAL_BROKEN_OFF));
        }
        downloaded?;
        let installed = crate::step::installed(&self.installation, version)?;
        installed
            .verify(&self.installation.versions())
            .map_err(|error| {
                Problem::new(problem::RELEASE_DAMAGED)
                    .arg("version", version)
                    .detail(crate::step::chain(&error))
            })
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
        limits: &Limits,
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
                let root = self.rehearsals.place.root();
                if let Err(problem) = limits.disk.look(root).and_then(|()| limits.time()) {
                    break Err(problem);
                }
            }
            std::thread::sleep(POLL);
        };
        if result.is_err() {
            self.fail_running_step();
        }
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

    /// Where it was when it was broken off.
    fn fail_running_step(&self) {
        let steps = self.rehearsals.rehearsing().map(|it| it.steps);
        let running = |step: &StepState| step.status == StepStatus::Running;
        if let Some(step) = steps.unwrap_or_default().into_iter().find(running) {
            self.set_step(&step.step, StepStatus::Failed, None);
        }
    }

    /// The steps of the version that was tried so far are kept; what is shown are those of the next one.
    fn turn_to(&self, account: &mut Account, version: &Version) {
        self.rehearsals.change(|slot| {
            let Some(run) = &mut slot.running else { return };
            let route = &run.rehearsing.route;
            account.at = route.iter().position(|it| it == version).unwrap_or(0);
            let before = run.rehearsing.at.replace(version.clone());
            if account.at == 0 {
                return;
            }
            run.rehearsing.tried.extend(before.map(|version| Hop {
                version,
                steps: of_update(&run.rehearsing.steps),
                forecast: None,
            }));
            for step in run
                .rehearsing
                .steps
                .iter_mut()
                .filter(|it| is_of_update(it))
            {
                step.status = StepStatus::Waiting;
                step.took_ms = None;
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
            Word::Data { bytes } => account.data_bytes = bytes,
            Word::Version { version } => self.turn_to(account, &version),
            Word::Back { version } => {
                let route = self.rehearsals.rehearsing().map(|it| it.route);
                let place = route.and_then(|route| route.iter().position(|it| *it == version));
                account.at = place.unwrap_or(0);
            }
            Word::Grown { bytes } => account.measured().grown_bytes = bytes,
            Word::Note { .. } => {}
            Word::Rung { rung } => {
                for measured in &mut account.measured {
                    measured.rung = Some(rung.clone());
                }
            }
            Word::Undone { step, took_ms } => {
                account.measured().undone_ms.insert(step, took_ms);
            }
            Word::Started { step } => {
                account.step_began = Instant::now();
                self.set_step(&step, StepStatus::Running, None);
            }
            Word::Progress { done, total, unit } => self.tell_rehearsal(done, total, unit),
            Word::Finished { step, took_ms, .. } => {
                self.set_step(&step, StepStatus::Done, Some(took_ms));
                account.measured().took_ms.insert(step, took_ms);
            }
            Word::Failed { step, .. } => self.set_step(&step, StepStatus::Failed, None),
            Word::End {
                outcome,
                problem,
                failed,
            } => {
                account.outcome = Some(outcome);
                account.problem = problem;
                account.failed = failed;
            }
        }
    }

    /// What the clone's own programs said, before that is deleted with it.
    fn keep_logs(&self, account: &mut Account) {
        let place = &self.rehearsals.place;
        let state = place.state_dir();
        let migrations = (1..=account.measured.len()).map(|number| {
            let log = format!("log/migrate-{number}.log");
            ("migration", state.join(log))
        });
        let logs = [("worker", place.log())]
            .into_iter()
            .chain(migrations)
            .chain([("application", state.join("log/application.log"))]);
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
        let (tried, steps) = match self.rehearsals.rehearsing() {
            Some(running) => (running.tried, running.steps),
            None => (Vec::new(), Vec::new()),
        };
        let outcome = account.outcome.unwrap_or(RehearsalOutcome::NotMade);
        let problem = account.problem.take();
        tracing::info!(version = %wish.version, ?outcome, ?problem, "the rehearsal has ended");
        let is_broken_off = problem
            .as_ref()
            .is_some_and(|problem| problem.code == problem::REHEARSAL_BROKEN_OFF);
        let forecasts = match outcome {
            RehearsalOutcome::Passed => self.foretell(wish, &from, &mut account),
            RehearsalOutcome::Failed | RehearsalOutcome::NotMade => Vec::new(),
        };
        let rehearsal = Rehearsal {
            version: wish.version.clone(),
            from: from.clone(),
            started: began,
            finished: Timestamp::now(),
            actor: wish.actor.clone(),
            outcome,
            forecast: together(&forecasts),
            walk: walk(wish, tried, of_update(&steps), forecasts),
            failed: account.failed,
            steps,
            problem,
            isolation: account.isolation,
            data_bytes: account.data_bytes,
            expired: None,
        };
        self.rehearsals
            .change(|slot| slot.rehearsed = Some(rehearsal.clone()));
        if is_broken_off && self.is_kept(wish, &from) {
            return;
        }
        if is_broken_off && self.rehearsals.is_closed() {
            // The next engine may begin it again.
            self.rehearsals.store.forget(&wish.version);
            return;
        }
        if let Err(problem) = self.write_result(&rehearsal, &account.log) {
            tracing::error!(detail = problem.detail, "the result could not be kept");
        }
        self.forget_data_bytes();
        self.rehearsals.store.forget_before(&from);
    }

    /// The clone lies on a server of its own, and so may be protected in another way than the original, which is then timed.
    fn mind_rung(&self, all: &mut [Measured]) {
        let original = rehearsal::chosen(self.database.rungs(false));
        let is_same = |original: &crate::api::RungFacts| {
            let mut rungs = all.iter().map(|measured| measured.rung.as_ref());
            rungs.all(|rung| rung == Some(&original.rung))
        };
        if original.is_none_or(|original| is_same(&original)) {
            return;
        }
        if let Some(timed) = rehearsal::chosen(self.database.rungs(true)) {
            tracing::info!(rung = timed.rung, "timed apart");
            for measured in all {
                measured.protected_by(&timed);
            }
        }
    }

    /// What the update to each version on the way will take.
    fn foretell(&self, wish: &Wish, from: &Version, account: &mut Account) -> Vec<Forecast> {
        self.mind_rung(&mut account.measured);
        let between = Between {
            drain: self.traffic.drain(),
            record_ms: self.record_ms(),
        };
        account.log.push(between.spoken());
        let settings = self.settings.current();
        let before = std::iter::once(from).chain(&wish.route);
        let mut grown_bytes = 0;
        let mut forecasts = Vec::new();
        for ((to, from), measured) in wish.route.iter().zip(before).zip(&account.measured) {
            let needed = self.needed(from, to) + grown_bytes;
            forecasts.push(
                self.hub.with_history(|history| {
                    foretell(measured, &settings, history, &between, needed)
                }),
            );
            grown_bytes += measured.grown_bytes;
        }
        forecasts
    }

    /// Bytes that an update needs at most, with the data as they are now.
    fn needed(&self, from: &Version, to: &Version) -> u64 {
        let release = self.releases.release(to);
        let update = self.hub.with_history(|history| history.next_id());
        let kind = UpdateKind::Install;
        let progress = |_, _, _| ();
        let context = self.context(update, kind, from, to, release.as_ref(), &progress);
        crate::steps::check::needed(&context)
    }

    /// Milliseconds in which a record like the journal's reaches the disk. Tried a few times; none where it cannot be.
    fn record_ms(&self) -> f64 {
        let path = self.rehearsals.place.root().join("records");
        let line = [b'x'; RECORD_BYTES];
        let tried = || -> std::io::Result<f64> {
            let mut file = crate::durable::Append::open(&path, 0o600)?;
            let began = Instant::now();
            for _ in 0..RECORDS {
                file.append(&line)?;
            }
            Ok(began.elapsed().as_secs_f64() * 1000.0 / f64::from(RECORDS))
        };
        // The file goes with the clone.
        tried().unwrap_or_default()
    }
}

impl Account {
    /// What is measured of the version that is spoken of.
    fn measured(&mut self) -> &mut Measured {
        if self.measured.len() <= self.at {
            self.measured.resize(self.at + 1, Measured::default());
        }
        &mut self.measured[self.at]
    }
}

fn is_of_update(step: &StepState) -> bool {
    update_steps().iter().any(|it| it.name() == step.step)
}

fn of_update(steps: &[StepState]) -> Vec<StepState> {
    steps
        .iter()
        .filter(|it| is_of_update(it))
        .cloned()
        .collect()
}

/// What is kept of each version on the way; nothing where there is only one, of which all else speaks.
fn walk(wish: &Wish, tried: Vec<Hop>, last: Vec<StepState>, forecasts: Vec<Forecast>) -> Vec<Hop> {
    if wish.route.len() < 2 {
        return Vec::new();
    }
    let before = tried.into_iter().map(|hop| hop.steps);
    let mut steps = before.chain(std::iter::once(last));
    let mut forecasts = forecasts.into_iter();
    let hop = |version: &Version| Hop {
        version: version.clone(),
        steps: steps.next().unwrap_or_default(),
        forecast: forecasts.next(),
    };
    wish.route.iter().map(hop).collect()
}

fn milliseconds(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
