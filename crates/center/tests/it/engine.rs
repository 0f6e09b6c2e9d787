//! An engine for tests and for looking at pages: a real Unix socket that speaks `obnova_engine::api`, with a state that the
//! test sets, and an installation that only pretends, at a pace of the test's choice.
#![allow(dead_code, reason = "each user of this file needs another part of it")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use obnova_engine::api::*;
use obnova_engine::problem;
use semver::Version;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// The steps of an update, as the real engine names them.
pub const STEPS: [&str; 15] = [
    "check",
    "download",
    "prepare",
    "announce",
    "hold",
    "stop",
    "protect_database",
    "protect_files",
    "migrate",
    "switch",
    "start",
    "verify",
    "release_traffic",
    "commit",
    "clean",
];

/// What the engine knows and what it was asked.
pub struct Facts {
    pub state: State,
    /// What a look at the repository finds.
    pub finds: Check,
    pub events: Vec<Event>,
    pub history: Vec<UpdateSummary>,
    pub settings: Settings,
    /// Every installation asked for: version, actor, insist.
    pub installs: Vec<(Option<Version>, String, bool)>,
    /// How a rehearsal ends.
    pub rehearsals: RehearsalOutcome,
    pub copies: Vec<ProtectedCopy>,
    /// What going back would lose; without it there is nothing to go back to.
    pub revert_plan: Option<RevertPlan>,
    /// Every way back asked for.
    pub reverts: Vec<(u64, String)>,
    /// Directories that data was put into.
    pub exports: Vec<std::path::PathBuf>,
    /// How long an export takes.
    pub export_takes: Duration,
    /// How long a pretended step takes.
    pub pace: Duration,
    /// The version whose migration fails.
    pub fails: Option<Version>,
}

/// A running fake engine; ends when dropped.
pub struct Engine {
    facts: Arc<Mutex<Facts>>,
    count: watch::Sender<u64>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Engine {
    /// Listens in this state directory.
    pub fn start(state_dir: &Path) -> Engine {
        let path = state_dir.join(SOCKET_NAME);
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(path).unwrap();
        let facts = Arc::new(Mutex::new(facts()));
        let (count, counted) = watch::channel(0);
        let shared = Shared {
            facts: facts.clone(),
            count: count.clone(),
            counted,
        };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(shared.clone().serve(stream));
            }
        });
        Engine { facts, count, task }
    }

    pub fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap()
    }

    /// Changes the state and wakes those who follow, as an event would.
    pub fn change(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts());
        self.count.send_modify(|count| *count += 1);
    }
}

#[derive(Clone)]
struct Shared {
    facts: Arc<Mutex<Facts>>,
    count: watch::Sender<u64>,
    counted: watch::Receiver<u64>,
}

impl Shared {
    async fn serve(self, stream: UnixStream) {
        let (read, mut write) = stream.into_split();
        let mut line = String::new();
        if BufReader::new(read).read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let answer = match serde_json::from_str(&line) {
            Ok(Request::Events { after, follow }) => {
                return self.events(after, follow, &mut write).await;
            }
            Ok(request) => {
                if let Request::Export { .. } = &request {
                    let takes = self.facts().export_takes;
                    tokio::time::sleep(takes).await;
                }
                self.answer(request)
            }
            Err(error) => Answer::Problem(Problem::new(problem::BAD_REQUEST).detail(error)),
        };
        let mut line = serde_json::to_vec(&answer).unwrap();
        line.push(b'\n');
        let _ = write.write_all(&line).await;
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap()
    }

