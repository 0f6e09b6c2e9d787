//! What the server is and what this account may do there.

use std::collections::BTreeSet;

use super::failure::Failure;
use super::server::{Server, identifier, literal};

/// The oldest MariaDB that this was made for, as major and minor version.
const OLDEST: (u32, u32) = (10, 5);
/// The oldest MySQL, which the tests do not try.
const OLDEST_MYSQL: (u32, u32) = (8, 0);
/// What dumping the database and making it anew takes.
const NEEDED: [&str; 14] = [
    "SELECT",
    "INSERT",
    "CREATE",
    "DROP",
    "ALTER",
    "INDEX",
    "REFERENCES",
    "CREATE VIEW",
    "SHOW VIEW",
    "CREATE ROUTINE",
    "ALTER ROUTINE",
    "TRIGGER",
    "EVENT",
    "LOCK TABLES",
];
/// Any of these lets an account make what somebody else defined.
const DEFINING: [&str; 2] = ["SUPER", "SET USER"];
/// Any of these lets an account end other accounts' sessions.
const ENDING: [&str; 3] = ["SUPER", "CONNECTION ADMIN", "CONNECTION_ADMIN"];

/// See the module.
#[derive(Debug)]
pub(super) struct Rights {
    version: String,
    read_only: bool,
    /// `user@host`.
    account: String,
    /// Bytes of the database's tables and indexes.
    size: u64,
    exists: bool,
    global: BTreeSet<String>,
    here: BTreeSet<String>,
    /// Accounts beside this one that views, routines, triggers and events run as.
    definers: Vec<String>,
    /// Tables that a transaction does not cover.
    untransacted: u64,
    /// Whether it may read the server's own tables of accounts.
    sees_accounts: bool,
}

impl Rights {
    /// Asks the server.
    pub(super) fn ask(server: &mut Server, database: &str) -> Result<Rights, Failure> {
        let row = server.row("SELECT VERSION(), @@global.read_only, CURRENT_USER()")?;
        let [version, read_only, account] = row
            .and_then(|row| row.try_into().ok())
            .ok_or_else(|| Failure::Unsuitable("the server does not answer".to_owned()))?;
        let name = literal(database);
        let tables = format!("FROM information_schema.tables WHERE table_schema = {name}");
        let grantee = grantee(&account);
        let mut set = |sql: String| -> Result<BTreeSet<String>, Failure> {
            let rows = server.rows(&sql)?;
            Ok(rows
                .into_iter()
                .filter_map(|row| row.into_iter().next()?)
                .collect())
        };
        let global = set(format!(
            "SELECT privilege_type FROM information_schema.user_privileges WHERE grantee = {grantee}"
        ))?;
        // Names of databases are patterns there.
        let here = set(format!(
            "SELECT privilege_type FROM information_schema.schema_privileges \
             WHERE grantee = {grantee} AND {name} LIKE table_schema"
        ))?;
        let definers = set(format!(
            "SELECT definer FROM information_schema.views WHERE table_schema = {name} \
             UNION SELECT definer FROM information_schema.routines WHERE routine_schema = {name} \
             UNION SELECT definer FROM information_schema.triggers WHERE trigger_schema = {name} \
             UNION SELECT definer FROM information_schema.events WHERE event_schema = {name}"
        ))?;
        Ok(Rights {
            version,
            read_only: read_only != "0",
            size: server.number(&format!(
                "SELECT CAST(coalesce(sum(data_length + index_length), 0) AS UNSIGNED) {tables}"
            ))?,
            exists: server.number(&format!(
                "SELECT count(*) FROM information_schema.schemata WHERE schema_name = {name}"
            ))? > 0,
            untransacted: server.number(&format!(
                "SELECT count(*) {tables} AND engine IS NOT NULL AND engine NOT IN \
                 (SELECT engine FROM information_schema.engines WHERE transactions = 'YES')"
            ))?,
            sees_accounts: server
                .number("SELECT count(*) FROM mysql.global_priv")
                .is_ok(),
            definers: definers
                .into_iter()
                .filter(|definer| *definer != account)
                .collect(),
            account,
            global,
            here,
        })
    }

    /// Bytes that the database takes at the server.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Tables that are not copied as of one instant while somebody writes to them.
    pub(super) fn untransacted(&self) -> u64 {
        self.untransacted
    }

    /// Privileges on everything, but those that would let an application do more than with its data.
    pub(super) fn global(&self) -> &BTreeSet<String> {
        &self.global
    }

    /// Accounts beside this one that something in the database runs as.
    pub(super) fn definers(&self) -> &[String] {
        &self.definers
    }

    /// Whether the account may lock others, and see which are locked.
    pub(super) fn may_lock(&self) -> bool {
        self.version.contains("MariaDB")
            && self.global.contains("CREATE USER")
            && (self.global.contains("SELECT") || self.sees_accounts)
    }

