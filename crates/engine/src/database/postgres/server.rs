//! A session at the server, in a database beside the one that is looked after.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Executor};
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

/// Identifies a database whatever its name; a copy has its own.
pub(super) type Oid = i64;

/// Whoever is in a database.
#[derive(Deserialize)]
struct Guest {
    pid: i64,
    role: Option<String>,
    program: Option<String>,
}

/// Ends sessions in which the copy of this name is still being made: those of an engine that was killed. It says how many.
const END_COPYING: &str = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))::text \
    FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = current_user AND application_name = 'obnova' \
    AND query LIKE 'CREATE DATABASE %' AND state = 'active' AND position(format('\"%s\"', replace($1, '\"', '\"\"')) IN query) > 0";

const GUESTS: &str = "SELECT coalesce(jsonb_agg(jsonb_build_object(\
    'pid', pid, 'role', usename, 'program', application_name)), '[]')::text \
    FROM pg_stat_activity WHERE datname = $1 AND usesysid IS NOT NULL AND pid <> pg_backend_pid()";

/// See the module.
pub(super) struct Server {
    runtime: Runtime,
    connection: PgConnection,
    options: PgConnectOptions,
}

impl Server {
    /// Connects.
    pub(super) fn connect(options: PgConnectOptions) -> Result<Server, Failure> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::disk(std::path::Path::new("runtime"), error))?;
        let connection = runtime.block_on(async {
            tokio::time::timeout(CONNECT_PATIENCE, PgConnection::connect_with(&options))
                .await
                .map_err(|_| Failure::Silent(CONNECT_PATIENCE.as_secs()))?
                .map_err(Failure::Server)
        })?;
        let mut server = Server {
            runtime,
            connection,
            options,
        };
        // What is acknowledged must survive a power cut, and literals are written for this setting.
        server.run("SET synchronous_commit = on; SET standard_conforming_strings = on")?;
        Ok(server)
    }

    /// Runs statements: all, or none of them.
    pub(super) fn run(&mut self, sql: &str) -> Result<(), Failure> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        self.runtime.block_on(self.connection.execute(sql))?;
        Ok(())
    }

    /// Runs one long statement for as long as `go_on` says; then it is cancelled.
    pub(super) fn run_while(&mut self, sql: &str, go_on: &dyn Fn() -> bool) -> Result<(), Failure> {
        let Server {
            runtime,
            connection,
            options,
        } = self;
        runtime.block_on(async {
            let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
                .fetch_one(&mut *connection)
                .await?;
            let statement = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())));
            let stopped = async {
                while go_on() {
                    tokio::time::sleep(PAUSE).await;
                }
            };
            tokio::pin!(statement);
            tokio::select! {
                done = &mut statement => return done.map(|_| ()).map_err(Failure::Server),
                () = stopped => {}
            }
            let mut other = PgConnection::connect_with(options).await?;
            sqlx::query("SELECT pg_cancel_backend($1)")
                .bind(pid)
                .execute(&mut other)
                .await?;
            match statement.await {
                Ok(_) => Ok(()),
                Err(_) => Err(Failure::Interrupted),
            }
        })
    }

    /// What a `COPY ... TO STDOUT` says, up to about `longest` bytes of it; all of it is read.
    pub(super) fn copy_out(&mut self, sql: &str, longest: usize) -> Result<Vec<u8>, Failure> {
        let Server {
            runtime,
            connection,
            ..
        } = self;
        runtime.block_on(async {
            let mut rows = Vec::new();
            let mut said = connection.copy_out_raw(sql).await?;
            while let Some(part) = said.try_next().await? {
                if rows.len() < longest {
                    rows.extend_from_slice(&part);
                }
            }
            Ok(rows)
        })
    }

    /// Gives the data to a `COPY ... FROM STDIN`.
    pub(super) fn copy_in(&mut self, sql: &str, rows: &[u8]) -> Result<(), Failure> {
        let Server {
            runtime,
            connection,
            ..
        } = self;
        runtime.block_on(async {
            let mut copy = connection.copy_in_raw(sql).await?;
            copy.send(rows).await?;
            copy.finish().await?;
            Ok(())
        })
    }

    /// Asks something about a database; the answer is one text of JSON.
    pub(super) fn ask<T: DeserializeOwned>(
        &mut self,
        sql: &'static str,
        database: &str,
    ) -> Result<Option<T>, Failure> {
        let question = sqlx::query_scalar::<_, String>(sql).bind(database);
        let answer = self
            .runtime
            .block_on(question.fetch_optional(&mut self.connection))?;
        answer
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| Failure::Unsuitable(error.to_string()))
    }

    /// Which database has this name.
    pub(super) fn oid(&mut self, database: &str) -> Result<Option<Oid>, Failure> {
        self.ask(
            "SELECT oid::bigint::text FROM pg_database WHERE datname = $1",
            database,
        )
    }

    /// Bytes of a database; none if there is none.
    pub(super) fn size(&mut self, database: &str) -> Result<u64, Failure> {
        let sql = "SELECT pg_database_size(oid)::text FROM pg_database WHERE datname = $1";
        Ok(self.ask(sql, database)?.unwrap_or(0))
    }

    /// What name this database has now.
    pub(super) fn name(&mut self, oid: Oid) -> Result<Option<String>, Failure> {
        self.ask(
            "SELECT to_json(datname)::text FROM pg_database WHERE oid::text = $1",
            &oid.to_string(),
        )
    }

    /// Lets nobody in any more, and cuts off those who are.
    pub(super) fn shut(&mut self, database: &str) -> Result<(), Failure> {
        let name = identifier(database);
        self.run(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"))?;
        self.cut_off(database)
    }

    /// Lets everybody in again who may.
    pub(super) fn open(&mut self, database: &str) -> Result<(), Failure> {
        let name = identifier(database);
        self.run(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
    }

    /// The same, but for the session of this number.
    pub(super) fn shut_but(&mut self, database: &str, session: i64) -> Result<(), Failure> {
        let name = identifier(database);
        self.run(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"))?;
        self.cut_off_but(database, Some(session))
    }

    /// Ends all sessions in a database.
    pub(super) fn cut_off(&mut self, database: &str) -> Result<(), Failure> {
        self.cut_off_but(database, None)
    }

    fn cut_off_but(&mut self, database: &str, spared: Option<i64>) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            let mut guests: Vec<Guest> = self.ask(GUESTS, database)?.unwrap_or_default();
            guests.retain(|guest| Some(guest.pid) != spared);
            if guests.is_empty() {
                return Ok(());
            }
            let mut refused = None;
            for guest in &guests {
                // Not every role may end every session; those left over are told.
                let end = format!("SELECT pg_terminate_backend({})", guest.pid);
                refused = self.run(&end).err().or(refused);
            }
            let patience = match refused {
                Some(_) => STRANGER_PATIENCE,
                None => LEAVE_PATIENCE,
            };
            if began.elapsed() > patience {
                let left = guests.iter().map(|guest| {
                    let role = guest.role.as_deref().unwrap_or("?");
                    let program = guest.program.as_deref().unwrap_or_default();
                    format!("{role} {program} (process {})", guest.pid)
                });
                return Err(Failure::InUse(left.collect::<Vec<_>>().join(", ")));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Drops a copy if there is one of this name, or one is still being made.
    pub(super) fn drop(&mut self, database: &str) -> Result<(), Failure> {
        let until = Instant::now() + LEAVE_PATIENCE;
        while self.ask::<i64>(END_COPYING, database)?.unwrap_or(0) > 0 {
            if Instant::now() > until {
                return Err(Failure::InUse(format!("obnova, making {database}")));
            }
            std::thread::sleep(PAUSE);
        }
        let name = identifier(database);
        self.run(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    }
}

/// A name as it stands in SQL.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as it stands in SQL, with `standard_conforming_strings`.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