    fn answer(&self, request: Request) -> Answer {
        let mut facts = self.facts();
        match request {
            Request::Check => {
                let mut found = facts.finds.clone();
                found.at = Timestamp::now();
                facts.state.check = Some(found);
                Answer::State(Box::new(facts.state.clone()))
            }
            Request::Plan { version } => plan(&facts, version),
            Request::Install {
                version,
                actor,
                insist,
            } => {
                drop(facts);
                self.install(version, actor, insist)
            }
            Request::History => Answer::History {
                updates: facts.history.clone(),
            },
            Request::Report { update } => report(&facts, update),
            Request::Settings => Answer::Settings(facts.settings.clone()),
            Request::Configure(settings) => {
                facts.settings = settings.clone();
                Answer::Settings(settings)
            }
            Request::Rehearse { version, actor } => {
                drop(facts);
                self.rehearse(version, actor)
            }
            Request::CancelRehearsal => {
                facts.state.rehearsing = None;
                Answer::State(Box::new(facts.state.clone()))
            }
            Request::RehearsalLog { version } => match version.major {
                1 => Answer::Log {
                    lines: vec![
                        "migrating contacts".into(),
                        "<script>alert('log')</script>".into(),
                    ],
                },
                _ => {
                    Answer::Problem(Problem::new(problem::UNKNOWN_VERSION).arg("version", version))
                }
            },
            Request::Copies => Answer::Copies {
                copies: facts.copies.clone(),
            },
            Request::DeleteCopy { update } => {
                let is_last = |copy: &ProtectedCopy| copy.update == update && copy.is_last;
                if facts.copies.iter().any(is_last) {
                    return Answer::Problem(Problem::new(problem::LAST_COPY).arg("update", update));
                }
                facts.copies.retain(|copy| copy.update != update);
                Answer::Copies {
                    copies: facts.copies.clone(),
                }
            }
            Request::RevertPlan => match &facts.revert_plan {
                Some(plan) => Answer::RevertPlan(Box::new(plan.clone())),
                None => Answer::Problem(Problem::new(problem::NOTHING_TO_REVERT)),
            },
            Request::Export { directory } => {
                facts.exports.push(directory.clone());
                Answer::Exported(Exported {
                    directory,
                    bytes: 12_300_000,
                })
            }
            Request::Revert { update, actor } => {
                facts.reverts.push((update, actor.clone()));
                let Some(plan) = facts.revert_plan.clone() else {
                    return Answer::Problem(Problem::new(problem::NOTHING_TO_REVERT));
                };
                drop(facts);
                let kind = UpdateKind::Revert { of: update };
                self.begin(plan.to, actor, kind)
            }
            _ => Answer::State(Box::new(facts.state.clone())),
        }
    }

    async fn events(
        mut self,
        mut after: u64,
        follow: bool,
        write: &mut tokio::net::unix::OwnedWriteHalf,
    ) {
        loop {
            self.counted.mark_unchanged();
            let new: Vec<Event> = self
                .facts()
                .events
                .iter()
                .filter(|event| event.number > after)
                .cloned()
                .collect();
            for event in new {
                after = event.number;
                let mut line = serde_json::to_vec(&Line::Event(event)).unwrap();
                line.push(b'\n');
                if write.write_all(&line).await.is_err() {
                    return;
                }
            }
            if !follow || self.counted.changed().await.is_err() {
                return;
            }
        }
    }

    fn install(&self, version: Option<Version>, actor: String, insist: bool) -> Answer {
        let mut facts = self.facts();
        facts
            .installs
            .push((version.clone(), actor.clone(), insist));
        let Some(offer) = facts
            .state
            .check
            .as_ref()
            .and_then(|check| check.offer.clone())
        else {
            return Answer::Problem(Problem::new(problem::NOTHING_TO_INSTALL));
        };
        let to = version.unwrap_or(offer.version);
        drop(facts);
        self.begin(to, actor, UpdateKind::Install)
    }

    fn begin(&self, to: Version, actor: String, kind: UpdateKind) -> Answer {
        let mut facts = self.facts();
        if !matches!(facts.state.phase, Phase::Idle) {
            return Answer::Problem(Problem::new(problem::UPDATE_RUNNING).arg("version", to));
        }
        let forecast = facts
            .state
            .check
            .as_ref()
            .and_then(|check| check.offer.as_ref()?.rehearsal.as_ref()?.forecast.clone());
        let update = facts.history.len() as u64 + 1;
        let from = facts.state.installed.clone();
        let running = Running {
            update,
            from: from.clone(),
            to: to.clone(),
            then: vec![],
            actor: actor.clone(),
            started: Timestamp::now(),
            steps: STEPS.iter().map(|step| waiting(step)).collect(),
            progress: None,
            problem: None,
            kind,
            forecast: forecast.clone(),
        };
        facts.state.phase = Phase::Updating(running);
        drop(facts);
        self.log(
            update,
            EventKind::UpdateStarted {
                from,
                to,
                then: vec![],
                hop: 1,
                actor,
                kind,
                forecast,
            },
        );
        tokio::spawn(self.clone().pretend(update));
        Answer::Started { update }
    }

