//! Passwords: hashed, and compared with hashes.

use std::sync::LazyLock;

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use tokio::sync::Semaphore;

use crate::error::Failure;

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

/// Passwords hashed at the same time; each takes 19 MiB and a processor, and who asks for it need not be anybody.
const AT_ONCE: usize = 4;

async fn on_own_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    static FREE: Semaphore = Semaphore::const_new(AT_ONCE);
    let _permit = FREE.acquire().await;
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::Internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
    async fn only_a_few_passwords_are_hashed_at_a_time() {
        let started = AtOnce::default();
        let work = |_| {
            let started = started.clone();
            on_own_thread(move || started.during(|| std::thread::sleep(Duration::from_millis(20))))
        };
        let all = futures_util::future::join_all((0..20).map(work)).await;
        assert!(all.iter().all(Result::is_ok));
        assert!(started.most() <= AT_ONCE, "{}", started.most());
    }

    /// Counts how many are at something, and how many were at most.
    #[derive(Clone, Default)]
    struct AtOnce(std::sync::Arc<std::sync::Mutex<(usize, usize)>>);

    impl AtOnce {
        fn during(&self, work: impl FnOnce()) {
            let mut counts = self.0.lock().unwrap();
            counts.0 += 1;
            counts.1 = counts.1.max(counts.0);
            drop(counts);
            work();
            self.0.lock().unwrap().0 -= 1;
        }

        fn most(&self) -> usize {
            self.0.lock().unwrap().1
        }
    }
}
