//! The steps of an update, running or finished, as the pages draw them. Always made from what the engine says now, so a reload
//! or another computer shows the same.

use askama::Template;
use jiff::Timestamp;
use obnova_engine::api::{
    Phase, Progress, Running, State, StepState, StepStatus, Unit, UpdateKind,
};
use obnova_text::Text;

use crate::explain::{Explained, explain};
use crate::forecast::Foretold;
use crate::format;

/// The list of steps.
#[derive(Template)]
#[template(path = "steps.html")]
pub struct Steps {
    steps: Vec<StepView>,
}

struct StepView {
    name: String,
    class: &'static str,
    status: String,
    took: Option<String>,
    bar: Option<Bar>,
}

struct Bar {
    done: u64,
    total: u64,
    text: String,
}

impl Steps {
    /// The steps as they stand.
    pub fn new(t: &Text, steps: &[StepState], progress: Option<&Progress>) -> Steps {
        let steps = steps
            .iter()
            .map(|step| step_view(t, step, progress))
            .collect();
        Steps { steps }
    }

    /// As HTML; empty when it cannot be made.
    pub fn html(&self) -> String {
        self.render().unwrap_or_default()
    }
}

fn step_view(t: &Text, step: &StepState, progress: Option<&Progress>) -> StepView {
    let is_moving = matches!(step.status, StepStatus::Running | StepStatus::Undoing);
    let (class, status) = match step.status {
        // Which one was the cause stays to be seen among all that were undone.
        StepStatus::Undone if step.failed => ("failed", "status-failed-undone".to_owned()),
        status => (class(status), format!("status-{}", class(status))),
    };
    StepView {
        name: t.step(&step.step),
        class,
        status: t.get(&status),
        took: step
            .took_ms
            .filter(|_| step.status != StepStatus::Waiting)
            .map(|ms| match is_moving {
                true => format::running(ms, t.lang()),
                false => format::took(ms, t.lang()),
            }),
        bar: progress
            .filter(|progress| is_moving && progress.step == step.step)
            .map(|progress| bar(t, progress)),
    }
}

fn class(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Waiting => "waiting",
        StepStatus::Running => "running",
        StepStatus::Done => "done",
        StepStatus::Failed => "failed",
        StepStatus::Undoing => "undoing",
        StepStatus::Undone => "undone",
    }
}

fn bar(t: &Text, progress: &Progress) -> Bar {
    let words = |count| match progress.unit {
        Unit::Bytes => format::bytes(count, t.lang()),
        Unit::Files | Unit::Requests => format::number(count, t.lang()),
    };
    let key = match progress.unit {
        Unit::Bytes => "progress-bytes",
        Unit::Files => "progress-files",
        Unit::Requests => "progress-requests",
    };
    let done = words(progress.done);
    let text = match progress.total {
        0 => t.with("progress-so-far", &[("done", &done)]),
        total => t.with(key, &[("done", &done), ("total", &words(total))]),
    };
    Bar {
        done: progress.done.min(progress.total),
        total: progress.total,
        text,
    }
}

/// A running update.
#[derive(Template)]
#[template(path = "progress.html")]
pub struct Live {
    t: &'static Text,
    kicker: String,
    title: String,
    lead: String,
    route: Vec<String>,
    steps: String,
    done: usize,
    total: usize,
    elapsed: String,
    /// What a rehearsal had said, and how long requests have waited so far.
    foretold: Option<Foretold>,
    held: Option<String>,
    problem: Option<Explained>,
    /// One sentence for those who cannot see it; it changes only when a step does.
    pub said: String,
}

impl Live {
    /// What the engine is doing; `None` when it does nothing.
    pub fn of(t: &'static Text, state: &State) -> Option<Live> {
        let (running, is_back) = match &state.phase {
            Phase::Idle => return None,
            Phase::Updating(running) => (running, false),
            Phase::RollingBack(running) => (running, true),
        };
        let key = match (running.kind, is_back) {
            (UpdateKind::Install, false) => "progress-updating",
            (UpdateKind::Install, true) => "progress-rolling-back",
            (UpdateKind::Revert { .. }, false) => "progress-reverting",
            (UpdateKind::Revert { .. }, true) => "progress-revert-failed",
        };
        let total = running.steps.len();
        let done = running
            .steps
            .iter()
            .filter(|step| step.status == StepStatus::Done)
            .count();
        let (from, to) = (running.from.to_string(), running.to.to_string());
        let args = [
            ("from", from.as_str()),
            ("to", to.as_str()),
            ("actor", running.actor.as_str()),
            ("name", state.name.as_str()),
        ];
        let elapsed = format::between(running.started, Timestamp::now());
        let kicker = match running.kind {
            UpdateKind::Install => "progress-kicker",
            UpdateKind::Revert { .. } => "progress-kicker-revert",
        };
        Some(Live {
            kicker: t.get(kicker),
            title: t.with(key, &args),
            lead: t.with(&format!("{key}-lead"), &args),
            route: route(running),
            steps: Steps::new(t, &running.steps, running.progress.as_ref()).html(),
            done,
            total,
            elapsed: format::running(elapsed, t.lang()),
            foretold: running
                .forecast
                .as_ref()
                .filter(|_| !is_back)
                .map(|forecast| Foretold::new(t, forecast)),
            held: held(running).map(|ms| format::running(ms, t.lang())),
            problem: running.problem.as_ref().map(|problem| explain(t, problem)),
            said: said(t, &running.steps),
            t,
        })
    }
}

/// All versions of this click when there are stops, else nothing.
fn route(running: &Running) -> Vec<String> {
    if running.then.is_empty() {
        return Vec::new();
    }
    [&running.from, &running.to]
        .into_iter()
        .chain(&running.then)
        .map(ToString::to_string)
        .collect()
}

/// How long requests have waited so far: the steps from holding them to letting them through.
fn held(running: &Running) -> Option<u64> {
    let of = |name: &str| running.steps.iter().position(|step| step.step == name);
    let (first, last) = (of("hold")?, of("release_traffic")?);
    let steps = running.steps.get(first..last)?;
    let has_begun = steps.first()?.status != StepStatus::Waiting;
    has_begun.then(|| steps.iter().filter_map(|step| step.took_ms).sum())
}

/// One sentence about the step that moves; empty when none does.
pub fn said(t: &Text, steps: &[StepState]) -> String {
    let moving = steps
        .iter()
        .position(|step| matches!(step.status, StepStatus::Running | StepStatus::Undoing));
    let Some(index) = moving else {
        return String::new();
    };
    let step = &steps[index];
    let name = t.step(&step.step);
    let (number, total) = ((index + 1).to_string(), steps.len().to_string());
    let key = match step.status {
        StepStatus::Undoing => "progress-said-undo",
        _ => "progress-said",
    };
    t.with(
        key,
        &[("number", &number), ("total", &total), ("step", &name)],
    )
}
