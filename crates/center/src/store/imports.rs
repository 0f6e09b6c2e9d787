//! Takes users from the application. An imported user follows its source; one that is kept by hand is never touched, and nobody
//! becomes an administrator by an import.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use obnova_text::Lang;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteConnection;

use super::groups::{identifier_key, parse_identifier};
use super::users::{
    Source, UserData, UserId, administrators, email_key, insert, keep_an_administrator,
    parse_email, parse_name, search_key,
};
use super::{Result, Store, StoreError, millis};

/// One row of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRow {
    /// Its number in the source, from 1; in a file the number of the line.
    pub line: u64,
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
    /// The language, if the source says one that Obnova speaks.
    pub language: Option<Lang>,
    /// Identifiers of groups; `None` when the source has no groups, then nobody's groups change.
    pub groups: Option<Vec<String>>,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// New users.
    pub added: u64,
    /// Users with new data or groups.
    pub changed: u64,
    /// Users that were as in the source.
    pub unchanged: u64,
    /// Users that are in the source again, among the changed.
    pub reactivated: u64,
    /// Imported users that are no longer in the source: inactive now.
    pub deactivated: u64,
    /// Rows of people who are kept by hand: not touched.
    pub kept: u64,
    /// Rows that could not be taken as they are; at most [`ERROR_LIMIT`] of them.
    pub errors: Vec<RowError>,
    /// How many there were in all.
    pub error_count: u64,
}

/// How many row errors are kept.
pub const ERROR_LIMIT: usize = 200;

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowError {
    /// Its number in the source.
    pub line: u64,
    /// Its address, as it is there.
    pub email: String,
    /// What; the text is `import-row-<code>`.
    pub code: String,
}

impl Outcome {
    /// Adds an error.
    pub(crate) fn error(&mut self, line: u64, email: &str, code: &str) {
        self.error_count += 1;
        if self.errors.len() < ERROR_LIMIT {
            self.errors.push(RowError {
                line,
                email: email.chars().take(254).collect(),
                code: code.to_owned(),
            });
        }
    }
}

/// A user as the import finds it.
struct Known {
    id: UserId,
    name: String,
    email: String,
    language: String,
    by_hand: bool,
    active: bool,
    /// Its listed groups without Administrator.
    groups: HashSet<i64>,
}

impl Store {
    /// Makes the imported users those of these rows, in one transaction. Users that are not in them become inactive if
    /// `deactivate_missing`. `outcome` comes with the errors found so far. `None`, and nothing is done, when no row is usable.
    ///
    /// # Errors
    /// The database failed; nothing was changed.
    pub async fn import(
        &self,
        rows: Vec<ImportRow>,
        deactivate_missing: bool,
        mut outcome: Outcome,
    ) -> Result<Option<Outcome>> {
        let default = self.settings().await?.default_language;
        let mut write = self.begin().await?;
        let before = administrators(&mut write).await?;
        let mut import = Import::begin(&mut write, default).await?;
        for row in &rows {
            import.take(&mut write, row, &mut outcome).await?;
        }
        if import.seen.is_empty() {
            return Ok(None);
        }
        if deactivate_missing {
            outcome.deactivated = import.deactivate_missing(&mut write).await?;
        }
        keep_an_administrator(&mut write, before).await?;
        write.commit().await?;
        Ok(Some(outcome))
    }
}

/// An import under way.
struct Import {
    known: HashMap<String, Known>,
    groups: HashMap<String, i64>,
    /// Addresses of usable rows.
    seen: HashSet<String>,
    default_language: Lang,
}

impl Import {
    async fn begin(connection: &mut SqliteConnection, default_language: Lang) -> Result<Import> {
        let users: Vec<(UserId, String, String, String, String, String, bool)> = sqlx::query_as(
            "SELECT id, email_key, name, email, language, source, active FROM users",
        )
        .fetch_all(&mut *connection)
        .await?;
        let memberships: Vec<(UserId, i64)> = sqlx::query_as(
            "SELECT m.user_id, m.group_id FROM memberships m JOIN groups g ON g.id = m.group_id
             WHERE g.identifier_key <> 'administrator'",
        )
        .fetch_all(&mut *connection)
        .await?;
        let mut groups_of: HashMap<UserId, HashSet<i64>> = HashMap::new();
        for (user, group) in memberships {
            groups_of.entry(user).or_default().insert(group);
        }
        let known = users
            .into_iter()
            .map(|(id, key, name, email, language, source, active)| {
                let known = Known {
                    id,
                    name,
                    email,
                    language,
                    by_hand: source == Source::Manual.as_str(),
                    active,
                    groups: groups_of.remove(&id).unwrap_or_default(),
                };
                (key, known)
            })
            .collect();
        let groups: Vec<(String, i64)> = sqlx::query_as("SELECT identifier_key, id FROM groups")
            .fetch_all(connection)
            .await?;
        Ok(Import {
            known,
            groups: groups.into_iter().collect(),
            seen: HashSet::new(),
            default_language,
        })
    }

