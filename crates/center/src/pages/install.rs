//! Starting an update: the question before it, with what exactly will be done, and the start.

use std::time::Duration;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use obnova_engine::api::{Answer, Problem, Request};
use obnova_engine::problem::REHEARSAL_FAILED;
use obnova_text::Text;
use semver::Version;
use serde::Deserialize;

use crate::app::{Centre, unexpected};
use crate::error::Failure;
use crate::explain::{Explained, explain};
use crate::forecast::Foretold;
use crate::form::Posted;
use crate::page::{Page, html};

/// A plan reads the database's size and the disks, and perhaps the release.
const PLAN_PATIENCE: Duration = Duration::from_secs(60);
/// Starting only writes to the journal.
const START_PATIENCE: Duration = Duration::from_secs(30);

#[derive(Template)]
#[template(path = "install.html")]
struct Install {
    page: Page,
    t: &'static Text,
    version: String,
    insist: bool,
    can_install: bool,
    plan: Option<PlanView>,
    insisting: Vec<String>,
    foretold: Option<Foretold>,
    problem: Option<Explained>,
}

struct PlanView {
    from: String,
    to: String,
    then: Vec<String>,
    steps: Vec<(String, String)>,
    needed: String,
    free: String,
    obstacles: Vec<Explained>,
}

/// What to install.
#[derive(Deserialize)]
pub struct Wanted {
    version: Option<Version>,
    insist: Option<String>,
}

/// `GET /updates/install`: the dry run.
pub async fn confirm(
    page: Page,
    State(centre): State<Centre>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let insist = wanted.insist.is_some();
    let answer = centre
        .ask(
            &Request::Plan {
                version: wanted.version,
            },
            PLAN_PATIENCE,
        )
        .await;
    let t = page.t();
    match answer {
        Ok(Answer::Plan(plan)) => {
            let last = plan.then.last().unwrap_or(&plan.to);
            let version = last.to_string();
            let can_install = plan.obstacles.is_empty() || insist;
            let insisting = super::updates::insisting(t, &plan.obstacles);
            let foretold = foretold(&page, last);
            let plan = PlanView {
                from: plan.from.to_string(),
                to: plan.to.to_string(),
                then: plan.then.iter().map(ToString::to_string).collect(),
                steps: plan
                    .steps
                    .iter()
                    .map(|step| (t.step(&step.step), step.detail.clone()))
                    .collect(),
                needed: page.bytes(&plan.disk_needed),
                free: page.bytes(&plan.disk_free),
                obstacles: plan
                    .obstacles
                    .iter()
                    .map(|problem| explain(t, problem))
                    .collect(),
            };
            html(&Install {
                t,
                version,
                insist,
                can_install,
                plan: Some(plan),
                insisting,
                foretold,
                problem: None,
                page,
            })
        }
        Ok(_) => Err(unexpected().into()),
        Err(problem) => refused(page, &problem),
    }
}

/// `POST /updates/install`
pub async fn start(
    page: Page,
    State(centre): State<Centre>,
    posted: Posted,
) -> Result<Response, Failure> {
    let version = match posted.fields.optional("version") {
        None => None,
        Some(text) => match text.parse::<Version>() {
            Ok(version) => Some(version),
            Err(error) => return Err(Failure::Malformed(error.to_string())),
        },
    };
    let wanted = version
        .as_ref()
        .map_or_else(|| "newest".to_owned(), ToString::to_string);
    let insist = posted.fields.ticked("insist");
    let action = action(&page, insist);
    let request = Request::Install {
        version,
        actor: posted.session.name.clone(),
        insist,
    };
    match centre.ask(&request, START_PATIENCE).await {
        Ok(Answer::Started { update }) => {
            let detail = format!("{wanted} (update {update})");
            centre
                .store()
                .audit(&posted.session.email, action, &detail)
                .await?;
            Ok(Redirect::to("/updates").into_response())
        }
        Ok(_) => Err(unexpected().into()),
        // Two administrators clicked: both are shown the one update.
        Err(problem) if problem.code == obnova_engine::problem::UPDATE_RUNNING => {
            Ok(Redirect::to("/updates").into_response())
        }
        Err(problem) => refused(page, &problem),
    }
}

/// The name in the audit log: that somebody insisted is said, and in spite of what.
fn action(page: &Page, insist: bool) -> &'static str {
    let offer = page.engine.as_ref().ok().and_then(|state| {
        let check = state.check.as_ref()?;
        check.offer.as_ref()
    });
    match offer {
        Some(offer) if insist && !offer.obstacles.is_empty() => {
            let rehearsed = |problem: &Problem| problem.code == REHEARSAL_FAILED;
            match offer.obstacles.iter().any(rehearsed) {
                true => "update-insisted-rehearsal",
                false => "update-insisted",
            }
        }
        _ => "update-started",
    }
}

/// What a rehearsal of this version that counts has said.
fn foretold(page: &Page, version: &Version) -> Option<Foretold> {
    let state = page.engine.as_ref().ok()?;
    let last = state.check.as_ref()?.offer.as_ref()?.rehearsal.as_ref()?;
    let counts = last.version == *version && last.expired.is_none();
    let forecast = last.forecast.as_ref().filter(|_| counts)?;
    Some(Foretold::new(page.t(), forecast))
}

fn refused(page: Page, problem: &Problem) -> Result<Response, Failure> {
    let t = page.t();
    let answer = html(&Install {
        t,
        version: String::new(),
        insist: false,
        can_install: false,
        plan: None,
        insisting: Vec::new(),
        foretold: None,
        problem: Some(explain(t, problem)),
        page,
    })?;
    Ok((StatusCode::CONFLICT, answer).into_response())
}
