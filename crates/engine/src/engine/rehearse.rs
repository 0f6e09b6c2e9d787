//! Rehearsals, the engine's side: one thread that waits for a wish, and looks after the worker until nothing of it is left.
//!
//! Before a worker is started it is on disk that the rehearsal was interrupted, unless an earlier one still counts; the result
//! takes its place in the end. So an engine that dies of a rehearsal does not begin the same one for ever.

use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{Timestamp, Zoned};
use semver::Version;

use super::Engine;
use crate::api::{
    Answer, Forecast, Offer, Problem, Progress, Rehearsal, RehearsalOutcome, RehearsalSettings,
    Rehearsing, Unit,
};
use crate::problem;
use crate::rehearsal::{self, Judge, Place, Schedule, Store, is_wanting};

mod conduct;

/// How often the thread looks at the clock and at what was found.
const LOOK: Duration = Duration::from_secs(1);
/// How long a rehearsal may take to be broken off. What is left is deleted after that.
const END_PATIENCE: Duration = Duration::from_secs(20);
/// How old the size of the data may be that decides whether it has grown too much: it means looking at every file.
const SIZE_AGE: Duration = Duration::from_secs(600);
/// Who asks for one that begins by itself.
const BY_ITSELF: &str = "obnova";

/// What the engine knows of rehearsals.
pub(crate) struct Rehearsals {
    place: Place,
    store: Store,
    /// Runs [`rehearsal::work`]: program and first arguments.
    worker: Vec<String>,
    slot: Mutex<Slot>,
    changed: Condvar,
    size: Mutex<Option<(Instant, u64)>>,
}

#[derive(Default)]
struct Slot {
    wish: Option<Wish>,
    running: Option<Run>,
    /// The engine ends.
    is_closed: bool,
    /// The thread has ended.
    is_over: bool,
    /// The last one that ended.
    rehearsed: Option<Rehearsal>,
}

#[derive(Debug, Clone)]
struct Wish {
    /// The version that it is for.
    version: Version,
    /// Those that lead there, in order; the last one is that.
    route: Vec<Version>,
    actor: String,
}

impl Wish {
    fn of(offer: &Offer, actor: String) -> Wish {
        let route = match offer.route.is_empty() {
            true => vec![offer.version.clone()],
            false => offer.route.clone(),
        };
        Wish {
            version: offer.version.clone(),
            route,
            actor,
        }
    }
}

/// A rehearsal that runs.
struct Run {
    rehearsing: Rehearsing,
    /// Set to break it off.
    cancel: Arc<AtomicBool>,
    /// Nothing of it runs any more; only its clone is still being deleted.
    is_dead: bool,
}

impl Rehearsals {
    pub(super) fn of(
        installation: &crate::installation::Installation,
        worker: Vec<String>,
    ) -> Rehearsals {
        Rehearsals {
            place: Place::of(installation),
            store: Store::of(installation),
            worker,
            slot: Mutex::default(),
            changed: Condvar::new(),
            size: Mutex::new(None),
        }
    }

