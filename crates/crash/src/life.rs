//! One life: from an installation that serves, over an update with faults in it, to the look at what has become of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::TryRecvError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use obnova_engine::api::{Answer, Event, Request};
use obnova_engine::client::Client;
use obnova_testkit::volume::Volume;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use crate::app::Contents;
use crate::fault::Fault;
use crate::faults;
use crate::invariants;
use crate::load::{Load, Shot};
use crate::moment::Moment;
use crate::place;
use crate::prepared;
use crate::round::{End, Outcome, Reference, Round, Scenario};
use crate::watch::Reached;
use crate::world::World;

/// An engine that is idle for so long has nothing more to do.
const SETTLED: Duration = Duration::from_millis(900);
/// What lasts until the update has ended is healed after so long, ended or not, with the CRM.
const LONGEST_FAULT: Duration = Duration::from_secs(25);
/// As [`World::patience`], for an installation with a planted defect that does not get on.
const PLANTED_PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks at whether it has come to the moment.
const LOOK: Duration = Duration::from_millis(4);

/// What the process of a life is told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// The round.
    pub round: Round,
    /// An empty directory for the installation.
    pub world: PathBuf,
    /// Where logs, the result, and what is kept of a failed round go.
    pub out: PathBuf,
    /// Prepared installations.
    pub prepared: PathBuf,
}

/// What is known at the end of a life.
pub struct Facts<'a> {
    /// What was done.
    pub round: &'a Round,
    /// The installation; it runs.
    pub world: &'a World,
    /// What was there before the update.
    pub before: &'a Contents,
    /// What an undisturbed update ended with.
    pub reference: Option<&'a Reference>,
    /// What is there now.
    pub now: &'a Contents,
    /// How it ended.
    pub end: End,
    /// Every request of the clients.
    pub shots: &'a [Shot],
    /// The newest event before the update.
    pub last_event: u64,
    /// The journal.
    pub events: &'a [Event],
    /// Mounts before anything ran.
    pub mounts: &'a [String],
    /// From when to when the kernel may have confirmed syncs that it never made.
    pub in_vain: &'a [(Instant, Instant)],
    /// Whether a mail may have come twice, under the same number: the centre or the mail server was struck.
    pub mails_may_repeat: bool,
    /// Whether the mail server said of some that it will never take them.
    pub mails_may_be_refused: bool,
}

/// The file of a reference in the prepared directory.
pub fn reference_name(scenario: Scenario) -> String {
    format!("reference-{}.json", scenario.name())
}

/// Lives it here, in namespaces that were made for it, and leaves `result.json`, and `reference.json` of an undisturbed one.
///
/// # Errors
/// The result cannot be written.
pub fn work(order: &Order) -> Result<()> {
    let mut outcome = Outcome::default();
    let (out, is_reference) = (
        place::out(),
        order.round.strikes.is_empty() && order.round.planted.is_none(),
    );
    let lived = live(order, &mut outcome);
    match lived {
        Ok(reference) if is_reference => {
            std::fs::write(out.join("reference.json"), serde_json::to_vec(&reference)?)?
        }
        Ok(_) => {}
        Err(error) => outcome.violations.push(format!("{error:#}")),
    }
    std::fs::write(
        out.join("result.json"),
        serde_json::to_vec_pretty(&outcome)?,
    )?;
    Ok(())
}

