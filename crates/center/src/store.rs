//! What the centre remembers: one SQLite file, `<data directory>/center.db`, apart from the application's database, so that an
//! update that is undone takes no user, setting or mail back with it.
//!
//! [`Store`] is a handle, cheap to clone. Each noun has a file: [`users`], [`groups`], [`imports`], [`sessions`], [`devices`], [`attempts`], [`settings`],
//! [`audit`], [`events`] and [`outbox`]. Reads have connections of their own and never wait for a write (WAL); writes go
//! one after the other through a single connection, each transaction synced before it is reported as done. Only the marks of
//! mails on their way have another connection and are synced when that is needed; `outbox/delivery.rs` says why.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use obnova_text::Lang;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Connection, Row, Sqlite, SqliteConnection, Transaction};
use tokio::sync::Notify;

pub mod attempts;
pub mod audit;
pub mod desktops;
pub mod devices;
pub mod events;
pub mod groups;
pub mod imports;
pub mod outbox;
pub mod sessions;
pub mod settings;
pub mod users;

/// Name of the file inside the data directory.
pub const FILE_NAME: &str = "center.db";

/// Connections for reading; more pages than this at the same instant wait for each other.
const READERS: u32 = 8;

/// Why something could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no.
    #[error("the centre's database failed")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the centre's database could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The file or its directory cannot be used.
    #[error("{path} cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Settings that are not what this version writes.
    #[error("stored settings cannot be read")]
    Settings(#[from] serde_json::Error),
    /// There is no such thing (any more).
    #[error("there is no such entry")]
    NotFound,
    /// Another user has this e-mail address.
    #[error("another user has this e-mail address")]
    EmailTaken,
    /// Not an e-mail address.
    #[error("this is not an e-mail address")]
    EmailInvalid,
    /// A name must not be empty or longer than [`users::NAME_LIMIT`].
    #[error("the name is empty or too long")]
    NameInvalid,
    /// Another group has this identifier.
    #[error("another group has this identifier")]
    GroupTaken,
    /// A built-in group cannot be deleted or renamed, and Everyone has no list of members.
    #[error("a built-in group cannot be changed")]
    GroupBuiltin,
    /// Nobody would be left who can sign in and administer.
    #[error("the last administrator must stay")]
    LastAdministrator,
}

/// Results of the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A transaction that writes. Dropped without `commit` it has done nothing.
pub type Write = Transaction<'static, Sqlite>;

/// A handle to the centre's database.
#[derive(Debug, Clone)]
pub struct Store {
    read: SqlitePool,
    write: SqlitePool,
    marks: SqlitePool,
    data_dir: Arc<Path>,
    /// Rung when there may be mail to send: a mail was put in, is to be sent again, or the mail settings were changed.
    mail_waiting: Arc<Notify>,
}

impl Store {
    /// Opens the database in this directory, makes both where they do not exist, and brings the schema up to date.
    ///
    /// # Errors
    /// The directory or the file cannot be used, or the file is no database of the centre's.
    pub async fn open(data_dir: &Path) -> Result<Store> {
        let path = data_dir.join(FILE_NAME);
        make_private(data_dir, &path).map_err(|source| StoreError::File {
            path: path.clone(),
            source,
        })?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            // Synced at each commit: what a mail server has accepted must not be forgotten when the power fails.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(30));
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(60))
            .before_acquire(|connection, _| Box::pin(is_usable(connection)))
            .connect_with(options.clone())
            .await?;
        sqlx::migrate!().run(&write).await?;
        let marks = SqlitePoolOptions::new()
            .max_connections(1)
            .before_acquire(|connection, _| Box::pin(is_usable(connection)))
            .connect_with(options.clone().synchronous(SqliteSynchronous::Normal))
            .await?;
        let read = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.pragma("query_only", "on"))
            .await?;
        let store = Store {
            read,
            write,
            marks,
            data_dir: data_dir.into(),
            mail_waiting: Arc::new(Notify::new()),
        };
        store.ensure_installation().await?;
        Ok(store)
    }

    /// Ends all connections, when those who use them have finished.
    pub async fn close(&self) {
        self.read.close().await;
        self.marks.close().await;
        self.write.close().await;
    }

    /// Where the database lies.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Rung when there may be mail to send.
    pub fn mail_waiting(&self) -> &Notify {
        &self.mail_waiting
    }

    /// Begins a transaction that writes; others wait for its end, so keep it short and never wait for a network in it.
    ///
    /// # Errors
    /// The database is busy for more than a minute, or closed.
    pub async fn begin(&self) -> Result<Write> {
        Ok(self.write.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// Whether a connection that was used can be used again. SQLite itself ends a transaction in which the disk was full or failed;
/// sqlx then finds nothing to roll back, believes for ever that it is inside one, and refuses to begin another.
async fn is_usable(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    // What it was told last is done before it answers.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// The database holds password hashes and the mail server's password: for the centre's own user only. SQLite gives its
/// `-wal` and `-shm` files the mode of the database.
fn make_private(data_dir: &Path, path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    std::fs::create_dir_all(data_dir)?;
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

/// A time as the database keeps it.
fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// A column that holds a time.
fn time(row: &SqliteRow, column: &str) -> sqlx::Result<Timestamp> {
    let millis: i64 = row.try_get(column)?;
    Timestamp::from_millisecond(millis).map_err(|error| undecodable(column, error))
}

/// A column that holds a time or nothing.
fn optional_time(row: &SqliteRow, column: &str) -> sqlx::Result<Option<Timestamp>> {
    match row.try_get::<Option<i64>, _>(column)? {
        None => Ok(None),
        Some(_) => time(row, column).map(Some),
    }
}

/// A column that holds a language.
fn language(row: &SqliteRow, column: &str) -> sqlx::Result<Lang> {
    let tag: &str = row.try_get(column)?;
    tag.parse()
        .map_err(|_| undecodable(column, format!("unknown language {tag}")))
}

fn undecodable(
    column: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: error.into(),
    }
}

/// Whether the error is a violated UNIQUE constraint.
fn is_taken(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.is_unique_violation())
}

#[cfg(test)]
mod tests;