    /// What runs a worker.
    pub(super) fn worker(&self) -> &[String] {
        &self.worker
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the engine ends.
    fn is_closed(&self) -> bool {
        self.lock().is_closed
    }

    /// Waits while something is so, up to the patience; `false` when it still is.
    fn wait_while(&self, mut so: impl FnMut(&Slot) -> bool) -> bool {
        let (slot, waited) = self
            .changed
            .wait_timeout_while(self.lock(), END_PATIENCE, |slot| so(slot))
            .unwrap_or_else(PoisonError::into_inner);
        drop(slot);
        !waited.timed_out()
    }

    fn change(&self, change: impl FnOnce(&mut Slot)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// The rehearsal that is running, until nothing is left of its clone.
    pub(super) fn rehearsing(&self) -> Option<Rehearsing> {
        let slot = self.lock();
        Some(slot.running.as_ref()?.rehearsing.clone())
    }

    /// The last one that ended.
    pub(super) fn rehearsed(&self) -> Option<Rehearsal> {
        self.lock().rehearsed.clone()
    }

    /// Waits until nothing is left of a clone whose rehearsal has ended, if that does not take too long.
    fn wait_deleted(&self) {
        self.wait_while(|slot| slot.running.as_ref().is_some_and(|run| run.is_dead));
    }

    /// Breaks off what runs, and returns when nothing of it does; its clone may still be being deleted then.
    ///
    /// # Errors
    /// `rehearsal-running`: something of it does not end.
    pub(super) fn break_off(&self) -> Result<(), Problem> {
        self.change(|slot| {
            if slot.wish.take().is_some() {
                // Nobody has begun with it.
                slot.running = None;
            }
            if let Some(run) = &slot.running {
                run.cancel.store(true, Ordering::Relaxed);
            }
        });
        let lives = |slot: &Slot| slot.running.as_ref().is_some_and(|run| !run.is_dead);
        match self.wait_while(lives) {
            true => Ok(()),
            false => {
                let version = self.rehearsing().map(|it| it.version.to_string());
                Err(Problem::new(problem::REHEARSAL_RUNNING)
                    .arg("version", version.unwrap_or_default()))
            }
        }
    }

    /// Lets the thread end, and waits for that.
    pub(crate) fn close(&self) {
        self.change(|slot| {
            slot.is_closed = true;
            if let Some(run) = &slot.running {
                run.cancel.store(true, Ordering::Relaxed);
            }
        });
        self.wait_while(|slot| !slot.is_over);
    }
}

impl Engine {
    /// What the thread does: sweeps, waits for wishes and makes some itself, until the engine ends.
    pub(crate) fn rehearse(&self) {
        self.clear_rehearsal();
        let mut schedule = Schedule::default();
        loop {
            let due = schedule.look(
                Zoned::now().datetime(),
                self.settings.current().rehearsal.daily_at,
            );
            let mut slot = self.rehearsals.lock();
            if slot.is_closed {
                slot.is_over = true;
                self.rehearsals.changed.notify_all();
                return;
            }
            let wish = slot.wish.take();
            drop(slot);
            if let Some(wish) = wish.or_else(|| self.own_wish(due)) {
                schedule.done();
                self.conduct(&wish);
                continue;
            }
            let idle = |slot: &mut Slot| slot.wish.is_none() && !slot.is_closed;
            drop(
                self.rehearsals
                    .changed
                    .wait_timeout_while(self.rehearsals.lock(), LOOK, idle),
            );
        }
    }

    /// Kills and deletes what an earlier engine's rehearsal left behind.
    fn clear_rehearsal(&self) {
        // Nobody waits for that. For all else of this thread somebody may.
        rehearsal::in_idle_class(true);
        let cleared = self.rehearsals.place.clear();
        rehearsal::in_idle_class(false);
        if let Err(error) = cleared {
            let path = self.rehearsals.place.root();
            tracing::warn!(path = %path.display(), %error, "a clone could not be removed");
        }
    }

    /// What begins by itself: a new version at once, any version at the daily hour.
    fn own_wish(&self, due: bool) -> Option<Wish> {
        let settings = self.settings.current().rehearsal;
        if !(due || settings.automatic) || self.lock_work().busy {
            return None;
        }
        let installed = self.installed().ok()?;
        let channel = self.settings.current().channel;
        let history = self.hub.with_history(Clone::clone);
        let check = self.releases.check(&installed, &channel, &history)?;
        let offer = self.with_rehearsal(check.offer?, &installed);
        if offer.route.is_empty() {
            return None;
        }
        if !due && !is_wanting(offer.rehearsal.as_ref(), Timestamp::now()) {
            return None;
        }
        let wish = Wish::of(&offer, BY_ITSELF.to_owned());
        // An update may have begun meanwhile; from here on it would break this off.
        let work = self.lock_work();
        let mut slot = self.rehearsals.lock();
        if work.busy || slot.running.is_some() || slot.is_closed {
            return None;
        }
        slot.running = Some(Run::new(&wish));
        Some(wish)
    }

    /// Takes a wish for a rehearsal.
    pub(super) fn wish_rehearsal(
        &self,
        version: Option<Version>,
        actor: String,
    ) -> Result<Answer, Problem> {
        let offer = self.offer(version)?;
        let in_the_way = |obstacle: &&Problem| !rehearsal::is_insistable(obstacle);
        if let Some(obstacle) = offer.obstacles.iter().find(in_the_way) {
            return Err(obstacle.clone());
        }
        let work = self.settled_work();
        if work.busy {
            let to = self.hub.with_history(|history| {
                let open = history.open()?;
                Some(open.to.to_string())
            });
            return Err(
                Problem::new(problem::UPDATE_RUNNING).arg("version", to.unwrap_or_default())
            );
        }
        let mut slot = self.rehearsals.lock();
        // The last one's clone may still be being deleted; this one waits for that.
        if let Some(run) = slot.running.as_ref().filter(|run| !run.is_dead) {
            return Err(
                Problem::new(problem::REHEARSAL_RUNNING).arg("version", &run.rehearsing.version)
            );
        }
        let wish = Wish::of(&offer, actor);
        slot.running = Some(Run::new(&wish));
        slot.wish = Some(wish);
        drop(slot);
        drop(work);
        self.rehearsals.changed.notify_all();
        self.state()
    }

    /// Breaks off the rehearsal that is running.
    pub(super) fn cancel_rehearsal(&self) -> Result<Answer, Problem> {
        self.rehearsals.break_off()?;
        self.rehearsals.wait_deleted();
        self.state()
    }

    /// What the newest rehearsal of a version said.
    pub(super) fn rehearsal_log(&self, version: &Version) -> Result<Answer, Problem> {
        let lines = self.rehearsals.store.log(version);
        lines.map(|lines| Answer::Log { lines }).ok_or_else(|| {
            Problem::new(problem::UNKNOWN_VERSION)
                .arg("version", version)
                .detail("this version was not rehearsed")
        })
    }

    /// The newest rehearsal of the last version of this route, and whether it counts.
    fn newest_rehearsal(&self, route: &[Version], installed: &Version) -> Option<Rehearsal> {
        let mut found = self.rehearsals.store.read(route.last()?)?;
        let settings: RehearsalSettings = self.settings.current().rehearsal;
        let judge = Judge {
            installed,
            route: Some(route),
            settings: &settings,
            now: Timestamp::now(),
            data_bytes: &|| self.data_bytes(),
        };
        found.expired = judge.expired(&found);
        Some(found)
    }

    /// Says in an offer what its rehearsal means for it.
    pub(super) fn with_rehearsal(&self, mut offer: Offer, installed: &Version) -> Offer {
        offer.rehearsal = self.newest_rehearsal(&offer.route, installed);
        let obstacle = offer.rehearsal.as_ref().and_then(rehearsal::blocking);
        offer.obstacles.extend(obstacle);
        let all = |obstacles: &[Problem]| obstacles.iter().all(rehearsal::is_insistable);
        offer.may_insist = !offer.obstacles.is_empty() && all(&offer.obstacles);
        offer
    }

    /// What a rehearsal that passed and counts has foretold of the update to the first version of this route, or of what is left of
    /// one.
    pub(super) fn foretold(&self, route: &[Version], from: &Version) -> Option<Forecast> {
        let known = self.rehearsals.store.read(route.last()?)?;
        let to = route.first()?;
        if known.from == *from {
            let newest = self.newest_rehearsal(route, from)?;
            return newest
                .foretold(from, to)
                .filter(|_| newest.expired.is_none())
                .cloned();
        }
        // One of the later versions of a click, whose first one has just been installed. What that has made of the data is in it.
        let settings = self.settings.current().rehearsal;
        let judge = Judge {
            installed: &known.from,
            route: None,
            settings: &settings,
            now: Timestamp::now(),
            data_bytes: &|| 0,
        };
        let is_left = known.route().ends_with(route);
        known
            .foretold(from, to)
            .filter(|_| is_left && judge.expired(&known).is_none())
            .cloned()
    }

    /// Bytes of database and data files, as of a while ago.
    fn data_bytes(&self) -> u64 {
        let mut size = self
            .rehearsals
            .size
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match *size {
            Some((at, bytes)) if at.elapsed() < SIZE_AGE => bytes,
            _ => {
                let bytes = rehearsal::data_bytes(
                    self.database.as_ref(),
                    &self.installation.data.directories,
                );
                *size = Some((Instant::now(), bytes));
                bytes
            }
        }
    }

    /// Looks at the size of the data anew when it is next asked for.
    pub(super) fn forget_data_bytes(&self) {
        *self
            .rehearsals
            .size
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Run {
    fn new(wish: &Wish) -> Run {
        let waiting = |step: &str| crate::api::StepState {
            step: step.to_owned(),
            status: crate::api::StepStatus::Waiting,
            failed: false,
            took_ms: None,
        };
        Run {
            rehearsing: Rehearsing {
                version: wish.version.clone(),
                route: wish.route.clone(),
                at: wish.route.first().cloned(),
                tried: Vec::new(),
                started: Timestamp::now(),
                actor: wish.actor.clone(),
                steps: rehearsal::step_names().into_iter().map(waiting).collect(),
                progress: None,
            },
            cancel: Arc::default(),
            is_dead: false,
        }
    }
}
