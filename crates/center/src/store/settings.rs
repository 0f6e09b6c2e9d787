//! What administrators set in the centre. Stored by key, so that a newer version's new settings get their defaults.

use std::fmt;

use obnova_text::Lang;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::sqlite::SqliteConnection;

use super::desktops::kept::{self, DesktopSettings};
use super::groups::ADMINISTRATOR;
use super::{Result, Store};

/// A secret: stored as it is in a file that only the centre may read, never shown by `Debug`, in logs or on a page.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps this text secret.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the one who must have it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "none" } else { "***" })
    }
}

/// All settings of the centre. (The channel and the limits of holding traffic are the engine's.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CenterSettings {
    /// Identifiers of the groups that receive information about the state of the update on the server.
    pub notify_groups: Vec<String>,
    /// The mail server.
    pub smtp: SmtpSettings,
    /// The sender of mails: `name@example.com` or `Name <name@example.com>`. Empty: no mail is sent.
    pub mail_from: String,
    /// Language of people whose own is not known: `cs` or `en`.
    #[serde(with = "as_tag")]
    pub default_language: Lang,
    /// The centre's address as people reach it, for links in mails. Empty: the one it listens on.
    pub public_url: String,
    /// Where users come from.
    pub import: ImportSettings,
    /// What is kept about Desktops.
    pub desktops: DesktopSettings,
}

impl Default for CenterSettings {
    fn default() -> CenterSettings {
        CenterSettings {
            notify_groups: vec![ADMINISTRATOR.to_owned()],
            smtp: SmtpSettings::default(),
            mail_from: String::new(),
            default_language: Lang::default(),
            public_url: String::new(),
            import: ImportSettings::default(),
            desktops: DesktopSettings::default(),
        }
    }
}

impl CenterSettings {
    /// Whether a mail can be sent at all.
    pub fn can_send(&self) -> bool {
        !self.smtp.host.is_empty() && !self.mail_from.is_empty()
    }
}

/// How to reach the mail server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SmtpSettings {
    /// Its name or address. Empty: no mail is sent.
    pub host: String,
    /// Its port: 25, 465 (TLS) or 587 (STARTTLS) as a rule.
    pub port: u16,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// The account; empty when none is needed.
    pub username: String,
    /// Its password.
    pub password: Secret,
    /// Certificates (PEM) of authorities to trust besides those of this machine, for a server with a certificate of the
    /// company's own. Empty as a rule.
    pub trusted_certificates: String,
}

impl Default for SmtpSettings {
    fn default() -> SmtpSettings {
        SmtpSettings {
            host: String::new(),
            port: 587,
            security: SmtpSecurity::StartTls,
            username: String::new(),
            password: Secret::default(),
            trusted_certificates: String::new(),
        }
    }
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpSecurity {
    /// Not at all. For a server on this machine.
    None,
    /// STARTTLS, required: without it nothing is sent.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// The import of users from the application's database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct ImportSettings {
    /// Do it once a day.
    pub enabled: bool,
    /// `sqlite:///path/to/file` or `postgres://user:password@host/database`. It is only read. Secret: it may hold a password.
    pub database_url: Secret,
    /// A query with the columns `name`, `email` and, if wanted, `language` and `groups` (identifiers, comma separated).
    pub query: String,
}

mod as_tag {
    use obnova_text::Lang;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        language: &Lang,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(language.tag())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Lang, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(|_| D::Error::custom("unknown language"))
    }
}

/// Key of the random number that keeps the Message-IDs of two installations apart. Not part of [`CenterSettings`].
const INSTALLATION: &str = ".installation";
/// Key of the product's name, as the engine last gave it.
const PRODUCT: &str = ".product";
/// Key of the last import's result.
const IMPORT: &str = ".import";
/// Key of the rehearsal that the groups were told of last.
const REHEARSAL: &str = ".rehearsal";

impl Store {
    /// The settings in force.
    ///
    /// # Errors
    /// The database failed, or they are not what this version writes.
    pub async fn settings(&self) -> Result<CenterSettings> {
        let mut connection = self.read.acquire().await?;
        read(&mut connection).await
    }