    fn rehearse(&self, version: Option<Version>, actor: String) -> Answer {
        let mut facts = self.facts();
        if facts.state.rehearsing.is_some() {
            return Answer::Problem(
                Problem::new(problem::REHEARSAL_RUNNING).arg("version", "1.1.0"),
            );
        }
        let version = version.unwrap_or(Version::new(1, 1, 0));
        facts.state.rehearsing = Some(Rehearsing {
            route: vec![version.clone()],
            at: Some(version.clone()),
            tried: Vec::new(),
            version,
            started: Timestamp::now(),
            actor,
            steps: REHEARSAL.iter().map(|step| waiting(step)).collect(),
            progress: None,
        });
        let state = facts.state.clone();
        tokio::spawn(self.clone().pretend_rehearsal());
        Answer::State(Box::new(state))
    }

    /// Every step in turn; a rehearsal that fails does so at its end.
    async fn pretend_rehearsal(self) {
        let pace = self.facts().pace;
        for index in 0..REHEARSAL.len() {
            let set = |status| {
                let mut facts = self.facts();
                let Some(running) = &mut facts.state.rehearsing else {
                    return false;
                };
                running.steps[index].status = status;
                running.steps[index].took_ms = Some(pace.as_millis() as u64);
                true
            };
            if !set(StepStatus::Running) {
                return;
            }
            tokio::time::sleep(pace).await;
            if !set(StepStatus::Done) {
                return;
            }
        }
        let mut facts = self.facts();
        let Some(running) = facts.state.rehearsing.take() else {
            return;
        };
        let done = rehearsal(facts.rehearsals, &running.actor);
        let failed = done.outcome == RehearsalOutcome::Failed;
        let obstacle = Problem::new(problem::REHEARSAL_FAILED).arg("version", &running.version);
        let known = facts.state.check.clone().unwrap_or(found(Some(offer())));
        facts.state.check = Some(known);
        let Facts { state, finds, .. } = &mut *facts;
        for check in [state.check.as_mut().unwrap(), finds] {
            let Some(offer) = &mut check.offer else {
                continue;
            };
            offer.rehearsal = Some(done.clone());
            offer.obstacles = match failed {
                true => vec![obstacle.clone()],
                false => vec![],
            };
            offer.may_insist = failed;
        }
    }

    fn log(&self, update: u64, kind: EventKind) {
        let mut facts = self.facts();
        let number = facts.events.len() as u64 + 1;
        facts.events.push(Event {
            number,
            at: Timestamp::now(),
            update,
            kind,
        });
        facts.state.last_event = number;
        drop(facts);
        self.count.send_modify(|count| *count += 1);
    }

    fn running<T>(&self, change: impl FnOnce(&mut Running) -> T) -> T {
        match &mut self.facts().state.phase {
            Phase::Updating(running) | Phase::RollingBack(running) => change(running),
            Phase::Idle => panic!("nothing runs"),
        }
    }

    /// Every step in turn; the migration of `fails` fails, and what was done is undone.
    async fn pretend(self, update: u64) {
        let (pace, fails) = {
            let facts = self.facts();
            (facts.pace, facts.fails.clone())
        };
        for (index, step) in STEPS.iter().enumerate() {
            self.running(|running| running.steps[index].status = StepStatus::Running);
            self.log(
                update,
                EventKind::StepStarted {
                    step: (*step).into(),
                },
            );
            for part in 1..=10 {
                tokio::time::sleep(pace / 10).await;
                self.running(|running| {
                    running.steps[index].took_ms = Some(pace.as_millis() as u64 * part / 10);
                    running.progress =
                        matches!(*step, "download" | "protect_database").then(|| Progress {
                            update,
                            step: (*step).into(),
                            done: 4_320_000 * part,
                            total: 43_200_000,
                            unit: Unit::Bytes,
                        });
                });
            }
            if *step == "migrate" && self.running(|running| Some(running.to.clone()) == fails) {
                return self.undo(update, index, pace).await;
            }
            self.running(|running| running.steps[index].status = StepStatus::Done);
            let took_ms = pace.as_millis() as u64;
            self.log(
                update,
                EventKind::StepFinished {
                    step: (*step).into(),
                    took_ms,
                    detail: None,
                },
            );
        }
        self.end(update, Outcome::Completed, 2_340);
        self.log(update, EventKind::Completed { blackout_ms: 2_340 });
    }

