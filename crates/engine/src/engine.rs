//! The engine: answers requests, runs updates one at a time, keeps the application running, and begins by recovering.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use obnova_release::{Description, VerifiedRelease};
use semver::Version;

use crate::api::{Answer, EventKind, Problem, Progress, Request, Unit, UpdateId, UpdateKind};
use crate::application;
use crate::database::{self, Database};
use crate::durable;
use crate::hub::Hub;
use crate::installation::{Installation, USED};
use crate::journal::Observer;
use crate::plan;
use crate::problem;
use crate::recovery::{Recovery, decide};
use crate::releases::Releases;
use crate::reserve;
use crate::service::{self, Service};
use crate::settings;
use crate::state::{History, Update};
use crate::step::Context;
use crate::steps;
use crate::traffic::Traffic;
use crate::update::{self, End};

mod answers;
mod desktops;
mod examine;
mod rehearse;
mod reverts;
mod trash;

pub(crate) use rehearse::Rehearsals;

/// How often the application is looked after.
const LOOK_AFTER: Duration = Duration::from_millis(300);
/// How long a request for an update waits for the worker to be done with the one before.
const SETTLE_PATIENCE: Duration = Duration::from_secs(10);
/// Shortest pause between two reports of progress.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);
/// How often it is looked which protected copies have become too old.
const A_DAY: Duration = Duration::from_secs(86_400);
/// How soon that is done after an update, and after the engine's own start.
const SOON: Duration = Duration::from_secs(2);
/// Longest pause between two attempts to start an application that does not come up.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How an engine is run.
pub struct Options {
    /// Program and first arguments that run [`crate::launch::run`] with the arguments after them.
    pub launcher: Vec<String>,
    /// Program and first arguments that run [`crate::rehearsal::work`] with the arguments after them.
    pub worker: Vec<String>,
    /// Told around every append to the journal; for tests.
    pub observer: Option<Observer>,
}

/// An engine.
pub struct Engine {
    pub(crate) installation: Installation,
    pub(crate) hub: Hub,
    pub(crate) traffic: Traffic,
    pub(crate) settings: settings::Store,
    pub(crate) releases: Releases,
    pub(crate) database: Box<dyn Database>,
    pub(crate) service: Box<dyn Service>,
    pub(crate) rehearsals: Rehearsals,
    /// Nothing is removed in the background any more.
    is_over: AtomicBool,
    installed_facts: Mutex<Option<Description>>,
    work: Mutex<Work>,
    wake: Condvar,
    cancelled: AtomicBool,
    /// Only one engine works on a state directory.
    _lock: durable::Lock,
}

/// What the worker is to do.
#[derive(Debug, Default)]
struct Work {
    /// An update is in the journal and to be run, or running.
    busy: bool,
    end: Option<EndKind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EndKind {
    LeaveApplication,
    StopApplication,
}

impl Engine {
    /// Opens an installation. Nothing is done yet but reading.
    ///
    /// # Errors
    /// `configuration`, `system`: it is not usable, or another engine works on it.
    pub fn open(installation: Installation, options: Options) -> Result<Arc<Engine>, Problem> {
        installation.whole()?;
        let lock = lock(&installation)?;
        let settings = settings::Store::open(&installation)?;
        let hub = Hub::open(&installation.journal(), options.observer)?;
        let engine = Engine {
            traffic: Traffic::holding(settings.current().hold),
            settings,
            releases: Releases::open(&installation)?,
            database: database::open(&installation),
            service: service::open(&installation, options.launcher),
            rehearsals: Rehearsals::of(&installation, options.worker),
            work: Mutex::new(Work {
                busy: hub.with_history(|history| history.open().is_some()),
                end: None,
            }),
            is_over: AtomicBool::new(false),
            installed_facts: Mutex::new(None),
            wake: Condvar::new(),
            cancelled: AtomicBool::new(false),
            hub,
            installation,
            _lock: lock,
        };
        Ok(Arc::new(engine))
    }

