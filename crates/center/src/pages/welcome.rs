//! The welcome page, for everybody: which application this is, its version, whether it serves, where to go. It has to be there
//! whatever else is not.

use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use obnova_engine::api::{CopiedInstaller, Phase, UpdateKind};
use obnova_text::Text;

use crate::app::Centre;
use crate::desktops::installers::{self, Computer};
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
    /// The installers of the Desktop for the visitor's computer, as a rule one.
    right: Vec<Download>,
    /// Those for others.
    others: Vec<Download>,
}

/// An installer of the Desktop.
struct Download {
    address: String,
    file_name: String,
    version: String,
    platform: String,
    bytes: u64,
    sha256: String,
    requires: Option<String>,
}

impl Download {
    fn new(page: &Page, installer: CopiedInstaller) -> Self {
        Self {
            address: installers::address(&installer),
            version: installer.version.to_string(),
            platform: installers::platform_name(&installer.platform),
            requires: installer.requires.get(page.lang.tag()).cloned(),
            file_name: installer.file_name,
            bytes: installer.bytes,
            sha256: installer.sha256,
        }
    }
}

/// How the application stands.
struct Standing {
    tag: &'static str,
    label: String,
    text: String,
}

/// `GET /`
pub async fn show(
    page: Page,
    State(centre): State<Centre>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
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
    let computer = Computer::of(&headers);
    let all = installers::list(&centre.options().state_dir).await;
    let (right, others): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|it| computer.is_some_and(|computer| computer.fits(&it.platform)));
    let downloads = |installers: Vec<CopiedInstaller>| {
        let all = installers.into_iter();
        all.map(|it| Download::new(&page, it)).collect()
    };
    let (right, others) = (downloads(right), downloads(others));
    let known = page.engine.as_ref().ok();
    html(&Welcome {
        t,
        right,
        others,
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
