//! Takes users from the application: once a day by the configured query, at once when an administrator asks, or from a CSV file.

use std::time::Duration;

use jiff::Timestamp;
use obnova_engine::api::{Answer, Phase, Request};
use obnova_engine::client::Client;
use obnova_text::Lang;
use serde::{Deserialize, Serialize};

use super::{Ended, or_ended, sleep};
use crate::store::imports::ImportRow;
pub use crate::store::imports::Outcome;
use crate::store::{self, Store, StoreError};

mod csv;
mod sql;

/// How often users are imported by themselves.
const EVERY: Duration = Duration::from_secs(24 * 3600);

/// How often it is looked whether it is time.
const LOOK: Duration = Duration::from_secs(5 * 60);

/// Time until a failed import is tried again.
const RETRY: Duration = Duration::from_secs(3600);

/// Why an import was not done. Nobody was changed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The address or the query is missing.
    #[error("the import is not set up")]
    NotSetUp,
    /// An update is running: the application's database is left alone.
    #[error("an update is running")]
    Updating,
    /// Neither `sqlite:` nor `postgres:`.
    #[error("the database's address is not usable")]
    Address(String),
    /// The application's database refused.
    #[error("the application's database refused")]
    Query(String),
    /// `name` or `email` is not among the columns.
    #[error("a column is missing")]
    Column,
    /// Not CSV in UTF-8.
    #[error("the file is no CSV in UTF-8")]
    File(String),
    /// Not a single usable row, which is a mistake rather than a company without people.
    #[error("there is no usable row")]
    Empty,
    /// The centre's own database failed.
    #[error("the centre's database failed")]
    Store(#[from] StoreError),
}

impl ImportError {
    /// The key of its text.
    pub fn key(&self) -> &'static str {
        match self {
            ImportError::NotSetUp => "import-failed-not-set-up",
            ImportError::Updating => "import-failed-updating",
            ImportError::Address(_) => "import-failed-address",
            ImportError::Query(_) => "import-failed-query",
            ImportError::Column => "import-failed-column",
            ImportError::File(_) => "import-failed-file",
            ImportError::Empty => "import-failed-empty",
            ImportError::Store(_) => "import-failed-store",
        }
    }

    /// What the machine said; never the database's address, which may hold a password.
    pub fn detail(&self) -> Option<&str> {
        match self {
            ImportError::Address(detail)
            | ImportError::Query(detail)
            | ImportError::File(detail) => Some(detail),
            _ => None,
        }
    }
}

/// How the last import went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastImport {
    /// When.
    pub at: Timestamp,
    /// From a file, not by the query.
    pub from_file: bool,
    /// What it did, if it was done.
    pub outcome: Option<Outcome>,
    /// The key of the text that says why it was not done.
    pub failure: Option<String>,
    /// What the machine said.
    pub detail: Option<String>,
}

/// Runs until the centre ends.
pub(crate) async fn run(store: Store, engine: Client, mut ended: Ended) {
    loop {
        // Can be broken off anywhere: users change in one transaction.
        if or_ended(&mut ended, import_if_due(&store, &engine))
            .await
            .is_none()
        {
            return;
        }
        if !sleep(&mut ended, LOOK).await {
            return;
        }
    }
}

async fn import_if_due(store: &Store, engine: &Client) {
    match is_due(store).await {
        Ok(false) => {}
        Ok(true) => match now(store, engine).await {
            Ok(outcome) => tracing::info!(
                added = outcome.added,
                changed = outcome.changed,
                deactivated = outcome.deactivated,
                errors = outcome.error_count,
                "users imported"
            ),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "users were not imported"
            ),
        },
        Err(error) => tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the import's settings cannot be read"
        ),
    }
}

async fn is_due(store: &Store) -> store::Result<bool> {
    if !store.settings().await?.import.enabled {
        return Ok(false);
    }
    let Some(last) = last(store).await? else {
        return Ok(true);
    };
    let pause = if last.outcome.is_some() && !last.from_file {
        EVERY
    } else {
        RETRY
    };
    let now = Timestamp::now();
    // The last one may have been made by a clock that has been set back since.
    Ok(last.at + pause <= now || last.at > now)
}

/// How the last import went, if there was one.
///
/// # Errors
/// The database failed.
pub async fn last(store: &Store) -> store::Result<Option<LastImport>> {
    store.import_outcome().await
}

/// Imports by the configured query. People who are no longer in its result become inactive.
///
/// # Errors
/// See [`ImportError`]; nobody was changed.
pub async fn now(store: &Store, engine: &Client) -> Result<Outcome, ImportError> {
    // Not remembered as the last one: it is only a little later.
    if is_updating(engine).await {
        return Err(ImportError::Updating);
    }
    let result = by_query(store).await;
    remember(store, false, result).await
}

/// Imports a CSV file with a header. With `deactivate_missing` the file is the whole list: imported people who are not in it
/// become inactive.
///
/// # Errors
/// See [`ImportError`]; nobody was changed.
pub async fn from_csv(
    store: &Store,
    file: &[u8],
    deactivate_missing: bool,
) -> Result<Outcome, ImportError> {
    let result = by_file(store, file, deactivate_missing).await;
    remember(store, true, result).await
}

async fn by_query(store: &Store) -> Result<Outcome, ImportError> {
    let settings = store.settings().await?.import;
    if settings.database_url.is_empty() || settings.query.trim().is_empty() {
        return Err(ImportError::NotSetUp);
    }
    let rows = sql::rows(settings.database_url.expose(), &settings.query).await?;
    let outcome = store.import(rows, true, Outcome::default()).await?;
    outcome.ok_or(ImportError::Empty)
}

async fn by_file(
    store: &Store,
    file: &[u8],
    deactivate_missing: bool,
) -> Result<Outcome, ImportError> {
    let mut outcome = Outcome::default();
    let rows = csv::rows(file, &mut outcome)?;
    let outcome = store.import(rows, deactivate_missing, outcome).await?;
    outcome.ok_or(ImportError::Empty)
}

async fn remember(
    store: &Store,
    from_file: bool,
    result: Result<Outcome, ImportError>,
) -> Result<Outcome, ImportError> {
    let failure = result.as_ref().err();
    let last = LastImport {
        at: Timestamp::now(),
        from_file,
        outcome: result.as_ref().ok().cloned(),
        failure: failure.map(|error| error.key().to_owned()),
        detail: failure.and_then(ImportError::detail).map(str::to_owned),
    };
    store.set_import_outcome(&last).await?;
    result
}

/// Whether the engine is changing the application's database. An engine that is away changes nothing.
async fn is_updating(engine: &Client) -> bool {
    matches!(
        engine.call(&Request::State).await,
        Ok(Answer::State(state)) if state.phase != Phase::Idle
    )
}

/// A row of these cells.
fn row(
    line: u64,
    name: String,
    email: String,
    language: Option<String>,
    groups: Option<String>,
) -> ImportRow {
    ImportRow {
        line,
        name,
        email,
        language: language.and_then(|tag| tag.trim().parse::<Lang>().ok()),
        groups: groups.map(|list| list.split(',').map(|name| name.trim().to_owned()).collect()),
    }
}

#[cfg(test)]
mod tests;