    /// Works until told to end: recovers, then runs updates and looks after the application.
    pub fn work(&self) {
        let mut failures = 0;
        let mut not_before = Instant::now();
        let mut keep_to_rule = Instant::now() + SOON;
        loop {
            self.go_on_with_click();
            if self.hub.with_history(|history| history.open().is_some()) {
                self.finish_open_update();
                failures = 0;
                not_before = Instant::now();
                keep_to_rule = Instant::now() + SOON;
            } else if Instant::now() >= keep_to_rule {
                self.keep_to_rule();
                reserve::make_last(&self.installation.state_dir);
                keep_to_rule = Instant::now() + A_DAY;
            } else if Instant::now() >= not_before {
                failures = if self.look_after() { 0 } else { failures + 1 };
                let pause = Duration::from_secs(1) * 2_u32.saturating_pow(failures.min(5));
                not_before = Instant::now()
                    + if failures == 0 {
                        Duration::ZERO
                    } else {
                        pause.min(LONGEST_PAUSE)
                    };
            }
            let mut work = self.lock_work();
            if self.hub.with_history(|history| history.open().is_none()) {
                work.busy = false;
                self.wake.notify_all();
            }
            if work.end.is_none() && !work.busy {
                work = match self.wake.wait_timeout(work, LOOK_AFTER) {
                    Ok((work, _)) => work,
                    Err(poisoned) => poisoned.into_inner().0,
                };
            }
            if let Some(end) = work.end {
                drop(work);
                self.finish(end);
                return;
            }
        }
    }

    /// Asks the worker to end. A running update is left to the next engine to finish or undo.
    pub fn shut_down(&self, stop_application: bool) {
        let mut work = self.lock_work();
        work.end = Some(if stop_application {
            EndKind::StopApplication
        } else {
            EndKind::LeaveApplication
        });
        self.cancelled.store(true, Ordering::Relaxed);
        self.wake.notify_all();
    }

    /// Answers a request that has one answer.
    pub fn answer(&self, request: Request) -> Answer {
        let answer = match request {
            Request::State => self.state(),
            Request::Check => {
                self.releases.refresh();
                self.forget_data_bytes();
                self.state()
            }
            Request::Plan { version } => self.dry_run(version),
            Request::Install {
                version,
                actor,
                insist,
            } => self.install(version, &actor, insist),
            Request::RevertPlan => self.revert_plan(),
            Request::Export { directory } => self.export(&directory),
            Request::Revert { update, actor } => self.revert(update, &actor),
            Request::Copies => Ok(self.copies()),
            Request::DeleteCopy { update } => self.delete_copy(update),
            Request::Rehearse { version, actor } => self.wish_rehearsal(version, actor),
            Request::CancelRehearsal => self.cancel_rehearsal(),
            Request::RehearsalLog { version } => self.rehearsal_log(&version),
            Request::History => Ok(self.history()),
            Request::Report { update } => self.report(update),
            Request::Recover => {
                self.wake.notify_all();
                self.state()
            }
            Request::Settings => Ok(Answer::Settings(self.settings.current())),
            Request::Configure(settings) => self.settings.change(settings).map(Answer::Settings),
            Request::Shutdown { stop_application } => {
                self.shut_down(stop_application);
                self.state()
            }
            Request::Doctor { measure } => self.examine(measure),
            Request::Events { .. } | Request::Traffic => Err(Problem::new(problem::BAD_REQUEST)),
        };
        answer.unwrap_or_else(Answer::Problem)
    }

