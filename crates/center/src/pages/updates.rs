//! The Updates page: what is installed, what is offered and what is new in it, and the button. While an update runs it shows
//! its steps instead, and when it has ended a window says how.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use obnova_engine::api::{self, Answer, Outcome, Phase, Request, UpdateKind, UpdateSummary};
use obnova_engine::problem::REHEARSAL_FAILED;
use obnova_text::Text;
use semver::Version;
use serde::Deserialize;
use std::time::Duration;

use super::preferences::YEAR;
use super::progress::{Live, Steps};
use super::rehearsal::{self, Card};
use crate::app::{Centre, unexpected};
use crate::error::Failure;
use crate::explain::{Explained, explain};
use crate::forecast::{Compared, Foretold};
use crate::form::Posted;
use crate::page::{Page, cookie, html, is_fragment};
use crate::visitor::Visitor;
use crate::{format, notes, proven};

/// The longest a look at the release repository may take before the page stops waiting for it.
const CHECK_PATIENCE: Duration = Duration::from_secs(60);
/// The cookie with the number of the newest update whose end was seen in this browser.
const SEEN_COOKIE: &str = "obnova_seen";
/// An update that ended longer ago than this is history, not news.
const NEWS: u64 = 24 * 60 * 60 * 1000;

#[derive(Template)]
#[template(path = "updates.html")]
struct Updates {
    page: Page,
    t: &'static Text,
    /// The page looks for news by itself; without script it does so by being opened once more.
    checking: bool,
    /// A rehearsal runs; without script the page follows it by being opened again and again.
    rehearsing: bool,
    offer: String,
    verdict: Option<Verdict>,
}

#[derive(Template)]
#[template(path = "running.html")]
struct RunningPage {
    page: Page,
    t: &'static Text,
    update: u64,
    live: String,
    said: String,
}

/// What is installed and offered, as a part of the page that is fetched again.
#[derive(Template)]
#[template(path = "offer.html")]
struct OfferPart<'a> {
    page: &'a Page,
    t: &'static Text,
    /// The fresh answer is under way; the part fetches it by itself.
    checking: bool,
    /// What the look just taken found, for the status line.
    found: Option<String>,
    installed: String,
    checked: Option<String>,
    check_problem: Option<Explained>,
    offer: Option<OfferView>,
    /// The card about rehearsals.
    rehearsal: Option<String>,
    expires_soon: Option<String>,
}

struct OfferView {
    version: String,
    /// The version as it is written in an address.
    query: String,
    route: Vec<String>,
    download: Option<String>,
    obstacles: Vec<Explained>,
    may_insist: bool,
    /// What insisting means: one sentence for each reason.
    insisting: Vec<String>,
    /// What a rehearsal that counts says it will take.
    foretold: Option<Foretold>,
    /// What the vendor has proven of the way back.
    proven: Vec<String>,
    notes: Vec<NoteView>,
}

struct NoteView {
    version: String,
    date: String,
    lang: String,
    html: String,
}

/// How the newest update ended.
pub struct Verdict {
    /// Its number.
    pub update: u64,
    /// Whether the new version serves.
    pub succeeded: bool,
    /// Whether it led back to an earlier version.
    pub is_revert: bool,
    /// From, to.
    pub from: String,
    /// To which version.
    pub to: String,
    /// How long all of it took.
    pub took: String,
    /// How long requests were held.
    pub blackout: Option<String>,
    /// What a rehearsal had said, beside it.
    pub compared: Option<Compared>,
    /// Why it was undone.
    pub problem: Option<Explained>,
    /// Its steps.
    pub steps: String,
    /// Where a report goes.
    pub support: Option<String>,
}

/// How the page is opened.
#[derive(Deserialize)]
pub struct Opened {
    /// Look at the repository before the page is sent: for browsers without script.
    check: Option<String>,
    /// Show what is known, without looking: while a rehearsal is followed.
    known: Option<String>,
}

