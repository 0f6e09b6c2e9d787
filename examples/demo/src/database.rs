//! The customer's central database: a SQLite file, or a database of a PostgreSQL server that is there for this run only.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use obnova_testkit::fingerprint::Fingerprint;
use obnova_testkit::postgres::Postgres;
use rand::distr::{Alphanumeric, SampleString};

/// The CRM's role and its database at the PostgreSQL server.
const CRM: &str = "crm";
/// In the state directory: the password of the role.
const PASSWORD_FILE: &str = "database-password";

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file in the state directory.
    Sqlite,
    /// A server of one's own.
    Postgres,
}

/// What was made.
pub enum Database {
    /// This file.
    Sqlite(PathBuf),
    /// At this server, with the role's password.
    Postgres(Postgres, String),
}

impl Database {
    /// Makes what the CRM's first migration needs, for the installation in this state directory.
    ///
    /// # Errors
    /// PostgreSQL is not installed or does not start.
    pub fn make(kind: Kind, state_dir: &Path) -> Result<Database> {
        if kind == Kind::Sqlite {
            return Ok(Database::Sqlite(state_dir.join("data/crm.db")));
        }
        let server = Postgres::start()?;
        let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
        let sql = format!(
            "CREATE ROLE {CRM} LOGIN CREATEDB PASSWORD '{password}';\nCREATE DATABASE {CRM} OWNER {CRM};"
        );
        server.sql("postgres", "postgres", &sql)?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(state_dir.join(PASSWORD_FILE))?
            .write_all(password.as_bytes())
            .context("the password's file")?;
        Ok(Database::Postgres(server, password))
    }

    /// Its section of `installation.toml`.
    pub fn section(&self) -> String {
        match self {
            Self::Sqlite(_) => {
                "[database]\ndriver = \"sqlite\"\npath = \"data/crm.db\"\n".to_owned()
            }
            Self::Postgres(..) => format!(
                "[database]\ndriver = \"postgres\"\nurl = {:?}\npassword_file = {PASSWORD_FILE:?}\n",
                self.url()
            ),
        }
    }

    /// Its address, without a password.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(server, _) => {
                format!("postgres://{CRM}@127.0.0.1:{}/{CRM}", server.port())
            }
        }
    }

    /// Its address as the centre's import of users wants it: with the password, in a form that only the centre sees.
    pub fn import_url(&self) -> String {
        match self {
            Self::Sqlite(_) => self.url(),
            Self::Postgres(_, password) => self.url().replacen('@', &format!(":{password}@"), 1),
        }
    }

    /// The password, if it has one.
    pub fn password(&self) -> Option<&str> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(_, password) => Some(password),
        }
    }

    /// What the CRM needs in its environment to get in.
    pub fn env(&self) -> Option<(&'static str, &str)> {
        self.password().map(|password| ("PGPASSWORD", password))
    }

    /// How somebody at this machine looks into it.
    pub fn command(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite3 {}", path.display()),
            Self::Postgres(server, _) => format!(
                "psql -h {} -p {} -U {CRM} {CRM}",
                server.socket().display(),
                server.port()
            ),
        }
    }

    /// Its content: every row and the schema of SQLite; of PostgreSQL what `pg_dump` writes.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn fingerprint(&self) -> Result<Fingerprint> {
        match self {
            Self::Sqlite(path) => Fingerprint::of_sqlite(path).await,
            Self::Postgres(server, _) => Ok(Fingerprint::of_text(&server.dump(CRM)?)),
        }
    }

    /// The number that a query answers, asked beside the CRM.
    ///
    /// # Errors
    /// It cannot be asked, or answers something else.
    pub async fn count(&self, query: &'static str) -> Result<i64> {
        let path = match self {
            Self::Sqlite(path) => path,
            Self::Postgres(server, _) => return Ok(server.sql(CRM, CRM, query)?.parse()?),
        };
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(path)
            .read_only(true);
        let pool = sqlx::sqlite::SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await?;
        let count = sqlx::query_scalar(query).fetch_one(&pool).await?;
        pool.close().await;
        Ok(count)
    }
}
