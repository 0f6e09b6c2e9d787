//! Groups of users. System (service accounts), Everyone (all active people) and Administrator are built in.

use sqlx::FromRow;

use super::users::{UserId, administrators, found, keep_an_administrator};
use super::{Result, Store, StoreError, is_taken};

/// Identifier of the group of all active people. It has no list of members: it is computed.
pub const EVERYONE: &str = "Everyone";
/// Identifier of the group of those who may use the Administration Centre.
pub const ADMINISTRATOR: &str = "Administrator";

/// Number of a group; never given again.
pub type GroupId = i64;

/// Longest identifier, in characters.
pub const IDENTIFIER_LIMIT: usize = 100;

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Group {
    /// Its number.
    pub id: GroupId,
    /// Its identifier, which settings name it by.
    pub identifier: String,
    /// Cannot be deleted or renamed.
    pub builtin: bool,
    /// How many active users are in it.
    pub members: i64,
}

impl Group {
    /// Whether its members are computed instead of listed.
    pub fn is_everyone(&self) -> bool {
        self.identifier == EVERYONE
    }
}

/// A group's identifier as it is compared.
pub(super) fn identifier_key(identifier: &str) -> String {
    identifier.trim().to_lowercase()
}

pub(super) fn parse_identifier(identifier: &str) -> Result<&str> {
    let identifier = identifier.trim();
    let is_valid = !identifier.is_empty()
        && identifier.chars().count() <= IDENTIFIER_LIMIT
        // A comma separates identifiers in settings and imports.
        && !identifier.chars().any(|c| c.is_control() || c == ',');
    is_valid
        .then_some(identifier)
        .ok_or(StoreError::NameInvalid)
}

impl Store {
    /// All groups, the built-in ones first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn groups(&self) -> Result<Vec<Group>> {
        Ok(sqlx::query_as(
            "SELECT id, identifier, builtin,
                    CASE identifier_key
                    WHEN 'everyone' THEN (SELECT count(*) FROM everyone)
                    ELSE (SELECT count(*) FROM memberships m JOIN users u ON u.id = m.user_id AND u.active = 1
                          WHERE m.group_id = groups.id)
                    END AS members
             FROM groups ORDER BY builtin DESC, CASE WHEN builtin = 1 THEN id END DESC, identifier_key",
        )
        .fetch_all(&self.read)
        .await?)
    }

    /// The groups that a user is listed in (so without Everyone).
    ///
    /// # Errors
    /// The database failed.
    pub async fn groups_of(&self, user: UserId) -> Result<Vec<GroupId>> {
        Ok(sqlx::query_scalar(
            "SELECT group_id FROM memberships WHERE user_id = ? ORDER BY group_id",
        )
        .bind(user)
        .fetch_all(&self.read)
        .await?)
    }

    /// Whether the user is in the group Administrator.
    ///
    /// # Errors
    /// The database failed.
    pub async fn is_administrator(&self, user: UserId) -> Result<bool> {
        Ok(sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM memberships m JOIN groups g ON g.id = m.group_id
                            WHERE m.user_id = ? AND g.identifier_key = 'administrator')",
        )
        .bind(user)
        .fetch_one(&self.read)
        .await?)
    }

    /// Adds a group.
    ///
    /// # Errors
    /// The identifier is empty, too long, has a comma, or is taken.
    pub async fn add_group(&self, identifier: &str) -> Result<GroupId> {
        let identifier = parse_identifier(identifier)?;
        let done = sqlx::query("INSERT INTO groups (identifier, identifier_key) VALUES (?, ?)")
            .bind(identifier)
            .bind(identifier_key(identifier))
            .execute(&self.write)
            .await
            .map_err(taken)?;
        Ok(done.last_insert_rowid())
    }

    /// Renames a group, in the settings that name it too.
    ///
    /// # Errors
    /// It is built in or not there; the identifier is not valid or taken.
    pub async fn rename_group(&self, id: GroupId, identifier: &str) -> Result<()> {
        let identifier = parse_identifier(identifier)?;
        let mut write = self.begin().await?;
        let old: Option<(String, bool)> =
            sqlx::query_as("SELECT identifier, builtin FROM groups WHERE id = ?")
                .bind(id)
                .fetch_optional(&mut *write)
                .await?;
        let (old, builtin) = old.ok_or(StoreError::NotFound)?;
        if builtin {
            return Err(StoreError::GroupBuiltin);
        }
        sqlx::query("UPDATE groups SET identifier = ?, identifier_key = ? WHERE id = ?")
            .bind(identifier)
            .bind(identifier_key(identifier))
            .bind(id)
            .execute(&mut *write)
            .await
            .map_err(taken)?;
        let mut settings = super::settings::read(&mut write).await?;
        for name in &mut settings.notify_groups {
            if identifier_key(name) == identifier_key(&old) {
                *name = identifier.to_owned();
            }
        }
        super::settings::save(&mut write, &settings).await?;
        Ok(write.commit().await?)
    }

    /// Removes a group; its members stay.
    ///
    /// # Errors
    /// It is built in or not there.
    pub async fn delete_group(&self, id: GroupId) -> Result<()> {
        let mut write = self.begin().await?;
        let builtin: Option<bool> = sqlx::query_scalar("SELECT builtin FROM groups WHERE id = ?")
            .bind(id)
            .fetch_optional(&mut *write)
            .await?;
        if builtin.ok_or(StoreError::NotFound)? {
            return Err(StoreError::GroupBuiltin);
        }
        sqlx::query("DELETE FROM groups WHERE id = ?")
            .bind(id)
            .execute(&mut *write)
            .await?;
        Ok(write.commit().await?)
    }

    /// Puts the user into exactly these groups. Everyone among them is passed over: membership in it is computed.
    ///
    /// # Errors
    /// There is no such user or group, or nobody would be left to administer.
    pub async fn set_groups_of(&self, user: UserId, groups: &[GroupId]) -> Result<()> {
        let mut write = self.begin().await?;
        let before = administrators(&mut write).await?;
        let known: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE id = ?")
            .bind(user)
            .fetch_one(&mut *write)
            .await?;
        found(known.unsigned_abs())?;
        sqlx::query("DELETE FROM memberships WHERE user_id = ?")
            .bind(user)
            .execute(&mut *write)
            .await?;
        for group in groups {
            sqlx::query(
                "INSERT INTO memberships SELECT ?, id FROM groups WHERE id = ? AND identifier_key <> 'everyone'
                 ON CONFLICT DO NOTHING",
            )
            .bind(user)
            .bind(group)
            .execute(&mut *write)
            .await?;
        }
        keep_an_administrator(&mut write, before).await?;
        Ok(write.commit().await?)
    }
}

fn taken(error: sqlx::Error) -> StoreError {
    if is_taken(&error) {
        StoreError::GroupTaken
    } else {
        error.into()
    }
}