/// `GET /updates`
pub async fn show(
    page: Page,
    State(centre): State<Centre>,
    Query(query): Query<Opened>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let t = page.t();
    let state = match page.engine.clone() {
        Ok(state) => state,
        // Shown live as well: the page goes on by itself when the engine is back.
        Err(_) => {
            let live = super::live::Lost { t }.render()?;
            return html(&RunningPage {
                t,
                update: 0,
                said: t.get("progress-engine-away"),
                live,
                page,
            });
        }
    };
    if let Some(live) = Live::of(t, &state) {
        return html(&RunningPage {
            t,
            update: running_number(&state.phase),
            said: live.said.clone(),
            live: live.render()?,
            page,
        });
    }
    let verdict = news(t, &state, &headers);
    let checking = query.check.is_none() && query.known.is_none();
    let offer = match (query.check.is_some(), checking) {
        (true, _) => {
            let fresh = check(&centre).await?;
            part(&page, &fresh, false, Some(found(t, &fresh)))?.render()?
        }
        (false, true) => part(&page, &state, true, None)?.render()?,
        (false, false) => part(&page, &state, false, rehearsed(t, &state))?.render()?,
    };
    html(&Updates {
        t,
        checking,
        rehearsing: state.rehearsing.is_some(),
        offer,
        verdict,
        page,
    })
}

/// `GET /updates/offer`: asks the repository now, unless only what is known is wanted.
pub async fn offer(
    page: Page,
    State(centre): State<Centre>,
    Query(query): Query<Opened>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if !is_fragment(&headers) {
        return Ok(Redirect::to("/updates?check=now").into_response());
    }
    if let (Some(_), Ok(state)) = (&query.known, &page.engine) {
        return html(&part(&page, state, false, rehearsed(page.t(), state))?);
    }
    let state = match check(&centre).await {
        Ok(state) => state,
        Err(problem) => return no_answer(&page, &problem),
    };
    if !matches!(state.phase, Phase::Idle) {
        // Somebody has started an update meanwhile: the page becomes its steps.
        return Ok([("hx-refresh", "true")].into_response());
    }
    html(&part(&page, &state, false, Some(found(page.t(), &state)))?)
}

/// `POST /updates/seen`: the window about an update's end was closed.
pub async fn seen(visitor: Visitor, posted: Posted) -> Result<Response, Failure> {
    let update: u64 = posted.fields.text("update").parse().unwrap_or(0);
    let cookie = visitor.cookie(SEEN_COOKIE, &update.to_string(), YEAR)?;
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to("/updates")).into_response())
}

async fn check(centre: &Centre) -> Result<Box<api::State>, api::Problem> {
    match centre.ask(&Request::Check, CHECK_PATIENCE).await? {
        Answer::State(state) => Ok(state),
        _ => Err(unexpected()),
    }
}

/// The engine did not answer the question for news: what it knows, if it says at least that, with the problem beside it.
fn no_answer(page: &Page, problem: &api::Problem) -> Result<Response, Failure> {
    let Ok(state) = &page.engine else {
        return Ok([("hx-refresh", "true")].into_response());
    };
    let t = page.t();
    let mut part = part(page, state, false, Some(t.get("updates-check-failed")))?;
    part.check_problem = Some(explain(t, problem));
    html(&part)
}

fn running_number(phase: &Phase) -> u64 {
    match phase {
        Phase::Idle => 0,
        Phase::Updating(running) | Phase::RollingBack(running) => running.update,
    }
}

/// The status line after a look: nothing newer, a newer one, or that it failed.
fn found(t: &Text, state: &api::State) -> String {
    match &state.check {
        Some(check) if check.problem.is_some() => t.get("updates-check-failed"),
        Some(api::Check {
            offer: Some(offer), ..
        }) => t.with("updates-found", &[("version", &offer.version.to_string())]),
        _ => t.get("updates-nothing-newer"),
    }
}

/// The status line when a rehearsal has ended, or goes on.
fn rehearsed(t: &Text, state: &api::State) -> Option<String> {
    match state.rehearsing {
        Some(_) => Some(found(t, state)),
        None => rehearsal::ended(t, state),
    }
}

