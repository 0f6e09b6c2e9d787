//! Rehearsals: the card on the Updates page, starting and breaking one off, and the page that tells all about one.

use std::time::Duration;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use obnova_engine::api::{
    self, Answer, Expired, Hop, Isolation, Phase, Rehearsal, RehearsalOutcome, Rehearsing, Request,
};
use obnova_engine::problem;
use obnova_text::Text;
use semver::Version;

use super::progress::{Steps, said};
use super::refused;
use crate::app::{Centre, unexpected};
use crate::error::Failure;
use crate::explain::{Explained, explain};
use crate::forecast::Foretold;
use crate::form::Posted;
use crate::format;
use crate::page::{Page, html};

/// Starting one looks at the disk and at what the machine can do.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// Breaking one off waits until its clone is gone.
const CANCEL_PATIENCE: Duration = Duration::from_secs(120);
const LOG_PATIENCE: Duration = Duration::from_secs(10);
/// The actor of rehearsals that began by themselves.
pub const BY_ITSELF: &str = "obnova";

/// The card beside the offer.
#[derive(Template)]
#[template(path = "rehearsal.html")]
pub struct Card<'a> {
    page: &'a Page,
    t: &'static Text,
    version: String,
    running: Option<String>,
    last: Option<Last>,
    can_start: bool,
}

/// A rehearsal that has ended.
struct Last {
    tag: &'static str,
    outcome: String,
    passed: bool,
    when: String,
    about: String,
    expired: Option<String>,
    problem: Option<Explained>,
    foretold: Option<Foretold>,
    /// What there is to say of each version, where one click goes through several.
    walk: Vec<HopView>,
    is_open: bool,
    address: String,
}

/// One of several versions on the way.
struct HopView {
    version: String,
    foretold: Option<Foretold>,
    /// It is the one that failed.
    failed: bool,
    /// Its steps; nothing where it was not come to.
    steps: Option<String>,
}

impl HopView {
    fn of(t: &'static Text, hop: &Hop, rehearsal: &Rehearsal) -> HopView {
        HopView {
            version: hop.version.to_string(),
            foretold: hop.forecast.as_ref().map(|it| Foretold::new(t, it)),
            failed: rehearsal.failed.as_ref() == Some(&hop.version),
            steps: (!hop.steps.is_empty()).then(|| Steps::new(t, &hop.steps, None).html()),
        }
    }
}

/// How far the running one is: drawn again and again.
#[derive(Template)]
#[template(path = "rehearsal_progress.html")]
struct Picture {
    t: &'static Text,
    title: String,
    steps: String,
    done: usize,
    total: usize,
    elapsed: String,
}

#[derive(Template)]
#[template(path = "rehearsal_entry.html")]
struct Entry {
    page: Page,
    t: &'static Text,
    version: String,
    last: Option<Last>,
    from: String,
    took: String,
    data: String,
    steps: String,
    log: Vec<String>,
}

