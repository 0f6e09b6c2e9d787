//! How far the engine's events have been turned into mails, and what the mails need to know of an update from its beginning.
//! Both are written in the transaction that fills the outbox: killed at any time, no state is announced twice or never.

use obnova_engine::api::UpdateId;
use semver::Version;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{FromRow, Row};

use super::{Result, Store, undecodable};

/// The last event that was dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Its number; 0 for none.
    pub number: u64,
    /// Which journal it is of: counted up when the engine's journal was replaced by another one, which counts from 1 again.
    pub epoch: i64,
}

/// What is known of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenUpdate {
    /// Its number.
    pub update: UpdateId,
    /// The first update of the same click; itself, unless there were required stops.
    pub click: UpdateId,
    /// The n-th of its click, from 1.
    pub hop: u32,
    /// The version before the click.
    pub first: Version,
    /// The version before this update.
    pub from: Version,
    /// The version it leads to.
    pub to: Version,
    /// The version the click is to end at.
    pub target: Version,
    /// Whether no other follows in the same click.
    pub is_last: bool,
    /// Who clicked.
    pub actor: String,
    /// Whether everyone was told that it began.
    pub announced: bool,
    /// Whether it leads back to the version before.
    pub is_revert: bool,
}

impl FromRow<'_, SqliteRow> for SeenUpdate {
    fn from_row(row: &SqliteRow) -> sqlx::Result<SeenUpdate> {
        Ok(SeenUpdate {
            update: row.try_get::<i64, _>("update_id")?.unsigned_abs(),
            click: row.try_get::<i64, _>("click")?.unsigned_abs(),
            hop: row.try_get("hop")?,
            first: version(row, "first_version")?,
            from: version(row, "from_version")?,
            to: version(row, "to_version")?,
            target: version(row, "target")?,
            is_last: row.try_get("is_last")?,
            actor: row.try_get("actor")?,
            announced: row.try_get("announced")?,
            is_revert: row.try_get("is_revert")?,
        })
    }
}

fn version(row: &SqliteRow, column: &str) -> sqlx::Result<Version> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|error| undecodable(column, error))
}

impl Store {
    /// Where to go on following the engine.
    ///
    /// # Errors
    /// The database failed.
    pub async fn cursor(&self) -> Result<Cursor> {
        let mut connection = self.read.acquire().await?;
        cursor(&mut connection).await
    }

    /// The engine's journal is another one, whose events so far are told to nobody: they may be years old.
    pub(crate) async fn begin_journal(&self, last_event: u64) -> Result<()> {
        sqlx::query("UPDATE event_cursor SET number = ?, epoch = epoch + 1")
            .bind(stored(last_event))
            .execute(&self.write)
            .await?;
        Ok(())
    }
}

pub(crate) async fn cursor(connection: &mut SqliteConnection) -> Result<Cursor> {
    let (number, epoch): (i64, i64) = sqlx::query_as("SELECT number, epoch FROM event_cursor")
        .fetch_one(connection)
        .await?;
    Ok(Cursor {
        number: number.unsigned_abs(),
        epoch,
    })
}

pub(crate) async fn advance(connection: &mut SqliteConnection, number: u64) -> Result<()> {
    sqlx::query("UPDATE event_cursor SET number = ?")
        .bind(stored(number))
        .execute(connection)
        .await?;
    Ok(())
}

/// Remembers an update that begins.
pub(crate) async fn remember(
    connection: &mut SqliteConnection,
    epoch: i64,
    seen: &SeenUpdate,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO updates_seen (epoch, update_id, click, hop, first_version, from_version, to_version, target, is_last,
                                   actor, announced, is_revert)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(epoch)
    .bind(stored(seen.update))
    .bind(stored(seen.click))
    .bind(seen.hop)
    .bind(seen.first.to_string())
    .bind(seen.from.to_string())
    .bind(seen.to.to_string())
    .bind(seen.target.to_string())
    .bind(seen.is_last)
    .bind(&seen.actor)
    .bind(seen.announced)
    .bind(seen.is_revert)
    .execute(connection)
    .await?;
    Ok(())
}

/// What is known of an update.
pub(crate) async fn seen(
    connection: &mut SqliteConnection,
    epoch: i64,
    update: UpdateId,
) -> Result<Option<SeenUpdate>> {
    Ok(
        sqlx::query_as("SELECT * FROM updates_seen WHERE epoch = ? AND update_id = ?")
            .bind(epoch)
            .bind(stored(update))
            .fetch_optional(connection)
            .await?,
    )
}

/// The newest update before this one: the earlier hop of the same click.
pub(crate) async fn seen_before(
    connection: &mut SqliteConnection,
    epoch: i64,
    update: UpdateId,
) -> Result<Option<SeenUpdate>> {
    Ok(sqlx::query_as(
        "SELECT * FROM updates_seen WHERE epoch = ? AND update_id < ? ORDER BY update_id DESC LIMIT 1",
    )
    .bind(epoch)
    .bind(stored(update))
    .fetch_optional(connection)
    .await?)
}

/// Remembers that everyone was told.
pub(crate) async fn set_announced(
    connection: &mut SqliteConnection,
    epoch: i64,
    update: UpdateId,
) -> Result<()> {
    sqlx::query("UPDATE updates_seen SET announced = 1 WHERE epoch = ? AND update_id = ?")
        .bind(epoch)
        .bind(stored(update))
        .execute(connection)
        .await?;
    Ok(())
}

fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
