//! `POST /desktop/v1/report`: a Desktop says which version it is and what went wrong. Its installation has a random number, and
//! nothing else about the computer or its user is taken.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use jiff::Timestamp;
use semver::Version;
use serde::Deserialize;
use serde_json::Value;

use crate::app::Centre;
use crate::store::desktops::{Desktop, Report};

/// Reports taken from one installation at once.
const MOST: usize = 50;
/// How long somebody waits for a turn; what was not taken is sent again.
const TURN: Duration = Duration::from_secs(10);
/// The longest reason, bytes.
const MAX_REASON: usize = 2 << 10;
/// The longest version, bytes.
const MAX_VERSION: usize = 128;

/// What a Desktop sends.
#[derive(Debug, Deserialize)]
pub struct Told {
    installation: String,
    platform: String,
    version: Option<Version>,
    #[serde(default)]
    reports: Vec<ToldReport>,
}

#[derive(Debug, Deserialize)]
struct ToldReport {
    at: Timestamp,
    version: Version,
    #[serde(default)]
    from: Option<Version>,
    event: String,
    #[serde(default)]
    reason: Option<Value>,
}

/// Takes it.
pub async fn take(
    State(centre): State<Centre>,
    told: Result<Json<Told>, JsonRejection>,
) -> StatusCode {
    let Ok(Json(told)) = told else {
        return StatusCode::BAD_REQUEST;
    };
    let Some((desktop, reports)) = checked(told) else {
        return StatusCode::BAD_REQUEST;
    };
    // A flood of them must not keep an administrator's click waiting for the database.
    let turn = tokio::time::timeout(TURN, centre.turns().reports.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    match centre.store().keep_desktop(&desktop, &reports).await {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a Desktop's report could not be kept"
            );
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

fn checked(told: Told) -> Option<(Desktop, Vec<Report>)> {
    let is_number = told.installation.len() == 32
        && told
            .installation
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit());
    let is_platform = (1..=64).contains(&told.platform.len())
        && told
            .platform
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let fits = |version: Option<&Version>| {
        version.is_none_or(|version| version.to_string().len() <= MAX_VERSION)
    };
    let reports = told.reports.iter();
    let versions_fit = fits(told.version.as_ref())
        && reports
            .flat_map(|report| [Some(&report.version), report.from.as_ref()])
            .all(fits);
    if !is_number || !is_platform || !versions_fit || told.reports.len() > MOST {
        return None;
    }
    let reports = told.reports.into_iter().map(|report| {
        let fits = matches!(&*report.event, "installed" | "returned")
            && report
                .reason
                .as_ref()
                .is_none_or(|reason| reason.to_string().len() <= MAX_REASON);
        fits.then(|| Report {
            at: report.at,
            version: report.version.to_string(),
            from: report.from.map(|from| from.to_string()),
            event: report.event,
            reason: report.reason,
        })
    });
    let desktop = Desktop {
        installation: told.installation.to_ascii_lowercase(),
        platform: told.platform,
        version: told.version.map(|version| version.to_string()),
    };
    Some((desktop, reports.collect::<Option<_>>()?))
}