fn part<'a>(
    page: &'a Page,
    state: &api::State,
    checking: bool,
    found: Option<String>,
) -> askama::Result<OfferPart<'a>> {
    let t = page.t();
    let check = state.check.as_ref();
    Ok(OfferPart {
        page,
        t,
        checking,
        found,
        installed: state.installed.to_string(),
        checked: check.map(|check| page.moment(&check.at)),
        check_problem: check
            .and_then(|check| check.problem.as_ref())
            .map(|problem| explain(t, problem)),
        offer: check
            .and_then(|check| check.offer.as_ref())
            .map(|offer| offer_view(page, offer, &state.installed)),
        rehearsal: Card::of(page, state)
            .map(|card| card.render())
            .transpose()?,
        expires_soon: check
            .and_then(|check| check.metadata_expires)
            .filter(|at| format::between(Timestamp::now(), *at) < NEWS)
            .map(|at| page.moment(&at)),
    })
}

fn offer_view(page: &Page, offer: &api::Offer, installed: &Version) -> OfferView {
    let t = page.t();
    let version = offer.version.to_string();
    OfferView {
        query: url::form_urlencoded::byte_serialize(version.as_bytes()).collect(),
        version,
        route: match offer.route.len() {
            0 | 1 => Vec::new(),
            _ => offer.route.iter().map(ToString::to_string).collect(),
        },
        download: (offer.download_bytes > 0).then(|| page.bytes(&offer.download_bytes)),
        obstacles: offer
            .obstacles
            .iter()
            .map(|problem| explain(t, problem))
            .collect(),
        may_insist: offer.may_insist && !offer.obstacles.is_empty(),
        insisting: insisting(t, &offer.obstacles),
        foretold: offer
            .rehearsal
            .as_ref()
            .filter(|last| last.expired.is_none())
            .and_then(|last| last.forecast.as_ref())
            .map(|forecast| Foretold::new(t, forecast)),
        proven: proven::words(t, offer.proof.as_ref(), installed),
        notes: offer
            .notes
            .iter()
            .map(|note| note_view(page, note))
            .collect(),
    }
}

/// What insisting in spite of these means.
pub fn insisting(t: &Text, obstacles: &[api::Problem]) -> Vec<String> {
    let (rehearsed, others): (Vec<_>, Vec<_>) = obstacles
        .iter()
        .partition(|problem| problem.code == REHEARSAL_FAILED);
    [
        (rehearsed, "install-insist-rehearsal-text"),
        (others, "install-insist-text"),
    ]
    .into_iter()
    .filter(|(problems, _)| !problems.is_empty())
    .map(|(_, key)| t.get(key))
    .collect()
}

fn note_view(page: &Page, note: &api::ReleaseNotes) -> NoteView {
    let (lang, text) = notes::in_language(note, page.lang).unwrap_or((page.lang.tag(), ""));
    NoteView {
        version: note.version.to_string(),
        date: format::date(&note.date, page.lang),
        lang: lang.to_owned(),
        html: notes::to_html(text),
    }
}

/// How the newest update ended, while that is news in this browser.
fn news(t: &Text, state: &api::State, headers: &HeaderMap) -> Option<Verdict> {
    let update = state.last_update.as_ref()?;
    let seen: u64 = cookie(headers, SEEN_COOKIE)
        .and_then(|value| value.parse().ok())
        .unwrap_or(0);
    let ended = update.finished?;
    if update.update <= seen || format::between(ended, Timestamp::now()) > NEWS {
        return None;
    }
    verdict(t, update, state.support_email.clone())
}

fn verdict(t: &Text, update: &UpdateSummary, support: Option<String>) -> Option<Verdict> {
    let lang = t.lang();
    Some(Verdict {
        update: update.update,
        succeeded: match update.outcome {
            Outcome::Running => return None,
            Outcome::Completed => true,
            Outcome::RolledBack => false,
        },
        is_revert: update.kind != UpdateKind::Install,
        from: update.from.to_string(),
        to: update.to.to_string(),
        took: format::took(format::between(update.started, update.finished?), lang),
        blackout: update.blackout_ms.map(|ms| format::took(ms, lang)),
        compared: Compared::of(t, update),
        problem: update.problem.as_ref().map(|problem| explain(t, problem)),
        steps: Steps::new(t, &update.steps, None).html(),
        support,
    })
}