fn live(order: &Order, outcome: &mut Outcome) -> Result<Reference> {
    let round = &order.round;
    let mut faults = Vec::new();
    let mut needs = round.app.needs();
    for strike in &round.strikes {
        let fault = faults::named(&strike.fault)?;
        needs = needs.and(fault.needs())?;
        faults.push(fault);
    }
    let of_world = needs.volume.is_none().then_some(order.world.as_path());
    place::enter(of_world, &order.out, &order.prepared)?;
    let volume = match needs.volume {
        Some((kind, bytes)) => Some(Volume::new_at(kind, bytes, &place::world())?),
        None => None,
    };
    let base = match round.scenario {
        Scenario::Revert => prepared::UPDATED,
        _ => prepared::BASE,
    };
    prepared::copy(&place::prepared().join(base), &place::world())?;
    if volume.is_some() {
        // What was laid down is no part of what may be lost.
        place::run(
            std::process::Command::new("sync")
                .arg("-f")
                .arg(place::world()),
        )?;
    }
    let mut world = World::new(round.app.clone(), volume, round.planted)?;
    for fault in &faults {
        fault.prepare(&mut world)?;
    }
    world.start_outside()?;
    world.start_database()?;
    world.start()?;
    world.wait_until_up()?;
    let mounts = place::mounts()?;
    let before = world.contents()?;
    let file = place::prepared().join(reference_name(round.scenario));
    let reference: Option<Reference> = match std::fs::read(file) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes)?),
        Err(_) => None,
    };
    let load = Load::start(world.runtime(), &round.app, world.ports.front, "during")?;
    std::thread::sleep(Duration::from_millis(250));
    world.ask(&Request::Check)?;
    let last_event = world.state()?.last_event;
    let mut life = Life {
        round,
        world: &mut world,
        faults: &faults,
        random: StdRng::seed_from_u64(round.seed),
        struck: Vec::new(),
        heals: Vec::new(),
        outcome,
        is_answered: Arc::default(),
        began: BTreeMap::new(),
        in_vain: Vec::new(),
    };
    let began = Instant::now();
    life.strike_all()?;
    life.settle()?;
    life.outcome.took_ms = milliseconds(began.elapsed());
    let all = life.world.watch.changes().len() as u64;
    life.outcome.changes = all - life.outcome.changes;
    let struck = std::mem::take(&mut life.struck);
    let in_vain = std::mem::take(&mut life.in_vain);
    let changes = world.watch.changes();
    std::thread::sleep(Duration::from_millis(250));
    let shots = world.block_on(load.end())?;
    for (at, fault) in &struck {
        let again = shots
            .iter()
            .filter(|shot| shot.is_ok && shot.sent >= *at)
            .map(|shot| shot.done)
            .min()
            .with_context(|| format!("nothing was answered after {fault}"))?;
        // A fault that struck before it served again begins the wait anew.
        let last = struck.iter().map(|(at, _)| *at).filter(|at| *at <= again);
        let from = last.max().unwrap_or(*at);
        outcome.serve_again_ms.push(milliseconds(again - from));
    }
    look(
        Look {
            world: &world,
            faults: &faults,
            round,
            before,
            reference,
            shots,
            in_vain,
            last_event,
            mounts,
            changes,
        },
        outcome,
    )
}

struct Look<'a> {
    world: &'a World,
    faults: &'a [Box<dyn Fault>],
    round: &'a Round,
    before: Contents,
    reference: Option<Reference>,
    shots: Vec<Shot>,
    in_vain: Vec<(Instant, Instant)>,
    last_event: u64,
    mounts: Vec<String>,
    changes: Vec<crate::control::Change>,
}

fn look(look: Look<'_>, outcome: &mut Outcome) -> Result<Reference> {
    let now = look.world.contents()?;
    let version = now["installed"].clone();
    let end = match version == look.before["installed"] {
        true => End::Old,
        false => End::New,
    };
    outcome.end = Some(end);
    outcome.acknowledged = look
        .shots
        .iter()
        .filter(|shot| shot.is_ok && shot.write.is_some())
        .count();
    let events = look.world.events()?;
    let facts = Facts {
        round: look.round,
        world: look.world,
        before: &look.before,
        reference: look.reference.as_ref(),
        now: &now,
        end,
        shots: &look.shots,
        in_vain: &look.in_vain,
        last_event: look.last_event,
        events: &events,
        mounts: &look.mounts,
        mails_may_repeat: look.faults.iter().any(|fault| fault.repeats_mails()),
        mails_may_be_refused: look.faults.iter().any(|fault| fault.refuses_mails()),
    };
    let violations = invariants::running(&facts, &mut outcome.mails);
    outcome.violations.extend(violations);
    let paths = invariants::left_over::paths(&look.world.state_dir())?;
    outcome.violations.extend(invariants::ended(look.world)?);
    Ok(Reference {
        before: look.before,
        after: now,
        paths,
        changes: look.changes,
        took_ms: outcome.took_ms,
    })
}

struct Life<'a> {
    round: &'a Round,
    world: &'a mut World,
    faults: &'a [Box<dyn Fault>],
    random: StdRng,
    /// From when the time to serve again counts, and what struck.
    struck: Vec<(Instant, String)>,
    /// When to heal, if not at the end, and which fault.
    heals: Vec<(Option<Instant>, usize)>,
    outcome: &'a mut Outcome,
    /// The click was answered, or its engine has died: before that, idle means nothing.
    is_answered: Arc<AtomicBool>,
    /// When each fault struck.
    began: BTreeMap<usize, Instant>,
    /// As [`Facts::in_vain`].
    in_vain: Vec<(Instant, Instant)>,
}

