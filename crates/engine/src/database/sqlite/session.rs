//! A connection to the file that writes nothing, not even when it is the last one and closes.

use std::path::Path;

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, Executor, Row};
use tokio::runtime::{Builder, Runtime};

/// See the module.
pub(super) struct Session {
    runtime: Runtime,
    connection: SqliteConnection,
}

/// A table whose rows are stored: an ordinary one, or one in which a virtual one keeps its data.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name.
    pub(super) name: String,
    /// The columns that are stored.
    pub(super) columns: Vec<String>,
    /// What orders and names its rows; for most tables SQLite's own number.
    pub(super) key: Key,
}

/// See [`Table::key`].
#[derive(Debug)]
pub(super) enum Key {
    /// The row's number, by a name that no column of the table has.
    Number(&'static str),
    /// These columns.
    Columns(Vec<String>),
}

impl Session {
    /// Opens the file and begins to read: until [`Session::end`] it sees the database as it is now.
    pub(super) fn read(file: &Path) -> Result<Session, sqlx::Error> {
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut session = Session::open(&options)?;
        session.run("BEGIN; SELECT count(*) FROM sqlite_schema")?;
        Ok(session)
    }

    /// Opens a file that nobody else has open, to change it.
    pub(super) fn write(file: &Path) -> Result<Session, sqlx::Error> {
        Session::open(&SqliteConnectOptions::new().filename(file))
    }

    fn open(options: &SqliteConnectOptions) -> Result<Session, sqlx::Error> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let connection = runtime.block_on(SqliteConnection::connect_with(options))?;
        Ok(Session {
            runtime,
            connection,
        })
    }

    /// Runs statements.
    pub(super) fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        self.runtime
            .block_on(self.connection.execute(sqlx::raw_sql(sql)))?;
        Ok(())
    }

    /// Lets go of the database, and tells the worst that closing it brings.
    pub(super) fn end(self) -> Result<(), sqlx::Error> {
        self.runtime.block_on(self.connection.close())
    }

    /// Asks for one number.
    pub(super) fn number(&mut self, sql: &str) -> Result<Option<i64>, sqlx::Error> {
        let question = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
        self.runtime
            .block_on(question.fetch_one(&mut self.connection))
    }

    /// Hands over every row of an answer.
    pub(super) fn each(
        &mut self,
        sql: &str,
        row: &mut dyn FnMut(&SqliteRow) -> Result<(), sqlx::Error>,
    ) -> Result<(), sqlx::Error> {
        let Session {
            runtime,
            connection,
        } = self;
        runtime.block_on(async {
            let mut rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch(connection);
            while let Some(found) = rows.try_next().await? {
                row(&found)?;
            }
            Ok(())
        })
    }

    /// The tables whose rows are stored, by name.
    pub(super) fn tables(&mut self) -> Result<Vec<Table>, sqlx::Error> {
        let mut found = Vec::new();
        self.each(
            "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') \
             AND name <> 'sqlite_schema' ORDER BY name",
            &mut |row| {
                found.push((row.try_get::<String, _>(0)?, row.try_get::<bool, _>(1)?));
                Ok(())
            },
        )?;
        let mut tables = Vec::new();
        for (name, without_rowid) in found {
            tables.push(self.table(name, without_rowid)?);
        }
        Ok(tables)
    }

    fn table(&mut self, name: String, without_rowid: bool) -> Result<Table, sqlx::Error> {
        let (mut columns, mut keys) = (Vec::new(), Vec::new());
        let sql = format!(
            "SELECT name, pk FROM pragma_table_xinfo({}) WHERE hidden = 0 ORDER BY cid",
            literal(&name)
        );
        self.each(&sql, &mut |row| {
            let (column, place): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            if place > 0 {
                keys.push((place, column.clone()));
            }
            columns.push(column);
            Ok(())
        })?;
        keys.sort();
        let is_free = |number: &&str| {
            !columns
                .iter()
                .any(|column| column.eq_ignore_ascii_case(number))
        };
        let number = ["rowid", "_rowid_", "oid"].into_iter().find(is_free);
        let key = match number {
            Some(number) if !without_rowid => Key::Number(number),
            _ if keys.is_empty() => Key::Columns(columns.clone()),
            _ => Key::Columns(keys.into_iter().map(|(_, column)| column).collect()),
        };
        Ok(Table { name, columns, key })
    }
}

/// A name as it stands in SQL.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