    async fn undo(self, update: u64, failed: usize, pace: Duration) {
        let problem = migration_failed(&self.running(|running| running.to.clone()));
        let mut running = self.running(|running| running.clone());
        running.steps[failed].status = StepStatus::Failed;
        running.problem = Some(problem.clone());
        self.facts().state.phase = Phase::RollingBack(running);
        self.log(
            update,
            EventKind::StepFailed {
                step: STEPS[failed].into(),
                problem: problem.clone(),
            },
        );
        for index in (0..failed).rev() {
            self.running(|running| running.steps[index].status = StepStatus::Undoing);
            self.log(
                update,
                EventKind::UndoStarted {
                    step: STEPS[index].into(),
                },
            );
            tokio::time::sleep(pace).await;
            self.running(|running| running.steps[index].status = StepStatus::Undone);
            let took_ms = pace.as_millis() as u64;
            self.log(
                update,
                EventKind::UndoFinished {
                    step: STEPS[index].into(),
                    took_ms,
                },
            );
        }
        self.end(update, Outcome::RolledBack, 3_120);
        self.log(
            update,
            EventKind::RolledBack {
                problem,
                blackout_ms: 3_120,
            },
        );
    }

    fn end(&self, update: u64, outcome: Outcome, blackout_ms: u64) {
        let running = self.running(|running| running.clone());
        let mut facts = self.facts();
        let summary = UpdateSummary {
            update,
            from: running.from,
            to: running.to,
            then: running.then,
            actor: running.actor,
            started: running.started,
            finished: Some(Timestamp::now()),
            outcome,
            blackout_ms: Some(blackout_ms),
            steps: running.steps,
            problem: running.problem,
            kind: running.kind,
            forecast: running.forecast,
        };
        if outcome == Outcome::Completed {
            facts.state.installed = summary.to.clone();
            facts.finds.offer = None;
            if let Some(check) = &mut facts.state.check {
                check.offer = None;
            }
        }
        facts.state.phase = Phase::Idle;
        facts.state.last_update = Some(summary.clone());
        facts.history.insert(0, summary);
    }
}

/// The steps of a rehearsal, as the real engine names them.
const REHEARSAL: [&str; 9] = [
    "check", "download", "clone", "migrate", "switch", "start", "verify", "way_back", "compare",
];

/// What a rehearsal foretells.
pub fn forecast() -> Forecast {
    Forecast {
        drain_ms: 0,
        blackout_ms: 2_000,
        blackout_min_ms: 1_600,
        blackout_max_ms: 3_200,
        way_back_ms: 850,
        disk_bytes: 210_000_000,
        traffic: ForecastTraffic::Hold,
        deadline_s: 10,
    }
}

/// A rehearsal of 1.1.0 that has ended like this.
pub fn rehearsal(outcome: RehearsalOutcome, actor: &str) -> Rehearsal {
    let now = Timestamp::now();
    let status = match outcome {
        RehearsalOutcome::Passed => StepStatus::Done,
        _ => StepStatus::Waiting,
    };
    Rehearsal {
        walk: vec![],
        failed: None,
        version: Version::new(1, 1, 0),
        from: Version::new(1, 0, 0),
        started: now - jiff::SignedDuration::from_secs(42),
        finished: now,
        actor: actor.into(),
        outcome,
        steps: REHEARSAL
            .iter()
            .map(|step| StepState {
                status,
                took_ms: Some(1_200),
                ..waiting(step)
            })
            .collect(),
        problem: match outcome {
            RehearsalOutcome::Passed => None,
            RehearsalOutcome::Failed => Some(migration_failed(&Version::new(1, 1, 0))),
            RehearsalOutcome::NotMade => Some(Problem::new(problem::NOT_ISOLATED)),
        },
        forecast: (outcome == RehearsalOutcome::Passed).then(forecast),
        isolation: Isolation::Network,
        data_bytes: 1_240_000_000,
        expired: None,
    }
}

fn waiting(step: &str) -> StepState {
    StepState {
        step: step.into(),
        status: StepStatus::Waiting,
        failed: false,
        took_ms: None,
    }
}

/// The problem of a migration that meets data nobody had thought of.
pub fn migration_failed(version: &Version) -> Problem {
    Problem::new(problem::MIGRATION_FAILED)
        .arg("version", version)
        .arg("status", "1")
        .detail("migrating contacts\nerror: UNIQUE constraint failed: contacts.email\n<script>alert('log')</script>")
}

