//! The welcome page, for everybody: which application this is, its version, whether it serves, where to go. It has to be there
//! whatever else is not.

use askama::Template;
use axum::response::Response;
use obnova_engine::api::{Phase, UpdateKind};
use obnova_text::Text;

use crate::error::Failure;
use crate::page::{Page, html};

#[derive(Template)]
#[template(path = "welcome.html")]
struct Welcome {
    page: Page,
    t: &'static Text,
    version: Option<String>,
    state: Standing,
    application: Option<String>,
}

/// How the application stands.
struct Standing {
    tag: &'static str,
    label: String,
    text: String,
}

/// `GET /`
pub async fn show(page: Page) -> Result<Response, Failure> {
    let t = page.t();
    let (key, tag) = match &page.engine {
        Err(_) => ("unreachable", "bad"),
        Ok(state) => match (&state.phase, state.serving) {
            (Phase::Updating(running), _) if running.kind != UpdateKind::Install => {
                ("reverting", "warn")
            }
            (Phase::Updating(_), _) => ("updating", "warn"),
            (Phase::RollingBack(_), _) => ("rolling-back", "warn"),
            (Phase::Idle, Some(_)) => ("serving", "good"),
            (Phase::Idle, None) => ("stopped", "bad"),
        },
    };
    let known = page.engine.as_ref().ok();
    html(&Welcome {
        t,
        version: known.map(|state| state.installed.to_string()),
        application: known
            .and_then(|state| state.public_address.as_deref())
            .and_then(web_address),
        state: Standing {
            tag,
            label: t.get(&format!("state-{key}")),
            text: t.get(&format!("state-{key}-text")),
        },
        page,
    })
}

/// The application's address, as a link that a browser can follow; nothing when it is none.
pub(crate) fn web_address(address: &str) -> Option<String> {
    let address = match address.contains("://") {
        true => address.to_owned(),
        false => format!("http://{address}"),
    };
    let url = url::Url::parse(&address).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(address)
}
