//! How often a password may be guessed.
//!
//! Whoever guesses is stopped soon: after a few failures for an account from an address, and after some more from the address
//! for whatever accounts. Guesses for one account from everywhere are stopped later. None of that shuts out the account's owner:
//! a browser in which somebody has signed in before has a token that says so (OWASP calls it a device cookie), and from there
//! only its own failures count. So knowing an administrator's address is not enough to keep the administrator out.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::Failure;
use crate::page::cookie;
use crate::pages::preferences::YEAR;
use crate::store::Store;
use crate::store::attempts::Limit;
use crate::store::users::{UserId, email_key};
use crate::visitor::Visitor;

/// The time in which failed sign-ins are counted, and so the longest anybody waits.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Failures for one account from one address.
const PER_ACCOUNT_AND_ADDRESS: u64 = 5;
/// Failures from one address; more, because a company shares one.
const PER_ADDRESS: u64 = 20;
/// Failures for one account from everywhere: some ten thousand a day, against passwords of ten characters and more.
const PER_ACCOUNT: u64 = 100;
/// Failures for one account in a browser that has signed in to it before.
const PER_DEVICE: u64 = 10;
/// How long a browser is known after the last sign-in.
pub const DEVICE_LASTS: Duration = Duration::from_secs(YEAR);

/// One try to sign in, counted as a failure until it has succeeded, so that many at once cannot slip through.
pub struct Attempt {
    counted: Vec<i64>,
    key: String,
}

impl Attempt {
    /// Counts a try for this account by this visitor; `None` when it has to wait.
    ///
    /// # Errors
    /// The database failed.
    pub async fn begin(
        store: &Store,
        account: &str,
        visitor: Visitor,
        device: Option<&Device>,
    ) -> Result<Option<Attempt>, Failure> {
        let limits = limits(account, visitor, device);
        let counted = store.count_sign_in(&limits, WINDOW).await?;
        let key = limits.into_iter().next().map(|limit| limit.key);
        Ok(counted.map(|counted| Attempt {
            counted,
            key: key.unwrap_or_default(),
        }))
    }

    /// The try succeeded: failures for the same account from the same place are forgotten. Those from elsewhere stay counted.
    ///
    /// # Errors
    /// The database failed.
    pub async fn succeed(self, store: &Store) -> Result<(), Failure> {
        Ok(store.forget_sign_ins(&self.counted, &self.key).await?)
    }
}

fn limits(account: &str, visitor: Visitor, device: Option<&Device>) -> Vec<Limit> {
    // What was typed can be long, and a password typed into the wrong field.
    let account = hex::encode(Sha256::digest(email_key(account)));
    let limit = |key, most| Limit { key, most };
    if let Some(device) = device {
        let device = hex::encode(&device.token_hash);
        return vec![limit(format!("device:{device}:{account}"), PER_DEVICE)];
    }
    let network = visitor.network();
    vec![
        limit(
            format!("guess:{account}:{network}"),
            PER_ACCOUNT_AND_ADDRESS,
        ),
        limit(format!("address:{network}"), PER_ADDRESS),
        limit(format!("account:{account}"), PER_ACCOUNT),
    ]
}

/// A browser in which somebody has signed in before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    token: String,
    token_hash: Vec<u8>,
}

impl Device {
    fn new(token: String) -> Device {
        Device {
            token_hash: Sha256::digest(&token).to_vec(),
            token,
        }
    }

    /// The browser as its cookie tells; not yet known to be one in which this or that user has signed in.
    pub fn told(headers: &HeaderMap, visitor: Visitor) -> Option<Device> {
        let token = cookie(headers, cookie_name(visitor))?;
        (!token.is_empty()).then(|| Device::new(token.to_owned()))
    }

    /// Whether this user has signed in here before.
    ///
    /// # Errors
    /// The database failed.
    pub async fn is_of(&self, store: &Store, user: UserId) -> Result<bool, Failure> {
        Ok(store.knows_device(&self.token_hash, user).await?)
    }

    /// Remembers that the user has signed in here; returns the cookie to set. A token that is not one of ours is replaced:
    /// somebody else may have put it there, and knows it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn remember(
        told: Option<Device>,
        store: &Store,
        visitor: Visitor,
        user: UserId,
    ) -> Result<HeaderValue, Failure> {
        let device = match told {
            Some(device) if store.is_device(&device.token_hash).await? => device,
            _ => Device::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())),
        };
        store.remember_device(&device.token_hash, user).await?;
        visitor.cookie(cookie_name(visitor), &device.token, DEVICE_LASTS.as_secs())
    }
}

/// As the session's: with the prefix a browser takes it from this host over HTTPS only.
fn cookie_name(visitor: Visitor) -> &'static str {
    match visitor.is_secure {
        true => "__Host-obnova_device",
        false => "obnova_device",
    }
}

#[cfg(test)]
mod tests;
