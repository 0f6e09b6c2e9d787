//! A session at the server, in no database.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlRow};
use sqlx::{AssertSqlSafe, Connection, Executor, Row};
use tokio::runtime::{Builder, Runtime};

use super::failure::Failure;

/// How long connecting may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long sessions that were told to end may take for it.
const LEAVE_PATIENCE: Duration = Duration::from_secs(10);
/// How long sessions that may not be told to end are waited for: a monitor's, for instance, ends by itself.
const STRANGER_PATIENCE: Duration = Duration::from_secs(3);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// See the module.
pub(super) struct Server {
    runtime: Runtime,
    connection: MySqlConnection,
}

impl Server {
    /// Connects.
    pub(super) fn connect(options: &MySqlConnectOptions) -> Result<Server, Failure> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::disk(std::path::Path::new("runtime"), error))?;
        let connection = runtime.block_on(async {
            tokio::time::timeout(CONNECT_PATIENCE, MySqlConnection::connect_with(options))
                .await
                .map_err(|_| Failure::Silent(CONNECT_PATIENCE.as_secs()))?
                .map_err(Failure::Server)
        })?;
        let mut server = Server {
            runtime,
            connection,
        };
        // Literals are written for this setting.
        server.run("SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION'")?;
        Ok(server)
    }

    /// Runs a statement.
    pub(super) fn run(&mut self, sql: &str) -> Result<(), Failure> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        self.runtime.block_on(self.connection.execute(sql))?;
        Ok(())
    }

    /// Every row of an answer, each value as its text.
    pub(super) fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Failure> {
        let Server {
            runtime,
            connection,
        } = self;
        let found: Vec<MySqlRow> = runtime.block_on(
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
                .fetch(connection)
                .try_collect(),
        )?;
        found
            .iter()
            .map(|row| (0..row.len()).map(|index| text(row, index)).collect())
            .collect()
    }

    /// The one row of an answer; what is null in it is empty.
    pub(super) fn row(&mut self, sql: &str) -> Result<Option<Vec<String>>, Failure> {
        let first = self.rows(sql)?.into_iter().next();
        Ok(first.map(|row| row.into_iter().map(Option::unwrap_or_default).collect()))
    }

    /// One text.
    pub(super) fn text(&mut self, sql: &str) -> Result<Option<String>, Failure> {
        Ok(self.row(sql)?.and_then(|row| row.into_iter().next()))
    }

    /// One number, zero if there is none.
    pub(super) fn number(&mut self, sql: &str) -> Result<u64, Failure> {
        let text = self.text(sql)?.unwrap_or_default();
        Ok(text.parse().unwrap_or(0))
    }

    /// Ends all sessions in a database and waits until nobody is there.
    pub(super) fn cut_off(&mut self, database: &str) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            self.evict(database, None)?;
            let guests = self.guests(database, None)?;
            if guests.is_empty() {
                return Ok(());
            }
            // They come again and again.
            if began.elapsed() > LEAVE_PATIENCE {
                return Err(in_use(&guests));
            }
        }
    }

    /// Ends all sessions that are in a database now, but this one and `except`.
    pub(super) fn evict(&mut self, database: &str, except: Option<u64>) -> Result<(), Failure> {
        let began = Instant::now();
        let mut left = self.guests(database, except)?;
        loop {
            let mut refused = false;
            for guest in &left {
                // Not every account may end every session; those left over are told. It may also have ended by itself.
                let ended = self.run(&format!("KILL CONNECTION {}", guest.id));
                refused |= ended.is_err();
            }
            let still = match left.is_empty() {
                true => Vec::new(),
                false => self.guests(database, except)?,
            };
            left.retain(|guest| still.iter().any(|it| it.id == guest.id));
            if left.is_empty() {
                return Ok(());
            }
            let patience = match refused {
                true => STRANGER_PATIENCE,
                false => LEAVE_PATIENCE,
            };
            if began.elapsed() > patience {
                return Err(in_use(&left));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn guests(&mut self, database: &str, except: Option<u64>) -> Result<Vec<Guest>, Failure> {
        let rows = self.rows(&format!(
            "SELECT id, concat(user, '@', host) FROM information_schema.processlist WHERE db = {} \
             AND id NOT IN (CONNECTION_ID(), {})",
            literal(database),
            except.unwrap_or(0)
        ))?;
        let guest = |row: Vec<Option<String>>| {
            let mut row = row.into_iter();
            Some(Guest {
                id: row.next()??,
                who: row.next()?.unwrap_or_default(),
            })
        };
        Ok(rows.into_iter().filter_map(guest).collect())
    }
}

/// Whoever is in a database.
struct Guest {
    id: String,
    who: String,
}

fn in_use(guests: &[Guest]) -> Failure {
    let names = guests
        .iter()
        .map(|guest| format!("{} (session {})", guest.who, guest.id));
    Failure::InUse(names.collect::<Vec<_>>().join(", "))
}

fn text(row: &MySqlRow, index: usize) -> Result<Option<String>, Failure> {
    // The text protocol: whatever the type, these bytes are what a client program would show.
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(index)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}

/// A name as it stands in SQL.
pub(super) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as it stands in SQL, with backslashes that escape.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
