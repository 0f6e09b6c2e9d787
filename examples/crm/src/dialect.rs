//! What SQLite and PostgreSQL spell differently. All other SQL, here and in the release trees, is understood by both.

use std::str::FromStr;

use anyhow::{Context, Result, bail};
use sqlx::any::AnyConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

/// Everything in the schema as kind, name and statement.
const SQLITE_SCHEMA: &str = "
    SELECT type, name, sql FROM sqlite_master
    WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type, name";
const POSTGRES_SCHEMA: &str = r#"
    SELECT 'table' AS kind, CAST(c.relname AS TEXT) COLLATE "C" AS name,
        'CREATE TABLE ' || c.relname || ' (' || string_agg(
            a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
                || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
                || CASE WHEN a.attidentity = '' THEN '' ELSE ' GENERATED AS IDENTITY' END
                || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), ''),
            ', ' ORDER BY a.attnum) || ')' AS sql
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind = 'r' AND c.relnamespace = to_regnamespace(current_schema())
    GROUP BY c.relname
    UNION ALL
    SELECT 'constraint', CAST(conname AS TEXT),
        'ALTER TABLE ' || CAST(CAST(conrelid AS REGCLASS) AS TEXT) || ' ADD CONSTRAINT ' || conname || ' ' || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = to_regnamespace(current_schema())
    UNION ALL
    SELECT 'index', CAST(indexname AS TEXT), indexdef FROM pg_indexes WHERE schemaname = current_schema()
    ORDER BY 1, 2, 3"#;

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

impl Dialect {
    /// That of an address such as `sqlite:///var/lib/crm/crm.db` or `postgres://crm@db.example/crm`.
    pub fn of(url: &str) -> Result<Self> {
        match url.split(':').next().unwrap_or_default() {
            "sqlite" => Ok(Self::Sqlite),
            "postgres" | "postgresql" => Ok(Self::Postgres),
            other => bail!("only sqlite: and postgres: databases are supported, not {other:?}"),
        }
    }

    /// How to connect; `create` makes an empty SQLite file where there is none.
    pub fn options(self, url: &str, create: bool) -> Result<AnyConnectOptions> {
        let mut options = AnyConnectOptions::from_str(url)?;
        let has_password = options.database_url.password().is_some()
            || options
                .database_url
                .query_pairs()
                .any(|(key, _)| key == "password");
        if has_password {
            bail!(
                "a password in the address can be read by everybody on this machine; put it into PGPASSWORD or PGPASSFILE"
            );
        }
        if self == Self::Sqlite && create {
            let file = SqliteConnectOptions::from_str(url)?;
            let directory = file.get_filename().parent();
            if let Some(directory) = directory.filter(|path| !path.as_os_str().is_empty()) {
                std::fs::create_dir_all(directory).with_context(|| {
                    format!("the directory {} cannot be created", directory.display())
                })?;
            }
            options
                .database_url
                .query_pairs_mut()
                .append_pair("mode", "rwc");
        }
        Ok(options)
    }

    /// What every new connection begins with. An acknowledged write must survive a power cut; PostgreSQL sees to it unless it
    /// was told otherwise.
    pub fn greeting(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON"
            }
            Self::Postgres => "SET client_min_messages = warning",
        }
    }

    /// Connections that write. SQLite has one writer; those of PostgreSQL share the waiting for the disk.
    pub fn writers(self) -> u32 {
        match self {
            Self::Sqlite => 1,
            Self::Postgres => 8,
        }
    }

    /// Keeps other writers out of a table until the transaction ends, where there can be others.
    pub fn alone_in(self, table: &str) -> Option<String> {
        let sql = format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE");
        (self == Self::Postgres).then_some(sql)
    }

    /// Begins a transaction that sees the whole database as of one moment.
    pub fn begin_snapshot(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN",
            Self::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ",
        }
    }

    /// Puts in what is written `${id}`: the type of a table's own key.
    pub fn localise(self, sql: &str) -> String {
        let key = match self {
            Self::Sqlite => "INTEGER PRIMARY KEY",
            Self::Postgres => "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
        };
        sql.replace("${id}", key)
    }

    /// Counts the tables called `$1`.
    pub fn count_tables(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
            Self::Postgres => {
                "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1"
            }
        }
    }

    /// Everything in the schema: kind (`table` for tables), name, and SQL that says it, in a fixed order.
    pub fn schema(self) -> &'static str {
        match self {
            Self::Sqlite => SQLITE_SCHEMA,
            Self::Postgres => POSTGRES_SCHEMA,
        }
    }

    /// To be run after rows with keys of their own were put into a table, so that the next key is a new one.
    pub fn continue_keys(self, table: &str) -> Option<String> {
        let sql =
            format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}");
        (self == Self::Postgres).then_some(sql)
    }
}

#[cfg(test)]
mod tests {
    use super::Dialect;

    #[test]
    fn a_password_in_the_address_is_refused_and_not_repeated() {
        for url in [
            "postgres://crm:hunter2@127.0.0.1/crm",
            "postgres:///crm?user=crm&password=hunter2",
        ] {
            let error = Dialect::Postgres.options(url, false).expect_err("refused");
            assert!(error.to_string().contains("PGPASSWORD"), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }
}