    /// For people.
    pub(super) fn told(&self) -> Vec<String> {
        let mut told = vec![
            format!("server {}, account {}", self.version, self.account),
            match self.has_any(&ENDING) {
                true => "may end sessions of other accounts".to_owned(),
                false => {
                    "may end its own sessions only: others' must end by themselves before an update"
                        .to_owned()
                }
            },
            match self.has("PROCESS") {
                true => "sees who else is in the database".to_owned(),
                false => {
                    "sees only its own sessions: whoever else is in the database is not noticed"
                        .to_owned()
                }
            },
            match self.may_lock() {
                true => "may lock other accounts: they are kept out during a change-over".to_owned(),
                false => "may not lock other accounts (CREATE USER ON *.*, SELECT ON mysql.*): they are cut off, but may come again"
                    .to_owned(),
            },
            "grants are the server's and outlive a return to a dump".to_owned(),
        ];
        if !self.version.contains("MariaDB") {
            told.push("this is MySQL, with which Obnova is not tested".to_owned());
        }
        if self.untransacted > 0 {
            told.push(format!(
                "{} tables know no transactions (MyISAM, Aria and the like): a rehearsal's copy of them may be torn",
                self.untransacted
            ));
        }
        told
    }

    /// Why nothing can be done here at all.
    pub(super) fn obstacles(&self) -> Vec<String> {
        let mut obstacles = Vec::new();
        let mut needs = |holds: bool, otherwise: &str| {
            if !holds {
                obstacles.push(otherwise.to_owned());
            }
        };
        needs(
            self.is_known(),
            "only MariaDB since 10.5 and MySQL since 8.0 are known",
        );
        needs(!self.read_only, "the server is read-only");
        needs(
            self.exists,
            "there is no such database at the server, or this account does not see it",
        );
        obstacles
    }

    /// Why the database cannot be dumped and made anew.
    pub(super) fn obstacles_to_dump(&self) -> Vec<String> {
        let lacking: Vec<&str> = NEEDED
            .into_iter()
            .filter(|privilege| !self.has(privilege))
            .collect();
        let mut obstacles = Vec::new();
        if !lacking.is_empty() {
            obstacles.push(format!(
                "the account {} lacks {} (GRANT ALL PRIVILEGES ON the database)",
                self.account,
                lacking.join(", ")
            ));
        }
        if !self.definers.is_empty() && !self.has_any(&DEFINING) {
            obstacles.push(format!(
                "something in the database runs as {}, which the account {} may not make (GRANT SET USER ON *.*)",
                self.definers.join(", "),
                self.account
            ));
        }
        obstacles
    }

    fn is_known(&self) -> bool {
        let oldest = match self.version.contains("MariaDB") {
            true => OLDEST,
            false => OLDEST_MYSQL,
        };
        version(&self.version).is_some_and(|version| version >= oldest)
    }

    fn has(&self, privilege: &str) -> bool {
        self.global.contains(privilege) || self.here.contains(privilege)
    }

    fn has_any(&self, privileges: &[&str]) -> bool {
        privileges.iter().any(|privilege| self.has(privilege))
    }
}

/// Columns of a database whose values a dump would round, and so a way back would change: the server shows six digits of a
/// FLOAT, whatever it holds.
pub(super) fn rounded(server: &mut Server, database: &str) -> Result<Vec<String>, Failure> {
    let columns = server.rows(&format!(
        "SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t \
         ON t.table_schema = c.table_schema AND t.table_name = c.table_name \
         WHERE c.table_schema = {} AND c.data_type = 'float' AND t.table_type <> 'VIEW' ORDER BY 1, 2",
        literal(database)
    ))?;
    let mut found = Vec::new();
    for column in columns {
        let [Some(table), Some(column)] = column.as_slice() else {
            continue;
        };
        let (name, value) = (identifier(table), identifier(column));
        let is_lossy = server.number(&format!(
            "SELECT EXISTS (SELECT 1 FROM {}.{name} WHERE {value} <> CAST(CAST({value} AS CHAR) AS FLOAT))",
            identifier(database)
        ))?;
        if is_lossy > 0 {
            found.push(format!("{table}.{column}"));
        }
    }
    Ok(found)
}

/// `user@host` as the server's tables of privileges write it, as a text in SQL.
fn grantee(account: &str) -> String {
    let (user, host) = account.rsplit_once('@').unwrap_or((account, "%"));
    literal(&format!("'{user}'@'{host}'"))
}

/// Major and minor version in `10.11.19-MariaDB-0+deb12u1`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|char: char| !char.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_the_server_says() {
        assert_eq!(version("10.11.19-MariaDB-0+deb12u1"), Some((10, 11)));
        assert_eq!(version("8.4.0"), Some((8, 4)));
        assert_eq!(version("what?"), None);
    }

    #[test]
    fn an_account_is_written_as_the_tables_of_privileges_do() {
        assert_eq!(grantee("crm@localhost"), "'''crm''@''localhost'''");
        assert_eq!(grantee("a@b@%"), "'''a@b''@''%'''");
    }
}
