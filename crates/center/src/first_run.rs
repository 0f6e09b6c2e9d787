//! The first start without a person: an administrator, a mail server and a source of users, as an installer or the demo wants
//! them. What is there already stays.

use std::path::Path;

use obnova_text::Lang;

use crate::app::SETUP_CODE;
use crate::auth;
use crate::run::Error;
use crate::store::Store;
use crate::store::audit::SYSTEM;
use crate::store::settings::{Secret, SmtpSecurity};
use crate::store::users::UserData;

/// The first administrator.
pub struct Administrator {
    /// The name.
    pub name: String,
    /// The e-mail address to sign in with.
    pub email: String,
    /// The password.
    pub password: String,
    /// The language of pages and mails.
    pub language: Lang,
}

/// Settings for a centre that has none yet.
#[derive(Default)]
pub struct FirstSettings {
    /// The sender of mails: `Name <name@example.com>`.
    pub mail_from: String,
    /// A mail server without encryption or password, on this machine.
    pub local_smtp: Option<(String, u16)>,
    /// The language of people whose own is not known.
    pub default_language: Lang,
    /// The application's database (`sqlite:///path`) and the query for its users, imported once a day.
    pub import: Option<(String, String)>,
}

/// Prepares the centre of this data directory, before it starts or while it runs. Returns whether the administrator was made;
/// `false` when there was one already, and then nothing was changed.
///
/// # Errors
/// The directory or the database cannot be used, or the name or address is not valid.
pub async fn prepare(
    data_dir: &Path,
    administrator: &Administrator,
    first: &FirstSettings,
) -> Result<bool, Error> {
    let store = Store::open(data_dir).await?;
    let done = prepare_store(&store, administrator, first).await;
    store.close().await;
    if matches!(done, Ok(true)) {
        let _ = std::fs::remove_file(data_dir.join(SETUP_CODE));
    }
    done
}

async fn prepare_store(
    store: &Store,
    administrator: &Administrator,
    first: &FirstSettings,
) -> Result<bool, Error> {
    let hash = auth::hash(administrator.password.clone())
        .await
        .map_err(|error| Error::Password(error.to_string()))?;
    let data = UserData {
        name: administrator.name.clone(),
        email: administrator.email.clone(),
        language: administrator.language,
    };
    if store.add_first_administrator(&data, &hash).await?.is_none() {
        return Ok(false);
    }
    let mut settings = store.settings().await?;
    settings.mail_from.clone_from(&first.mail_from);
    settings.default_language = first.default_language;
    if let Some((host, port)) = &first.local_smtp {
        settings.smtp.host.clone_from(host);
        settings.smtp.port = *port;
        settings.smtp.security = SmtpSecurity::None;
    }
    if let Some((database, query)) = &first.import {
        settings.import.enabled = true;
        settings.import.database_url = Secret::new(database);
        settings.import.query.clone_from(query);
    }
    store.save_settings(&settings).await?;
    store.audit(SYSTEM, "set-up", &administrator.email).await?;
    Ok(true)
}