    async fn take(
        &mut self,
        connection: &mut SqliteConnection,
        row: &ImportRow,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let (name, email) = match (parse_name(&row.name), parse_email(&row.email)) {
            (Ok(name), Ok(email)) => (name, email),
            (_, Err(_)) => {
                outcome.error(row.line, &row.email, "email-invalid");
                return Ok(());
            }
            (Err(_), _) => {
                outcome.error(row.line, &row.email, "name-invalid");
                return Ok(());
            }
        };
        let key = email_key(email);
        if !self.seen.insert(key.clone()) {
            outcome.error(row.line, &row.email, "duplicate");
            return Ok(());
        }
        let known = self.known.get(&key);
        if known.is_some_and(|known| known.by_hand) {
            outcome.kept += 1;
            return Ok(());
        }
        let had = known.map(|known| known.groups.clone());
        let data = UserData {
            name: name.to_owned(),
            email: email.to_owned(),
            language: self.language(row, known),
        };
        let wanted = self.wanted_groups(connection, row, outcome).await?;
        let (id, change) = match self.known.get(&key) {
            None => (
                insert(connection, &data, Source::Import).await?,
                Change::Added,
            ),
            Some(known) => (known.id, update(connection, known, &data).await?),
        };
        let regrouped = match wanted {
            Some(wanted) if had.unwrap_or_default() != wanted => {
                regroup(connection, id, &wanted).await?;
                true
            }
            _ => false,
        };
        match change {
            Change::Added => outcome.added += 1,
            Change::Reactivated => {
                outcome.changed += 1;
                outcome.reactivated += 1;
            }
            Change::Changed => outcome.changed += 1,
            Change::None if regrouped => outcome.changed += 1,
            Change::None => outcome.unchanged += 1,
        }
        Ok(())
    }

    /// The row's language; where it says none, the one a user has already, who may have chosen it.
    fn language(&self, row: &ImportRow, known: Option<&Known>) -> Lang {
        row.language
            .or_else(|| known.and_then(|known| known.language.parse().ok()))
            .unwrap_or(self.default_language)
    }

    /// The groups of a row, new ones added.
    async fn wanted_groups(
        &mut self,
        connection: &mut SqliteConnection,
        row: &ImportRow,
        outcome: &mut Outcome,
    ) -> Result<Option<HashSet<i64>>> {
        let Some(names) = &row.groups else {
            return Ok(None);
        };
        let mut wanted = HashSet::new();
        for name in names.iter().filter(|name| !name.trim().is_empty()) {
            match identifier_key(name).as_str() {
                "everyone" => {}
                "administrator" => outcome.error(row.line, &row.email, "administrator"),
                key => match (self.groups.get(key), parse_identifier(name)) {
                    (Some(id), _) => {
                        wanted.insert(*id);
                    }
                    (None, Ok(identifier)) => {
                        let id = add_group(connection, identifier).await?;
                        self.groups.insert(key.to_owned(), id);
                        wanted.insert(id);
                    }
                    (None, Err(_)) => outcome.error(row.line, &row.email, "group-invalid"),
                },
            }
        }
        Ok(Some(wanted))
    }

    async fn deactivate_missing(&self, connection: &mut SqliteConnection) -> Result<u64> {
        let mut count = 0;
        for (key, known) in &self.known {
            if known.by_hand || !known.active || self.seen.contains(key) {
                continue;
            }
            sqlx::query("UPDATE users SET active = 0, updated = ? WHERE id = ?")
                .bind(millis(Timestamp::now()))
                .bind(known.id)
                .execute(&mut *connection)
                .await?;
            sqlx::query("DELETE FROM sessions WHERE user_id = ?")
                .bind(known.id)
                .execute(&mut *connection)
                .await?;
            count += 1;
        }
        Ok(count)
    }
}

enum Change {
    Added,
    Reactivated,
    Changed,
    None,
}

async fn update(
    connection: &mut SqliteConnection,
    known: &Known,
    data: &UserData,
) -> Result<Change> {
    let same = known.name == data.name
        && known.email == data.email
        && known.language == data.language.tag();
    if same && known.active {
        return Ok(Change::None);
    }
    sqlx::query(
        "UPDATE users SET name = ?, email = ?, search_key = ?, language = ?, active = 1, updated = ? WHERE id = ?",
    )
    .bind(&data.name)
    .bind(&data.email)
    .bind(search_key(&format!("{} {}", data.name, data.email)))
    .bind(data.language.tag())
    .bind(millis(Timestamp::now()))
    .bind(known.id)
    .execute(connection)
    .await?;
    Ok(if known.active {
        Change::Changed
    } else {
        Change::Reactivated
    })
}

/// Puts a user into these groups; Administrator, which is given by hand, stays.
async fn regroup(
    connection: &mut SqliteConnection,
    user: UserId,
    wanted: &HashSet<i64>,
) -> Result<()> {
    sqlx::query(
        "DELETE FROM memberships WHERE user_id = ?
         AND group_id <> (SELECT id FROM groups WHERE identifier_key = 'administrator')",
    )
    .bind(user)
    .execute(&mut *connection)
    .await?;
    for group in wanted {
        sqlx::query("INSERT INTO memberships VALUES (?, ?)")
            .bind(user)
            .bind(group)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn add_group(
    connection: &mut SqliteConnection,
    identifier: &str,
) -> std::result::Result<i64, StoreError> {
    let done = sqlx::query("INSERT INTO groups (identifier, identifier_key) VALUES (?, ?)")
        .bind(identifier)
        .bind(identifier_key(identifier))
        .execute(connection)
        .await?;
    Ok(done.last_insert_rowid())
}
