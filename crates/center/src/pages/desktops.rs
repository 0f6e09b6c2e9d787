//! Desktops: which versions are out there and how that changed, which were left again and why, and every installation by its
//! random number.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use jiff::Timestamp;
use obnova_text::Text;
use semver::Version;
use serde::Deserialize;

use self::chart::{Chart, Span};
use self::why::Why;
use super::paging::Paging;
use crate::app::Centre;
use crate::error::Failure;
use crate::page::{Page, html};
use crate::store::desktops::kept::{DesktopSettings, Kept};
use crate::store::desktops::overview::{DesktopFilter, OfVersion, Seen, Standing, Totals};

pub mod chart;
pub mod export;
mod why;

/// Installations on one page of the list.
const PER_PAGE: u32 = 50;
/// Versions and platforms that are told apart.
const MOST: u32 = 100;
/// Kinds of failures that are shown.
const FAILURES: u32 = 20;

#[derive(Template)]
#[template(path = "desktops.html")]
struct Desktops {
    page: Page,
    t: &'static Text,
    /// The settings do not allow that anything is kept.
    keeps_nothing: bool,
    settings: DesktopSettings,
    totals: Totals,
    /// Of those in use, how many in a hundred have the server's version; nothing while that is not known.
    share: Option<u64>,
    chart: Chart,
    versions: Vec<VersionRow>,
    failures: Vec<FailureRow>,
    wanted: Wanted,
    standing: Standing,
    rows: Vec<Row>,
    paging: Paging,
    export: String,
}

/// A version and who has it.
struct VersionRow {
    version: Option<String>,
    is_servers: bool,
    desktops: u64,
    platforms: Vec<(String, u64)>,
}

impl VersionRow {
    /// The list of those who have it.
    fn link(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("search", self.version.as_deref().unwrap_or_default());
        format!("/desktops?{}#list", query.finish())
    }
}

struct FailureRow {
    version: String,
    why: Why,
    desktops: u64,
}

/// One Desktop of the list.
struct Row {
    installation: String,
    version: Option<String>,
    platform: String,
    last_seen: String,
    tag: &'static str,
    label: String,
    /// What it left again, and why.
    left: Option<(String, Why)>,
}

/// What the page shows.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    search: String,
    #[serde(default)]
    standing: String,
    #[serde(default)]
    days: String,
    page: Option<u32>,
}

impl Wanted {
    fn standing(&self) -> Standing {
        let named = Standing::ALL
            .into_iter()
            .find(|it| it.name() == self.standing);
        named.unwrap_or_default()
    }

    fn span(&self) -> Span {
        let named = Span::ALL.into_iter().find(|it| it.name() == self.days);
        named.unwrap_or_default()
    }

    fn filter(&self, page: &Page, settings: &DesktopSettings) -> DesktopFilter {
        DesktopFilter {
            search: self.search.clone(),
            standing: self.standing(),
            server: servers_version(page),
            used: settings.used(),
        }
    }
}

impl Desktops {
    fn is_chosen(&self, standing: &Standing) -> bool {
        self.standing == *standing
    }

    fn standing_name(&self, standing: &Standing) -> String {
        self.t
            .get(&format!("desktops-standing-{}", standing.name()))
    }

    fn unused(&self) -> String {
        let unused = self.totals.known.saturating_sub(self.totals.used);
        self.page.number(&unused)
    }

    fn standings(&self) -> [Standing; 5] {
        Standing::ALL
    }
}

/// `GET /desktops`
pub async fn show(
    page: Page,
    State(centre): State<Centre>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let (store, t) = (centre.store(), page.t());
    let settings = store.desktop_settings().await?;
    let filter = wanted.filter(&page, &settings);
    let totals = store
        .desktop_totals(filter.server.as_deref(), filter.used)
        .await?;
    let counted = store.desktop_versions(filter.used, MOST).await?;
    let chart = Chart::draw(&page, store, wanted.span(), &counted).await?;
    let failures = store.desktop_failures(filter.used, FAILURES).await?;
    let failures = failures.into_iter().map(|failure| FailureRow {
        why: Why::of(t, failure.reason.as_deref()),
        version: failure.version,
        desktops: failure.desktops,
    });
    let offset = Paging::offset(wanted.page, PER_PAGE);
    let found = store.desktops(&filter, offset, PER_PAGE).await?;
    let pairs = [
        ("search", wanted.search.as_str()),
        ("standing", wanted.standing.as_str()),
        ("days", wanted.days.as_str()),
    ];
    html(&Desktops {
        keeps_nothing: settings.kept == Kept::Nothing,
        share: filter.server.as_ref().map(|_| {
            (totals.matching * 100)
                .checked_div(totals.used)
                .unwrap_or(0)
        }),
        chart,
        versions: versions(counted, filter.server.as_deref()),
        failures: failures.collect(),
        standing: filter.standing,
        rows: found
            .items
            .into_iter()
            .map(|seen| row(&page, &filter, seen))
            .collect(),
        paging: Paging::new("/desktops", &pairs, wanted.page, PER_PAGE, found.total),
        export: export::address(&wanted),
        totals,
        settings,
        wanted,
        t,
        page,
    })
}

/// The version that the server has, as far as it is known.
fn servers_version(page: &Page) -> Option<String> {
    let engine = page.engine.as_ref().ok()?;
    Some(engine.installed.to_string())
}

/// By version, the newest first.
fn versions(counted: Vec<OfVersion>, server: Option<&str>) -> Vec<VersionRow> {
    let mut by_version: BTreeMap<Option<Version>, VersionRow> = BTreeMap::new();
    for one in counted {
        let parsed = one.version.as_deref().and_then(|text| text.parse().ok());
        let row = by_version.entry(parsed).or_insert_with(|| VersionRow {
            is_servers: one.version.is_some() && one.version.as_deref() == server,
            version: one.version,
            desktops: 0,
            platforms: Vec::new(),
        });
        row.desktops += one.desktops;
        row.platforms.push((one.platform, one.desktops));
    }
    by_version.into_values().rev().collect()
}

fn row(page: &Page, filter: &DesktopFilter, seen: Seen) -> Row {
    let t = page.t();
    let used = filter.used.as_secs().cast_signed();
    let is_used = Timestamp::now().as_second() - seen.last_seen.as_second() < used;
    let left = seen
        .last
        .filter(|last| last.event == "returned")
        .map(|last| {
            let from = last.from.unwrap_or_else(|| "–".to_owned());
            (from, Why::of(t, last.reason.as_deref()))
        });
    let matches = seen.version.is_some() && seen.version == filter.server;
    let (tag, key) = match (is_used, &left) {
        (false, _) => ("", "desktops-standing-unused"),
        (true, Some(_)) => ("bad", "desktops-standing-returned"),
        (true, None) if matches => ("good", "desktops-standing-matching"),
        // An engine that is away does not say what the server is.
        (true, None) if filter.server.is_none() => ("", "desktops-server-unknown"),
        (true, None) => ("warn", "desktops-standing-other"),
    };
    Row {
        installation: seen.installation,
        version: seen.version,
        platform: seen.platform,
        last_seen: page.moment(&seen.last_seen),
        tag,
        label: t.get(key),
        left,
    }
}
