//! People and service accounts.

use std::str::FromStr;

use jiff::Timestamp;
use lettre::Address;
use obnova_text::Lang;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{FromRow, Row};

use super::{Result, Store, StoreError, is_taken, language, millis, time};

/// Longest name, in characters.
pub const NAME_LIMIT: usize = 200;

/// Longest address, in bytes: the limit that SMTP sets.
const EMAIL_LIMIT: usize = 254;

/// Number of a user; never given again.
pub type UserId = i64;

/// Who keeps a user's data up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// An administrator, by hand. An import never touches it.
    Manual,
    /// The import from the application.
    Import,
}

impl Source {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Source::Manual => "manual",
            Source::Import => "import",
        }
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub id: UserId,
    /// The name, as people write it.
    pub name: String,
    /// The e-mail address; with it people sign in.
    pub email: String,
    /// The language of mails and pages.
    pub language: Lang,
    /// Whether there is a password, so that the user can sign in.
    pub has_password: bool,
    /// Who keeps it up to date.
    pub source: Source,
    /// Gets mail and may sign in.
    pub active: bool,
    /// Since when.
    pub created: Timestamp,
}

impl FromRow<'_, SqliteRow> for User {
    fn from_row(row: &SqliteRow) -> sqlx::Result<User> {
        Ok(User {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            email: row.try_get("email")?,
            language: language(row, "language")?,
            has_password: row.try_get("has_password")?,
            source: match row.try_get("source")? {
                "manual" => Source::Manual,
                _ => Source::Import,
            },
            active: row.try_get("active")?,
            created: time(row, "created")?,
        })
    }
}

/// What an administrator writes about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserData {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// The language of mails and pages.
    pub language: Lang,
}

/// Which users a list shows.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// Part of a name or address, whatever its case and diacritics; empty for all.
    pub search: String,
    /// Only members of this group (Everyone: all active people).
    pub group: Option<i64>,
    /// Only active or only inactive ones.
    pub active: Option<bool>,
    /// Skip so many.
    pub offset: u32,
    /// Return at most so many; 0 for no limit.
    pub limit: u32,
}

/// One page of a list, and how long the whole list is.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The entries of this page.
    pub items: Vec<T>,
    /// How many there are on all pages.
    pub total: u64,
}

/// An e-mail address as it is compared.
pub fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

/// An address that mail can be sent to, without surrounding space.
///
/// # Errors
/// [`StoreError::EmailInvalid`]
pub fn parse_email(email: &str) -> Result<&str> {
    let email = email.trim();
    let is_valid = email.len() <= EMAIL_LIMIT
        && !email.chars().any(char::is_control)
        && Address::from_str(email).is_ok();
    is_valid.then_some(email).ok_or(StoreError::EmailInvalid)
}

pub(super) fn parse_name(name: &str) -> Result<&str> {
    let name = name.trim();
    let is_valid = !name.is_empty()
        && name.chars().count() <= NAME_LIMIT
        && !name.chars().any(char::is_control);
    is_valid.then_some(name).ok_or(StoreError::NameInvalid)
}

/// Lower case without diacritics, so that a search for `simek` finds Šimek.
pub(super) fn search_key(text: &str) -> String {
    text.to_lowercase().chars().map(without_mark).collect()
}

fn without_mark(letter: char) -> char {
    const MARKED: &str = "áäčďéěëíľĺňóöôőřŕšťúůüűýž";
    const PLAIN: &str = "aacdeeeillnoooorrstuuuuyz";
    MARKED
        .chars()
        .zip(PLAIN.chars())
        .find_map(|(marked, plain)| (marked == letter).then_some(plain))
        .unwrap_or(letter)
}

impl Store {
    /// How many users can sign in and administer; 0 before the first-run set-up.
    ///
    /// # Errors
    /// The database failed.
    pub async fn administrator_count(&self) -> Result<u64> {
        let mut connection = self.read.acquire().await?;
        administrators(&mut connection).await
    }

    /// The user with this number.
    ///
    /// # Errors
    /// The database failed.
    pub async fn user(&self, id: UserId) -> Result<Option<User>> {
        Ok(sqlx::query_as(
            "SELECT id, name, email, language, password_hash IS NOT NULL AS has_password, source, active, created
             FROM users WHERE id = ?",
        )
        .bind(id)
        .fetch_optional(&self.read)
        .await?)
    }