    /// Puts these in force, and tries waiting mail again at once, as the mail server may be another now. What may not be kept
    /// any more is gone with it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn save_settings(&self, settings: &CenterSettings) -> Result<()> {
        let mut write = self.begin().await?;
        save(&mut write, settings).await?;
        kept::remove_what_is_not_allowed(&mut write, &settings.desktops).await?;
        super::outbox::make_due(&mut write).await?;
        write.commit().await?;
        self.mail_waiting.notify_one();
        Ok(())
    }

    pub(super) async fn ensure_installation(&self) -> Result<()> {
        let random = hex::encode(rand::random::<[u8; 8]>());
        sqlx::query("INSERT INTO settings VALUES (?, ?) ON CONFLICT DO NOTHING")
            .bind(INSTALLATION)
            .bind(Value::from(random).to_string())
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// The random number of this installation, 16 hexadecimal digits.
    pub(crate) async fn installation(&self) -> Result<String> {
        Ok(self.fact(INSTALLATION).await?.unwrap_or_default())
    }

    /// The product's name for people, as the engine last gave it; empty before the centre first met its engine.
    ///
    /// # Errors
    /// The database failed.
    pub async fn product_name(&self) -> Result<String> {
        Ok(self.fact(PRODUCT).await?.unwrap_or_default())
    }

    pub(crate) async fn set_product_name(&self, name: &str) -> Result<()> {
        if self.product_name().await? != name {
            self.set_fact(PRODUCT, &name).await?;
        }
        Ok(())
    }

    /// The last import's result, as JSON of whoever wrote it.
    pub(crate) async fn import_outcome<T: serde::de::DeserializeOwned>(&self) -> Result<Option<T>> {
        self.fact(IMPORT).await
    }

    pub(crate) async fn set_import_outcome(&self, outcome: &impl Serialize) -> Result<()> {
        self.set_fact(IMPORT, outcome).await
    }

    async fn fact<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let value: Option<String> = sqlx::query_scalar("SELECT value FROM settings WHERE key = ?")
            .bind(key)
            .fetch_optional(&self.read)
            .await?;
        Ok(value.as_deref().map(serde_json::from_str).transpose()?)
    }

    async fn set_fact(&self, key: &str, value: &impl Serialize) -> Result<()> {
        let mut write = self.begin().await?;
        set(&mut write, key, &serde_json::to_string(value)?).await?;
        Ok(write.commit().await?)
    }
}

/// The rehearsal that the groups were told of last, read within the transaction that may tell them of another.
pub(crate) async fn rehearsal_told(connection: &mut SqliteConnection) -> Result<Option<String>> {
    let value: Option<String> = sqlx::query_scalar("SELECT value FROM settings WHERE key = ?")
        .bind(REHEARSAL)
        .fetch_optional(connection)
        .await?;
    Ok(value.as_deref().map(serde_json::from_str).transpose()?)
}

/// Remembers it, in the transaction that fills the outbox.
pub(crate) async fn set_rehearsal_told(
    connection: &mut SqliteConnection,
    told: &str,
) -> Result<()> {
    set(connection, REHEARSAL, &serde_json::to_string(told)?).await
}

/// The settings, read within a transaction.
pub(crate) async fn read(connection: &mut SqliteConnection) -> Result<CenterSettings> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT key, value FROM settings WHERE key NOT LIKE '.%'")
            .fetch_all(connection)
            .await?;
    let mut all = Map::new();
    for (key, value) in rows {
        all.insert(key, serde_json::from_str(&value)?);
    }
    Ok(serde_json::from_value(Value::Object(all))?)
}

/// Writes the settings within a transaction.
pub(super) async fn save(
    connection: &mut SqliteConnection,
    settings: &CenterSettings,
) -> Result<()> {
    if let Value::Object(all) = serde_json::to_value(settings)? {
        for (key, value) in all {
            set(connection, &key, &value.to_string()).await?;
        }
    }
    Ok(())
}

async fn set(connection: &mut SqliteConnection, key: &str, value: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO settings VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )
    .bind(key)
    .bind(value)
    .execute(connection)
    .await?;
    Ok(())
}
