//! The list of Desktops as CSV. It is read and sent piece by piece, so that however many there are, it needs little memory.

use std::collections::VecDeque;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use jiff::Timestamp;

use super::Wanted;
use crate::app::Centre;
use crate::error::Failure;
use crate::page::Page;
use crate::store::Store;
use crate::store::desktops::overview::{DesktopFilter, Seen};

/// Desktops that are read at once.
const AT_ONCE: u32 = 500;

const COLUMNS: [&str; 10] = [
    "installation",
    "platform",
    "version",
    "first_seen",
    "last_seen",
    "last_event",
    "last_event_at",
    "last_event_from",
    "reason",
    "detail",
];

/// The address of the list that is shown.
pub(super) fn address(wanted: &Wanted) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let pairs = [("search", &wanted.search), ("standing", &wanted.standing)];
    query.extend_pairs(pairs.into_iter().filter(|(_, value)| !value.is_empty()));
    match query.finish() {
        query if query.is_empty() => "/desktops/export".to_owned(),
        query => format!("/desktops/export?{query}"),
    }
}

/// `GET /desktops/export`
pub async fn send(
    page: Page,
    State(centre): State<Centre>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Failure> {
    let settings = centre.store().desktop_settings().await?;
    let filter = wanted.filter(&page, &settings);
    let day = Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::system())
        .date();
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"desktops-{day}.csv\""),
        ),
    ];
    let first = lines(&[])?;
    let body = Rows {
        store: centre.store().clone(),
        filter,
        after: Some(String::new()),
        ready: VecDeque::from([first]),
    };
    Ok((
        headers,
        Body::from_stream(stream::try_unfold(body, Rows::next)),
    )
        .into_response())
}

struct Rows {
    store: Store,
    filter: DesktopFilter,
    /// The last that was read; nothing after the end.
    after: Option<String>,
    ready: VecDeque<Bytes>,
}

impl Rows {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Failure> {
        if let Some(piece) = self.ready.pop_front() {
            return Ok(Some((piece, self)));
        }
        let Some(after) = self.after.take() else {
            return Ok(None);
        };
        let found = self
            .store
            .desktops_after(&self.filter, &after, AT_ONCE)
            .await?;
        let Some(last) = found.last() else {
            return Ok(None);
        };
        self.after = Some(last.installation.clone());
        Ok(Some((lines(&found)?, self)))
    }
}

/// The lines of these Desktops; without any, the line that names the columns.
fn lines(desktops: &[Seen]) -> Result<Bytes, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Failure::Internal(error.to_string());
    if desktops.is_empty() {
        writer.write_record(COLUMNS).map_err(failed)?;
    }
    for desktop in desktops {
        writer.write_record(cells(desktop)).map_err(failed)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| Failure::Internal(error.to_string()))?;
    Ok(bytes.into())
}

fn cells(desktop: &Seen) -> [String; COLUMNS.len()] {
    let last = desktop.last.as_ref();
    let reason: serde_json::Value = last
        .and_then(|last| serde_json::from_str(last.reason.as_deref()?).ok())
        .unwrap_or_default();
    let text = |key: &str| reason[key].as_str().unwrap_or_default().to_owned();
    let cells = [
        desktop.installation.clone(),
        desktop.platform.clone(),
        desktop.version.clone().unwrap_or_default(),
        desktop.first_seen.to_string(),
        desktop.last_seen.to_string(),
        last.map(|last| last.event.clone()).unwrap_or_default(),
        last.map(|last| last.at.to_string()).unwrap_or_default(),
        last.and_then(|last| last.from.clone()).unwrap_or_default(),
        text("reason"),
        text("detail"),
    ];
    cells.map(harmless)
}

/// What a spreadsheet would take for a formula is marked as text: whoever reaches the centre can have written it.
fn harmless(cell: String) -> String {
    match cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => format!("'{cell}"),
        false => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn no_cell_is_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"] {
            assert!(harmless(formula.to_owned()).starts_with('\''), "{formula}");
        }
        assert_eq!(harmless("1.2.0".to_owned()), "1.2.0");
    }
}