    /// The user with this address, whatever its case, and the password's hash if there is one. For the sign-in; look at
    /// `active` before letting anybody in.
    ///
    /// # Errors
    /// The database failed.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<(User, Option<String>)>> {
        let row: Option<SqliteRow> = sqlx::query(
            "SELECT id, name, email, language, password_hash IS NOT NULL AS has_password, source, active, created,
                    password_hash
             FROM users WHERE email_key = ?",
        )
        .bind(email_key(email))
        .fetch_optional(&self.read)
        .await?;
        row.map(|row| Ok((User::from_row(&row)?, row.try_get("password_hash")?)))
            .transpose()
    }

    /// Users by name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn users(&self, filter: &UserFilter) -> Result<Page<User>> {
        let rows: Vec<SqliteRow> = sqlx::query(
            "SELECT id, name, email, language, password_hash IS NOT NULL AS has_password, source, active, created,
                    count(*) OVER () AS total
             FROM users
             WHERE instr(search_key, ?1) > 0
               AND (?2 IS NULL
                    OR EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = users.id AND m.group_id = ?2)
                    OR (id IN everyone AND ?2 = (SELECT id FROM groups WHERE identifier_key = 'everyone')))
               AND (?3 IS NULL OR active = ?3)
             ORDER BY search_key, id LIMIT ?4 OFFSET ?5",
        )
        .bind(search_key(filter.search.trim()))
        .bind(filter.group)
        .bind(filter.active)
        .bind(if filter.limit == 0 { -1 } else { i64::from(filter.limit) })
        .bind(filter.offset)
        .fetch_all(&self.read)
        .await?;
        let total = match rows.first() {
            Some(row) => row.try_get::<i64, _>("total")?.unsigned_abs(),
            None => 0,
        };
        let items = rows
            .iter()
            .map(User::from_row)
            .collect::<sqlx::Result<_>>()?;
        Ok(Page { items, total })
    }

    /// Adds a user that is kept by hand.
    ///
    /// # Errors
    /// The name or address is not valid, or the address taken.
    pub async fn add_user(&self, data: &UserData) -> Result<UserId> {
        let mut write = self.begin().await?;
        let id = insert(&mut write, data, Source::Manual).await?;
        write.commit().await?;
        Ok(id)
    }

    /// Changes a user. An imported one is from now on kept by hand, or the next import would undo the change.
    ///
    /// # Errors
    /// There is no such user; the name or address is not valid, or the address taken.
    pub async fn change_user(&self, id: UserId, data: &UserData) -> Result<()> {
        let (name, email) = (parse_name(&data.name)?, parse_email(&data.email)?);
        let done = sqlx::query(
            "UPDATE users SET name = ?, email = ?, email_key = ?, search_key = ?, language = ?, source = 'manual', updated = ?
             WHERE id = ?",
        )
        .bind(name)
        .bind(email)
        .bind(email_key(email))
        .bind(search_key(&format!("{name} {email}")))
        .bind(data.language.tag())
        .bind(millis(Timestamp::now()))
        .bind(id)
        .execute(&self.write)
        .await
        .map_err(taken)?;
        found(done.rows_affected())
    }

    /// Sets the language of mails and pages.
    ///
    /// # Errors
    /// There is no such user.
    pub async fn set_user_language(&self, id: UserId, language: Lang) -> Result<()> {
        let done = sqlx::query("UPDATE users SET language = ? WHERE id = ?")
            .bind(language.tag())
            .bind(id)
            .execute(&self.write)
            .await?;
        found(done.rows_affected())
    }

    /// Sets or takes away the password and ends the user's sessions.
    ///
    /// # Errors
    /// There is no such user, or nobody would be left to administer.
    pub async fn set_password_hash(&self, id: UserId, hash: Option<&str>) -> Result<()> {
        let mut write = self.begin().await?;
        let before = administrators(&mut write).await?;
        let done = sqlx::query("UPDATE users SET password_hash = ?, updated = ? WHERE id = ?")
            .bind(hash)
            .bind(millis(Timestamp::now()))
            .bind(id)
            .execute(&mut *write)
            .await?;
        found(done.rows_affected())?;
        end_sessions(&mut write, id).await?;
        keep_an_administrator(&mut write, before).await?;
        Ok(write.commit().await?)
    }

    /// Lets a user in again, or shuts it out: no mail, no sign-in, its sessions end.
    ///
    /// # Errors
    /// There is no such user, or nobody would be left to administer.
    pub async fn set_user_active(&self, id: UserId, active: bool) -> Result<()> {
        let mut write = self.begin().await?;
        let before = administrators(&mut write).await?;
        let done = sqlx::query("UPDATE users SET active = ?, updated = ? WHERE id = ?")
            .bind(active)
            .bind(millis(Timestamp::now()))
            .bind(id)
            .execute(&mut *write)
            .await?;
        found(done.rows_affected())?;
        if !active {
            end_sessions(&mut write, id).await?;
        }
        keep_an_administrator(&mut write, before).await?;
        Ok(write.commit().await?)
    }

    /// Removes a user with its memberships and sessions. Mails sent to it stay in the outbox's list.
    ///
    /// # Errors
    /// There is no such user, or nobody would be left to administer.
    pub async fn delete_user(&self, id: UserId) -> Result<()> {
        let mut write = self.begin().await?;
        let before = administrators(&mut write).await?;
        let done = sqlx::query("DELETE FROM users WHERE id = ?")
            .bind(id)
            .execute(&mut *write)
            .await?;
        found(done.rows_affected())?;
        keep_an_administrator(&mut write, before).await?;
        Ok(write.commit().await?)
    }

    /// Makes the first administrator, who can sign in. Does nothing and returns `None` when there is one already, so that
    /// the set-up page cannot be used a second time, nor twice at once.
    ///
    /// # Errors
    /// The name or address is not valid, or the address taken.
    pub async fn add_first_administrator(
        &self,
        data: &UserData,
        password_hash: &str,
    ) -> Result<Option<UserId>> {
        let mut write = self.begin().await?;
        if administrators(&mut write).await? > 0 {
            return Ok(None);
        }
        let id = insert(&mut write, data, Source::Manual).await?;
        sqlx::query("UPDATE users SET password_hash = ? WHERE id = ?")
            .bind(password_hash)
            .bind(id)
            .execute(&mut *write)
            .await?;
        sqlx::query(
            "INSERT INTO memberships SELECT ?, id FROM groups WHERE identifier_key = 'administrator'",
        )
        .bind(id)
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(Some(id))
    }
}