impl<'a> Card<'a> {
    /// What there is to say about rehearsals now; `None` when nothing is offered and none runs.
    pub fn of(page: &'a Page, state: &api::State) -> Option<Card<'a>> {
        let t = page.t();
        let offer = state.check.as_ref().and_then(|check| check.offer.as_ref());
        let version = match (&state.rehearsing, offer) {
            (Some(running), _) => &running.version,
            (None, Some(offer)) => &offer.version,
            (None, None) => return None,
        };
        let last = offer
            .and_then(|offer| offer.rehearsal.as_ref())
            .filter(|last| last.version == *version);
        Some(Card {
            page,
            t,
            version: version.to_string(),
            running: state
                .rehearsing
                .as_ref()
                .and_then(|running| picture(t, running).ok()),
            last: last.map(|last| Last::new(page, last)),
            can_start: state.rehearsing.is_none() && matches!(state.phase, Phase::Idle),
        })
    }
}

impl Last {
    fn new(page: &Page, rehearsal: &Rehearsal) -> Last {
        let t = page.t();
        let (tag, key) = match (rehearsal.outcome, rehearsal.expired) {
            (RehearsalOutcome::Passed, None) => ("good", "rehearsal-outcome-passed"),
            (RehearsalOutcome::Passed, Some(_)) => ("warn", "rehearsal-outcome-expired"),
            (RehearsalOutcome::Failed, _) => ("bad", "rehearsal-outcome-failed"),
            (RehearsalOutcome::NotMade, _) => ("", "rehearsal-outcome-not-made"),
        };
        let by = match rehearsal.actor.as_str() {
            BY_ITSELF => t.get("rehearsal-by-itself"),
            actor => t.with("rehearsal-by", &[("actor", actor)]),
        };
        let ago = ago(t, format::between(rehearsal.finished, Timestamp::now()));
        let size = page.bytes(&rehearsal.data_bytes);
        let about = match rehearsal.outcome {
            RehearsalOutcome::NotMade => by,
            _ => t.with("rehearsal-about", &[("by", &by), ("size", &size)]),
        };
        Last {
            tag,
            outcome: t.get(key),
            passed: rehearsal.outcome == RehearsalOutcome::Passed,
            when: format!("{} ({ago})", page.moment(&rehearsal.finished)),
            about,
            expired: rehearsal.expired.map(|why| {
                t.get(match why {
                    Expired::Version => "rehearsal-expired-version",
                    Expired::Route => "rehearsal-expired-route",
                    Expired::Age => "rehearsal-expired-age",
                    Expired::Growth => "rehearsal-expired-growth",
                })
            }),
            problem: rehearsal.problem.as_ref().map(|why| untouched(t, why)),
            foretold: rehearsal
                .forecast
                .as_ref()
                .map(|forecast| Foretold::new(t, forecast)),
            walk: rehearsal
                .walk
                .iter()
                .map(|hop| HopView::of(t, hop, rehearsal))
                .collect(),
            is_open: rehearsal.isolation == Isolation::None
                && rehearsal.outcome != RehearsalOutcome::NotMade,
            address: format!("/updates/rehearsal/{}", rehearsal.version),
        }
    }
}

/// A problem of a clone: the state of the data is not what it would be after an update.
fn untouched(t: &Text, why: &api::Problem) -> Explained {
    let mut explained = explain(t, why);
    explained.state = t.get("rehearsal-untouched");
    explained
}

/// The running rehearsal, as a part of the page.
///
/// # Errors
/// The template could not be rendered.
pub fn picture(t: &'static Text, running: &Rehearsing) -> askama::Result<String> {
    let done = running
        .steps
        .iter()
        .filter(|step| step.status == api::StepStatus::Done)
        .count();
    let elapsed = format::between(running.started, Timestamp::now());
    Picture {
        title: title(t, running),
        steps: Steps::new(t, &running.steps, running.progress.as_ref()).html(),
        done,
        total: running.steps.len(),
        elapsed: format::running(elapsed, t.lang()),
        t,
    }
    .render()
}

/// What is tried, and which of several versions it has come to.
fn title(t: &Text, running: &Rehearsing) -> String {
    let version = running.version.to_string();
    let place = |at| running.route.iter().position(|version| version == at);
    let (at, number) = match running.at.as_ref().map(|at| (at, place(at))) {
        Some((at, Some(place))) if running.route.len() > 1 => (at.to_string(), place + 1),
        _ => return t.with("rehearsal-running", &[("version", &version)]),
    };
    t.with(
        "rehearsal-running-walk",
        &[
            ("version", &version),
            ("at", &at),
            ("number", &number.to_string()),
            ("total", &running.route.len().to_string()),
        ],
    )
}

/// The step that runs, for those who cannot see it.
pub fn step_said(t: &Text, running: &Rehearsing) -> String {
    said(t, &running.steps)
}

/// How the newest rehearsal ended, in a sentence for the status line.
pub fn ended(t: &Text, state: &api::State) -> Option<String> {
    let offer = state.check.as_ref()?.offer.as_ref()?;
    let last = offer.rehearsal.as_ref()?;
    let key = match last.outcome {
        RehearsalOutcome::Passed => "rehearsal-said-passed",
        RehearsalOutcome::Failed => "rehearsal-said-failed",
        RehearsalOutcome::NotMade => "rehearsal-said-not-made",
    };
    Some(t.with(key, &[("version", &last.version.to_string())]))
}

/// How long ago something was, in the largest unit that fits.
fn ago(t: &Text, ms: u64) -> String {
    let minutes = ms / 60_000;
    let (key, count) = match minutes {
        0 => return t.get("ago-now"),
        1..60 => ("ago-minutes", minutes),
        60..1_440 => ("ago-hours", minutes / 60),
        _ => ("ago-days", minutes / 1_440),
    };
    t.with(key, &[("count", &count.to_string())])
}

/// `POST /updates/rehearsal`
pub async fn start(
    page: Page,
    State(centre): State<Centre>,
    posted: Posted,
) -> Result<Response, Failure> {
    let version = match posted.fields.optional("version") {
        None => None,
        Some(text) => Some(
            text.parse::<Version>()
                .map_err(|error| Failure::Malformed(error.to_string()))?,
        ),
    };
    let wanted = version
        .as_ref()
        .map_or_else(|| "newest".to_owned(), ToString::to_string);
    let request = Request::Rehearse {
        version,
        actor: posted.session.name.clone(),
    };
    match centre.ask(&request, START_PATIENCE).await {
        Ok(Answer::State(_)) => {
            centre
                .store()
                .audit(&posted.session.email, "rehearsal-started", &wanted)
                .await?;
            Ok(Redirect::to("/updates").into_response())
        }
        Ok(_) => Err(unexpected().into()),
        // Two administrators clicked: both are shown the one that runs.
        Err(problem)
            if [problem::REHEARSAL_RUNNING, problem::UPDATE_RUNNING]
                .contains(&problem.code.as_str()) =>
        {
            Ok(Redirect::to("/updates").into_response())
        }
        Err(problem) => refused::page(page, "rehearsal-refused", "/updates", &problem),
    }
}

/// `POST /updates/rehearsal/cancel`
pub async fn cancel(State(centre): State<Centre>, posted: Posted) -> Result<Response, Failure> {
    match centre
        .ask(&Request::CancelRehearsal, CANCEL_PATIENCE)
        .await?
    {
        Answer::State(_) => {
            centre
                .store()
                .audit(
                    &posted.session.email,
                    "rehearsal-cancelled",
                    posted.fields.text("version"),
                )
                .await?;
            Ok(Redirect::to("/updates").into_response())
        }
        _ => Err(unexpected().into()),
    }
}

/// `GET /updates/rehearsal/{version}`
pub async fn show(
    page: Page,
    State(centre): State<Centre>,
    Path(version): Path<Version>,
) -> Result<Response, Failure> {
    let request = Request::RehearsalLog {
        version: version.clone(),
    };
    let log = match centre.ask(&request, LOG_PATIENCE).await {
        Ok(Answer::Log { lines }) => lines,
        Ok(_) => return Err(unexpected().into()),
        Err(problem) if problem.code == problem::UNKNOWN_VERSION => return Err(Failure::NotFound),
        Err(problem) => return Err(problem.into()),
    };
    let known = page.engine.as_ref().ok().and_then(|state| {
        let offer = state.check.as_ref()?.offer.as_ref()?;
        offer.rehearsal.clone().filter(|it| it.version == version)
    });
    if known.is_none() && log.is_empty() {
        return Err(Failure::NotFound);
    }
    let t = page.t();
    let dash = || "–".to_owned();
    html(&Entry {
        t,
        version: version.to_string(),
        last: known.as_ref().map(|it| Last::new(&page, it)),
        from: known.as_ref().map_or_else(dash, |it| it.from.to_string()),
        took: known.as_ref().map_or_else(dash, |it| {
            page.took(&format::between(it.started, it.finished))
        }),
        data: known
            .as_ref()
            .map_or_else(dash, |it| page.bytes(&it.data_bytes)),
        steps: known
            .as_ref()
            .map(|it| Steps::new(t, &it.steps, None).html())
            .unwrap_or_default(),
        log,
        page,
    })
}