impl Life<'_> {
    /// Clicks, and strikes one fault after the other as long as there is something to strike.
    fn strike_all(&mut self) -> Result<()> {
        let first = self.round.strikes.first().map(|strike| strike.moment);
        self.world.watch.clear();
        let mut reached = self.arm(first);
        let mut since = Instant::now();
        self.click();
        for index in 0..self.round.strikes.len() {
            let moment = self.round.strikes[index].moment;
            let standing = match self.wait(moment, since, &reached)? {
                Wait::Come(standing) => standing,
                Wait::Never => break,
            };
            let next = self
                .round
                .strikes
                .get(index + 1)
                .map(|strike| strike.moment);
            if let Some(standing) = &standing {
                let change = &standing.change;
                self.outcome.at.push(format!(
                    "{} {:?} {}",
                    change.kind,
                    change.when,
                    change
                        .path
                        .strip_prefix(&self.world.folder)
                        .unwrap_or(&change.path)
                        .display()
                ));
            }
            self.strike(index, standing.is_some())?;
            reached = self.arm(next);
            since = Instant::now();
            if let Some(standing) = standing {
                standing.go_on();
            }
        }
        self.world.watch.disarm();
        Ok(())
    }

    fn arm(&self, moment: Option<Moment>) -> std::sync::mpsc::Receiver<Reached> {
        self.world.watch.arm(match moment {
            Some(Moment::Change { number, when }) => Some((number, when)),
            _ => None,
        })
    }

    /// The engine may stand still, or die, before it answers.
    fn click(&self) {
        let client = Client::new(&self.world.state_dir());
        let request = match self.round.scenario {
            Scenario::Revert => Request::Revert {
                update: 1,
                actor: "harness".to_owned(),
            },
            _ => Request::Install {
                version: self.round.version().parse().ok(),
                actor: "harness".to_owned(),
                insist: true,
            },
        };
        let (note, is_answered) = (self.world.watch.clone(), Arc::clone(&self.is_answered));
        self.world.runtime().spawn(async move {
            match client.call(&request).await {
                Ok(Answer::Started { update }) => note.note(&format!("-- update {update}")),
                other => note.note(&format!("-- the click: {other:?}")),
            }
            is_answered.store(true, Ordering::Relaxed);
        });
    }

    fn strike(&mut self, index: usize, stands_still: bool) -> Result<()> {
        let fault = &self.faults[index];
        self.world.stands_still = stands_still;
        self.world.watch.note(&format!("-- {}", fault.name()));
        let at = Instant::now();
        // What it must be taken off from at the end.
        self.outcome.changes = self.world.watch.changes().len() as u64;
        self.began.insert(index, at);
        fault
            .strike(self.world, &mut self.random)
            .with_context(|| format!("{} could not be done", fault.name()))?;
        self.world.stands_still = false;
        let lasts = fault.lasts(&mut self.random);
        // Until the update has ended by itself, which is no time for anybody to go without an answer.
        let heal = at.checked_add(lasts);
        // Striking may take its time, as a machine does that starts.
        let counts_from = heal
            .filter(|_| fault.excuses_silence())
            .unwrap_or_else(Instant::now);
        self.struck.push((counts_from, fault.name().to_owned()));
        self.heals.push((heal, index));
        if lasts.is_zero() {
            self.heal_due(false)?;
        }
        Ok(())
    }

    /// Heals what is due; with `all`, what was to last to the end too, which is healed in any case when it has lasted too long.
    fn heal_due(&mut self, all: bool) -> Result<()> {
        let now = Instant::now();
        let longest = self.round.app.patience(LONGEST_FAULT);
        let has_lasted = |index: &usize| {
            let began = self.began.get(index);
            began.is_some_and(|began| began.elapsed() > longest)
        };
        let (due, later): (Vec<_>, Vec<_>) = self
            .heals
            .iter()
            .partition(|(at, index)| at.map_or(all || has_lasted(index), |at| at <= now));
        self.heals = later;
        for (_, index) in due {
            let fault = &self.faults[index];
            self.world
                .watch
                .note(&format!("-- {} is healed", fault.name()));
            fault
                .heal(self.world)
                .with_context(|| format!("{} could not be healed", fault.name()))?;
            if let Some(began) = self.began.get(&index).filter(|_| fault.syncs_in_vain()) {
                self.in_vain.push((*began, Instant::now()));
            }
        }
        Ok(())
    }

    fn wait(
        &mut self,
        moment: Moment,
        since: Instant,
        reached: &std::sync::mpsc::Receiver<Reached>,
    ) -> Result<Wait> {
        let until = since + self.patience();
        let mut idle_since = None::<Instant>;
        let mut looked = Instant::now();
        loop {
            self.heal_due(false)?;
            match moment {
                Moment::Instant { after_ms } => {
                    if since.elapsed() >= Duration::from_millis(after_ms) {
                        return Ok(Wait::Come(None));
                    }
                }
                Moment::Change { .. } => match reached.try_recv() {
                    Ok(standing) => return Ok(Wait::Come(Some(standing))),
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
                },
            }
            if looked.elapsed() > Duration::from_millis(100) {
                place::still_wanted()?;
                looked = Instant::now();
                let is_idle = self.is_idle();
                idle_since = is_idle.then(|| idle_since.unwrap_or_else(Instant::now));
            }
            let is_over = idle_since.is_some_and(|since| since.elapsed() > SETTLED * 3);
            if matches!(moment, Moment::Change { .. }) && is_over {
                return Ok(Wait::Never);
            }
            anyhow::ensure!(
                Instant::now() < until,
                "it neither came to {moment} nor settled"
            );
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until all faults are healed, nothing runs, and the application serves.
    fn settle(&mut self) -> Result<()> {
        let lasts_to_the_end =
            |heals: &[(Option<Instant>, usize)]| heals.iter().any(|(at, _)| at.is_none());
        while self.heals.iter().any(|(at, _)| at.is_some()) {
            self.heal_due(false)?;
            std::thread::sleep(LOOK);
        }
        if lasts_to_the_end(&self.heals) {
            self.wait_for_the_end();
        }
        self.heal_due(true)?;
        let mut until = Instant::now() + self.patience();
        let mut idle: Option<(Instant, u64)> = None;
        while !self.is_answered.load(Ordering::Relaxed) && Instant::now() < until {
            place::still_wanted()?;
            std::thread::sleep(LOOK);
        }
        let mut length = self.journal_length();
        loop {
            place::still_wanted()?;
            let looked = self
                .world
                .settled_state()
                .and_then(|state| self.world.served_version().map(|_| state.last_event));
            match looked {
                Ok(event) => match idle {
                    Some((since, last)) if last == event => {
                        if since.elapsed() > SETTLED {
                            return Ok(());
                        }
                    }
                    _ => idle = Some((Instant::now(), event)),
                },
                Err(error) => {
                    idle = None;
                    // Whoever gets on may take as long as it takes; an undoing that fails for ever writes no records.
                    let now = self.journal_length();
                    if self.round.planted.is_some() && now > length {
                        (length, until) = (now, Instant::now() + self.patience());
                    }
                    if Instant::now() > until {
                        return Err(error.context("it does not settle"));
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

impl Life<'_> {
    fn patience(&self) -> Duration {
        match self.round.planted {
            // Of a planted defect it is enough to see that something is wrong.
            Some(_) => PLANTED_PATIENCE,
            None => self.world.patience(),
        }
    }

    fn journal_length(&self) -> u64 {
        let journal = std::fs::metadata(self.world.state_dir().join("journal.jsonl"));
        journal.map_or(0, |journal| journal.len())
    }

    fn is_idle(&self) -> bool {
        self.is_answered.load(Ordering::Relaxed) && self.world.settled_state().is_ok()
    }

    /// Waits until no update runs, or it is clear that it does not end while the fault lasts.
    fn wait_for_the_end(&self) {
        let until = Instant::now() + self.round.app.patience(LONGEST_FAULT);
        let mut idle_since = None::<Instant>;
        while Instant::now() < until {
            let is_idle = self.is_idle();
            idle_since = is_idle.then(|| idle_since.unwrap_or_else(Instant::now));
            if idle_since.is_some_and(|since| since.elapsed() > SETTLED) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What became of waiting for a moment.
enum Wait {
    /// It has come; a process may stand at it.
    Come(Option<Reached>),
    /// It never comes: all is over.
    Never,
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