/// Adds a user within a transaction.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    data: &UserData,
    source: Source,
) -> Result<UserId> {
    let (name, email) = (parse_name(&data.name)?, parse_email(&data.email)?);
    let now = millis(Timestamp::now());
    let done = sqlx::query(
        "INSERT INTO users (name, email, email_key, search_key, language, source, created, updated)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(name)
    .bind(email)
    .bind(email_key(email))
    .bind(search_key(&format!("{name} {email}")))
    .bind(data.language.tag())
    .bind(source.as_str())
    .bind(now)
    .bind(now)
    .execute(connection)
    .await
    .map_err(taken)?;
    Ok(done.last_insert_rowid())
}

/// How many users can sign in and administer.
pub(super) async fn administrators(connection: &mut SqliteConnection) -> Result<u64> {
    let count: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM users u
         JOIN memberships m ON m.user_id = u.id
         JOIN groups g ON g.id = m.group_id AND g.identifier_key = 'administrator'
         WHERE u.active = 1 AND u.password_hash IS NOT NULL",
    )
    .fetch_one(connection)
    .await?;
    Ok(count.unsigned_abs())
}

/// Refuses a change that would leave nobody to administer, where there was somebody before.
pub(super) async fn keep_an_administrator(
    connection: &mut SqliteConnection,
    before: u64,
) -> Result<()> {
    if before > 0 && administrators(connection).await? == 0 {
        return Err(StoreError::LastAdministrator);
    }
    Ok(())
}

async fn end_sessions(connection: &mut SqliteConnection, id: UserId) -> Result<()> {
    sqlx::query("DELETE FROM sessions WHERE user_id = ?")
        .bind(id)
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) fn found(rows: u64) -> Result<()> {
    (rows > 0).then_some(()).ok_or(StoreError::NotFound)
}

fn taken(error: sqlx::Error) -> StoreError {
    if is_taken(&error) {
        StoreError::EmailTaken
    } else {
        error.into()
    }
}