/// Release notes in both languages, one of them hostile.
pub fn notes(version: Version, date: &str) -> ReleaseNotes {
    let cs = format!(
        "Verze {version} zrychluje práci s kontakty.\n\n- **Fulltextové hledání** ve všech polích\n- Export do *CSV* s českou diakritikou\n- Opraveno: při ukládání se ztrácela poznámka\n\n<script>alert('notes')</script>"
    );
    let en = format!(
        "Version {version} makes working with contacts faster.\n\n- **Full-text search** in all fields\n- Export to *CSV* with diacritics\n- Fixed: notes were lost when saving\n\n<script>alert('notes')</script>"
    );
    ReleaseNotes {
        version,
        date: date.into(),
        text: BTreeMap::from([("cs".into(), cs), ("en".into(), en)]),
    }
}

/// An offer of 1.1.0.
pub fn offer() -> Offer {
    let version = Version::new(1, 1, 0);
    Offer {
        route: vec![version.clone()],
        notes: vec![
            notes(version.clone(), "2026-10-12"),
            notes(Version::new(1, 0, 1), "2026-09-02"),
        ],
        version,
        obstacles: vec![],
        may_insist: false,
        rehearsal: None,
        proof: None,
        download_bytes: 43_200_000,
    }
}

/// What a look finds that went well.
pub fn found(offer: Option<Offer>) -> Check {
    Check {
        at: Timestamp::now(),
        problem: None,
        offer,
        metadata_expires: None,
    }
}

fn facts() -> Facts {
    Facts {
        state: State {
            product: "crm".into(),
            name: "Kontakt CRM".into(),
            installed: Version::new(1, 0, 0),
            phase: Phase::Idle,
            serving: Some(([127, 0, 0, 1], 4000).into()),
            public_address: Some("http://127.0.0.1:8080".into()),
            support_email: Some("support@vendor.example".into()),
            check: None,
            last_event: 0,
            last_update: None,
            rehearsing: None,
            rehearsed: None,
            fronts: Vec::new(),
        },
        finds: found(Some(offer())),
        events: vec![],
        history: vec![],
        settings: Settings {
            channel: "stable".into(),
            hold: HoldLimits::default(),
            blackout_deadline_s: Some(120),
            rehearsal: Default::default(),
            keep: Default::default(),
        },
        installs: vec![],
        rehearsals: RehearsalOutcome::Passed,
        copies: vec![],
        revert_plan: None,
        reverts: vec![],
        exports: vec![],
        export_takes: Duration::ZERO,
        pace: Duration::from_millis(10),
        fails: None,
    }
}

fn plan(facts: &Facts, version: Option<Version>) -> Answer {
    let Some(offer) = facts
        .state
        .check
        .as_ref()
        .and_then(|check| check.offer.clone())
    else {
        return Answer::Problem(Problem::new(problem::NOTHING_TO_INSTALL));
    };
    let steps = STEPS.iter().map(|step| PlannedStep {
        step: (*step).into(),
        detail: match *step {
            "protect_database" => "copy /srv/crm/data/crm.db (12.4 MB) by reflink".into(),
            "download" => "43.2 MB in 118 files".into(),
            _ => String::new(),
        },
    });
    Answer::Plan(Box::new(Plan {
        from: facts.state.installed.clone(),
        to: version.unwrap_or(offer.version),
        then: vec![],
        steps: steps.collect(),
        disk_needed: 180_000_000,
        disk_free: 52_000_000_000,
        obstacles: offer.obstacles,
    }))
}

fn report(facts: &Facts, update: Option<u64>) -> Answer {
    let wanted = match update {
        None => facts.history.first(),
        Some(number) => facts.history.iter().find(|entry| entry.update == number),
    };
    let Some(summary) = wanted else {
        return Answer::Problem(
            Problem::new(problem::UNKNOWN_UPDATE).arg("update", update.unwrap_or(0)),
        );
    };
    Answer::Report(Box::new(Report {
        at: Timestamp::now(),
        obnova: "0.1.0".into(),
        product: facts.state.product.clone(),
        installed: facts.state.installed.clone(),
        update: Some(summary.clone()),
        events: facts
            .events
            .iter()
            .filter(|event| event.update == summary.update)
            .cloned()
            .collect(),
        system: BTreeMap::from([
            ("os".into(), "Debian GNU/Linux 12".into()),
            ("processors".into(), "2".into()),
            ("disk free".into(), "52 GB".into()),
        ]),
        logs: BTreeMap::from([(
            "migration".into(),
            vec![
                "migrating contacts".into(),
                "UNIQUE constraint failed".into(),
            ],
        )]),
        support_email: facts.state.support_email.clone(),
    }))
}