    fn lock_work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An update has ended for everybody else a moment before the worker is done with it: that moment is waited for.
    fn settled_work(&self) -> MutexGuard<'_, Work> {
        let is_ending = |work: &mut Work| {
            work.busy && self.hub.with_history(|history| history.open().is_none())
        };
        let waited = self
            .wake
            .wait_timeout_while(self.lock_work(), SETTLE_PATIENCE, is_ending);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn context<'a>(
        &'a self,
        update: UpdateId,
        kind: UpdateKind,
        from: &'a Version,
        to: &'a Version,
        release: Option<&'a VerifiedRelease>,
        progress: &'a (dyn Fn(u64, u64, Unit) + Sync),
    ) -> Context<'a> {
        Context {
            installation: &self.installation,
            update,
            kind,
            from,
            to,
            release,
            releases: &self.releases,
            database: self.database.as_ref(),
            service: self.service.as_ref(),
            traffic: &self.traffic,
            hold: self.settings.current().hold,
            keeping: self.keeping(),
            data_files: Default::default(),
            deadline: None,
            progress,
            cancelled: &self.cancelled,
        }
    }

    /// Journals the start of an update and wakes the worker.
    fn install(
        &self,
        version: Option<Version>,
        actor: &str,
        insist: bool,
    ) -> Result<Answer, Problem> {
        let mut work = self.settled_work();
        if work.busy {
            let to = |history: &History| Some(history.open()?.to.to_string());
            let to = self.hub.with_history(to).unwrap_or_default();
            return Err(Problem::new(problem::UPDATE_RUNNING).arg("version", to));
        }
        let route = plan::route(self.offer(version)?, insist)?;
        // What the update is for goes first.
        self.rehearsals.break_off()?;
        let update = self.start_hop(&route, 1, actor)?;
        work.busy = true;
        self.wake.notify_all();
        Ok(Answer::Started { update })
    }

    fn start_hop(&self, route: &[Version], hop: u32, actor: &str) -> Result<UpdateId, Problem> {
        let (to, then) = route
            .split_first()
            .ok_or_else(|| Problem::new(problem::NOTHING_TO_INSTALL))?;
        let update = self.hub.with_history(|history| history.next_id());
        let (from, to, then, actor) = (
            self.installed()?,
            to.clone(),
            then.to_vec(),
            actor.to_owned(),
        );
        let forecast = self.foretold(route, &from);
        let kind = EventKind::UpdateStarted {
            from,
            to,
            then,
            hop,
            actor,
            kind: UpdateKind::Install,
            forecast,
        };
        match self.hub.append(update, kind) {
            Ok(_) => Ok(update),
            Err(error) => {
                let path = self.installation.journal();
                Err(Problem::new(problem::SYSTEM)
                    .arg("path", path.display())
                    .detail(crate::step::chain(&error)))
            }
        }
    }

    /// Removes what an engine that was killed did not come to remove. Before anybody else writes: a change of the settings that
    /// somebody asks for has a temporary file for a moment, too.
    pub(crate) fn sweep(&self) {
        let state_dir = self.installation.state_dir.clone();
        let root = self.installation.protected_root();
        // What is kept is written to until its update has ended.
        let kept = std::fs::read_dir(&root).into_iter().flatten().flatten();
        let mut directories = vec![state_dir.join("rehearsals"), state_dir, root.clone()];
        directories.push(self.installation.versions());
        // The database's drivers keep notes beside their copies.
        directories.extend(kept.flat_map(|entry| [entry.path(), entry.path().join("database")]));
        for directory in directories.iter().filter(|it| it.is_dir()) {
            if let Err(error) = durable::remove_temporaries(directory) {
                tracing::warn!(%error, "left-overs could not be removed");
            }
        }
        if self.hub.with_history(|history| history.open().is_none()) {
            reserve::give_back_all(&self.installation.state_dir);
        }
        // That of an open update says that users have worked with the version before since.
        let open = self
            .hub
            .with_history(|history| history.open().map(|update| update.id));
        let open = open.map(|id| format!("{id}{USED}"));
        let keep = |name: &str| !name.ends_with(USED) || open.as_deref() == Some(name);
        steps::clean::throw_away_but(self.database.as_ref(), &root, &keep);
    }

    /// Runs a new update, or finishes or undoes an interrupted one; then the versions that follow in the same click.
    fn finish_open_update(&self) {
        while let Some(update) = self.hub.with_history(|history| history.open().cloned()) {
            if self.run(&update) != End::Completed {
                return;
            }
            self.go_on_with_click();
        }
    }

    /// Begins the next version of a click whose last version is installed; also when an engine before this one came no further.
    fn go_on_with_click(&self) {
        // Nobody may begin another one meanwhile.
        let mut work = self.lock_work();
        let Some(last) = self
            .hub
            .with_history(|history| history.unfinished_click().cloned())
        else {
            return;
        };
        match self.start_hop(&last.then, last.hop + 1, &last.actor) {
            Ok(_) => work.busy = true,
            Err(problem) => tracing::error!(
                code = problem.code,
                detail = problem.detail,
                "the next version could not be begun"
            ),
        }
    }

    fn run(&self, update: &Update) -> End {
        let decision = match decide(Some(update)) {
            // Nothing was begun: this is not a recovery, or as good as none.
            Recovery::RollBack { step: None } => Recovery::RollForward,
            // The journal could not be written while it was undone, and users have worked with the version before since.
            Recovery::RollForward if self.installation.used(update.id).exists() => {
                Recovery::RollBack {
                    step: update.steps.last().map(|step| step.name.clone()),
                }
            }
            decision => decision,
        };
        tracing::info!(update = update.id, from = %update.from, to = %update.to, ?decision, "update");
        let release = self
            .releases
            .release(&update.to)
            .filter(|_| update.kind.is_install());
        let told = Mutex::new(None::<Instant>);
        let progress = |done, total, unit| {
            // Often enough for an eye, and no more: every one wakes all followers.
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.is_some_and(|last| last.elapsed() < PROGRESS_PAUSE) {
                return;
            }
            *told = Some(Instant::now());
            self.tell_progress(update.id, done, total, unit);
        };
        let mut context = self.context(
            update.id,
            update.kind,
            &update.from,
            &update.to,
            release.as_ref(),
            &progress,
        );
        context.hold = steps::hold::limits(context.hold, update.forecast.as_ref());
        match decision {
            Recovery::NothingToDo => End::Completed,
            Recovery::RollForward => {
                let deadline =
                    settings::deadline(&self.settings.current(), update.forecast.as_ref());
                update::forwards(&self.hub, &mut context, deadline)
            }
            Recovery::ContinueBack => update::back(&self.hub, &context, None),
            Recovery::RollBack { step } => {
                let name = step.unwrap_or_default();
                let problem = Problem::new(problem::INTERRUPTED).arg("step", &name);
                let steps = steps::of(update.kind);
                let step = steps
                    .iter()
                    .find(|step| step.name() == name)
                    .unwrap_or(&steps[0]);
                update::back(&self.hub, &context, Some((*step, problem)))
            }
        }
    }

    fn tell_progress(&self, update: UpdateId, done: u64, total: u64, unit: Unit) {
        let running = |history: &History| Some(history.open()?.steps.last()?.name.clone());
        if let Some(step) = self.hub.with_history(running) {
            self.hub.progress(Progress {
                update,
                step,
                done,
                total,
                unit,
            });
        }
    }

    /// Keeps the installed version running and the fronts on it. `false` when it does not come up.
    fn look_after(&self) -> bool {
        let Ok(Some(installed)) = application::installed(&self.installation) else {
            return true;
        };
        let found = match self.service.look() {
            Ok(found) => found,
            // It may serve as ever: what the fronts were told last stays, and it is looked at again.
            Err(_) => return true,
        };
        if let Some(running) = found.filter(|running| running.version == installed) {
            self.service.tend();
            if self.traffic.upstream() != Some(running.address()) {
                self.traffic.pass(running.address());
            }
            return true;
        }
        self.traffic
            .hold(self.settings.current().hold, None, Duration::ZERO, &|_| ());
        match application::ensure_running(
            &self.installation,
            self.database.as_ref(),
            self.service.as_ref(),
            &installed,
        ) {
            Ok(running) => {
                self.traffic.pass(running.address());
                true
            }
            Err(problem) => {
                tracing::error!(
                    code = problem.code,
                    detail = problem.detail,
                    "the application does not come up"
                );
                false
            }
        }
    }

    fn finish(&self, end: EndKind) {
        if end == EndKind::StopApplication {
            self.traffic
                .hold(self.settings.current().hold, None, Duration::ZERO, &|_| ());
            let running = self.service.running();
            let facts = running.and_then(|running| {
                crate::step::installed(&self.installation, &running.version).ok()
            });
            let stop = facts.map_or_else(obnova_release::Stop::default, |facts| {
                facts.description.server.stop
            });
            if let Err(problem) = self.service.stop(&stop, Duration::MAX) {
                tracing::error!(
                    code = problem.code,
                    detail = problem.detail,
                    "the application could not be stopped"
                );
            }
        }
        self.hub.close();
    }

    /// Whether the engine is to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.lock_work().end.is_some()
    }
}

/// The directory of logs. Whatever the application prints is there, a secret of its own perhaps: it is for nobody else to read.
pub(crate) fn make_logs(installation: &Installation) -> std::io::Result<()> {
    let logs = installation.logs();
    durable::create_dir_all(&logs).and_then(|()| durable::set_mode(&logs, 0o700))
}

fn lock(installation: &Installation) -> Result<durable::Lock, Problem> {
    let path = installation.state_dir.join("engine.lock");
    let system = |error: std::io::Error| {
        Problem::new(problem::SYSTEM)
            .arg("path", path.display())
            .detail(error)
    };
    durable::create_dir_all(&installation.state_dir).map_err(system)?;
    make_logs(installation).map_err(system)?;
    durable::create_dir_all(&installation.versions()).map_err(system)?;
    // Copies lie here outside the directories that may keep others from the originals.
    let protected = installation.protected_root();
    durable::create_dir_all(&protected)
        .and_then(|()| durable::set_mode(&protected, 0o700))
        .map_err(system)?;
    durable::Lock::try_take(&path).map_err(system)
}
