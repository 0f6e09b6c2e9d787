//! Passwords, and how often one may be guessed.

use std::net::IpAddr;
use std::sync::LazyLock;
use std::time::Duration;

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::error::Failure;
use crate::store::Store;
use crate::store::users::email_key;

/// The shortest password taken, in characters.
pub const MIN_PASSWORD: usize = 10;
/// The longest one, in bytes, so that hashing has a bound.
pub const MAX_PASSWORD: usize = 1024;

/// argon2id with 19 MiB and 2 passes: OWASP's first recommendation.
fn argon2() -> Argon2<'static> {
    let params = Params::new(19_456, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Hashes a password. Takes some tens of milliseconds on a thread of its own.
///
/// # Errors
/// The machine has no randomness or memory for it.
pub async fn hash(password: String) -> Result<String, Failure> {
    on_own_thread(move || {
        let salt = SaltString::generate(&mut OsRng);
        argon2()
            .hash_password(password.as_bytes(), &salt)
            .map(|hash| hash.to_string())
            .map_err(|error| Failure::Internal(error.to_string()))
    })
    .await?
}

/// Compares a password with a hash. Without a hash (no such user) it takes as long, so that the answer's time does not tell
/// who exists.
///
/// # Errors
/// The thread was lost.
pub async fn verify(password: String, stored: Option<String>) -> Result<bool, Failure> {
    static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| {
        let salt = SaltString::generate(&mut OsRng);
        let hash = argon2().hash_password(b"nobody has this password", &salt);
        hash.ok().map(|hash| hash.to_string())
    });
    on_own_thread(move || {
        if password.len() > MAX_PASSWORD {
            return false;
        }
        let known = stored.is_some();
        let Some(text) = stored.or_else(|| NOBODY.clone()) else {
            return false;
        };
        let Ok(hash) = PasswordHash::new(&text) else {
            return false;
        };
        argon2().verify_password(password.as_bytes(), &hash).is_ok() && known
    })
    .await
}

async fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))
}

/// The time in which failed sign-ins are counted, and so the longest anybody waits.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Failures for one account before it has to wait.
const PER_ACCOUNT: u64 = 5;
/// Failures from one address before it has to wait; more, because a company shares one.
const PER_ADDRESS: u64 = 20;

/// One try to sign in, counted as a failure until it has succeeded, so that many at once cannot slip through.
pub struct Attempt {
    account: String,
    address: String,
}

impl Attempt {
    /// Counts a try for this account from this address; `None` when either has to wait.
    ///
    /// # Errors
    /// The database failed.
    pub async fn begin(
        store: &Store,
        account: &str,
        address: IpAddr,
    ) -> Result<Option<Attempt>, Failure> {
        let attempt = Attempt {
            account: format!("account:{}", email_key(account)),
            address: format!("address:{address}"),
        };
        let by_account = store.failed_sign_ins(&attempt.account, WINDOW).await?;
        let by_address = store.failed_sign_ins(&attempt.address, WINDOW).await?;
        if by_account >= PER_ACCOUNT || by_address >= PER_ADDRESS {
            return Ok(None);
        }
        store.add_failed_sign_in(&attempt.account).await?;
        store.add_failed_sign_in(&attempt.address).await?;
        Ok(Some(attempt))
    }

    /// The try succeeded: the account's failures are forgotten, and the address's with them.
    ///
    /// # Errors
    /// The database failed.
    pub async fn succeed(self, store: &Store) -> Result<(), Failure> {
        store.forget_failed_sign_ins(&self.account).await?;
        Ok(store.forget_failed_sign_ins(&self.address).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_somebody_known_is_taken() {
        let stored = hash("correct horse".into()).await.unwrap();
        assert!(
            verify("correct horse".into(), Some(stored.clone()))
                .await
                .unwrap()
        );
        assert!(!verify("wrong horse".into(), Some(stored)).await.unwrap());
        assert!(
            !verify("nobody has this password".into(), None)
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn an_account_waits_after_five_failures_whatever_its_spelling() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let address = IpAddr::from([127, 0, 0, 1]);
        for name in ["a@b.cz", "A@b.cz", " A@B.CZ ", "a@b.cz", "a@b.cz"] {
            assert!(
                Attempt::begin(&store, name, address)
                    .await
                    .unwrap()
                    .is_some()
            );
        }
        assert!(
            Attempt::begin(&store, "A@B.cz", address)
                .await
                .unwrap()
                .is_none()
        );
        let other = Attempt::begin(&store, "petr@b.cz", address)
            .await
            .unwrap()
            .unwrap();
        other.succeed(&store).await.unwrap();
        assert!(
            Attempt::begin(&store, "a@b.cz", address)
                .await
                .unwrap()
                .is_none()
        );
    }
}
