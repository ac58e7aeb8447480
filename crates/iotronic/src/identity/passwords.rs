//! Passwords: argon2id (RFC 9106) off the reactor's threads, a few at a time, because each costs memory and processor time.
//!
//! Invariant: a check takes the same time whether there is a hash to check against or not, so nobody learns which users exist.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, Params, PasswordHasher as _, PasswordVerifier as _};
use base::secret::{self, Secret};
use std::sync::{Arc, LazyLock};
use tokio::sync::Semaphore;

/// Checks at the same time.
const AT_ONCE: usize = 2;
/// Checks that may wait for their turn; more are refused.
const WAITING: usize = 64;
/// Longest password in bytes.
pub const MAX_LENGTH: usize = 1024;
/// OWASP's figures for little memory: 9 MiB, four passes, one lane.
const MEMORY_KIB: u32 = 9 * 1024;
const PASSES: u32 = 4;
const LANES: u32 = 1;

/// Too many checks wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many people sign in at this moment; try again in a few seconds")]
pub struct Busy;

/// The bounded place where passwords are hashed and checked.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            queue: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
        }
    }
}

impl Passwords {
    /// The hash to store, in PHC string form.
    ///
    /// # Errors
    /// Too many wait already.
    pub async fn hash(&self, password: Secret) -> Result<String, Busy> {
        self.turn(move || hash_now(password.expose())).await
    }

    /// Whether `password` is the one of `hash`; without a hash it never is, and takes as long.
    ///
    /// # Errors
    /// Too many wait already.
    pub async fn verify(&self, password: Secret, hash: Option<String>) -> Result<bool, Busy> {
        self.turn(move || verify_now(password.expose(), hash.as_deref())).await
    }

    async fn turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let _place = self.queue.try_acquire().map_err(|_| Busy)?;
        let _turn = self.turns.acquire().await.map_err(|_| Busy)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| Busy)
    }
}

fn argon2() -> Argon2<'static> {
    Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the figures above are valid").into()
}

fn hash_now(password: &str) -> String {
    let salt = secret::random::<16>();
    let hash = argon2().hash_password_with_salt(password.as_bytes(), &salt);
    hash.expect("salt and password have lengths that argon2 takes").to_string()
}

fn verify_now(password: &str, hash: Option<&str>) -> bool {
    /// What a password is checked against when there is no such user.
    static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody has this password"));
    let against = PasswordHash::new(hash.unwrap_or(&NOBODY));
    let right = against.is_ok_and(|against| {
        password.len() <= MAX_LENGTH
            && argon2().verify_password(password.as_bytes(), &against).is_ok()
    });
    right && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        text.to_owned().into()
    }

    #[tokio::test]
    async fn only_the_right_password_fits_and_nobodys_never_does() {
        let passwords = Passwords::default();
        let hash = passwords.hash(secret("right")).await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert_eq!(passwords.verify(secret("right"), Some(hash.clone())).await, Ok(true));
        assert_eq!(passwords.verify(secret("wrong"), Some(hash)).await, Ok(false));
        assert_eq!(passwords.verify(secret("nobody has this password"), None).await, Ok(false));
        assert_eq!(passwords.verify(secret("right"), Some("garbage".into())).await, Ok(false));
    }

    #[tokio::test]
    async fn a_crowd_is_refused_instead_of_queued_without_end() {
        let passwords = Passwords::default();
        let crowd = passwords.queue.acquire_many(u32::try_from(AT_ONCE + WAITING).unwrap());
        let _crowd = crowd.await.unwrap();
        assert_eq!(passwords.verify(secret("right"), None).await, Err(Busy));
    }
}
