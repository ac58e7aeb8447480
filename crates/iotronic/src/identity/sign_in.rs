//! Signing in, and looking up what somebody who signed in may do.
//!
//! Roles are looked up at each request, through a small memory that every change of users, roles and credentials wipes; one
//! process owns the store, so that is exact. Every refusal says the same, whatever was wrong.

use crate::identity::passwords::{Busy, Passwords};
use crate::identity::sessions::Ended;
use crate::identity::throttle::Throttle;
use crate::identity::tokens::{Method, Statement};
use base::secret::{self, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::access::Principal;
use model::{CredentialId, ProjectId, Timestamp, UserId};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::identity::{self, CredentialRow, UserRow};
use store::{Error as StoreError, Store};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;

/// Grants kept in memory; at the bound all are looked up anew.
const MAX_GRANTS: usize = 10_000;
/// Longest part of a name that is logged.
const MAX_LABEL: usize = 64;
/// Marks the hash of a secret that the cloud made, which needs no slow hash: it has 256 random bits.
const MADE_HERE: &str = "sha256:";

/// What signing in shares. Cloning is cheap.
#[derive(Clone, Default)]
pub struct SignIn(Arc<Inner>);

#[derive(Default)]
struct Inner {
    passwords: Passwords,
    throttle: Throttle,
    grants: Mutex<HashMap<Key, Arc<Grant>>>,
    generation: AtomicU64,
    ended: Ended,
    changes: watch::Sender<u64>,
}

type Key = (UserId, ProjectId, Option<CredentialId>);

/// What somebody who signed in is and may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// For decisions.
    pub principal: Principal,
    /// Name of the user.
    pub user_name: String,
    /// Name of the project.
    pub project_name: String,
    /// When the credential ends, if it was one and does.
    pub expires_at: Option<Timestamp>,
}

/// Something named by id or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By id.
    Id(String),
    /// By name.
    Name(String),
}

/// Which project to sign in to.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// This one.
    Of(&'a Named),
    /// The only one in which the user has a role; several are refused.
    Only,
    /// The first by name in which the user has a role.
    First,
}

impl<'a> From<Option<&'a Named>> for Scope<'a> {
    fn from(named: Option<&'a Named>) -> Self {
        named.map_or(Self::Only, Self::Of)
    }
}

/// Which application credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhichCredential {
    /// By its id.
    Id(String),
    /// By name and user.
    Of(Named, String),
}

/// The circumstances of an attempt to sign in.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// Where it comes from, if known.
    pub address: Option<IpAddr>,
    /// The present moment.
    pub now: Timestamp,
    /// How long a token is good for.
    pub life: Duration,
}

/// Why somebody is not signed in.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// User, secret or project are wrong; which one is not said.
    #[error("user, secret or project are wrong; check all three")]
    Wrong,
    /// Too many failures.
    #[error("too many failed attempts; try again in {} s", .0.as_secs().max(1))]
    Wait(Duration),
    /// Too many at once.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The user has roles in several projects, or none, and named none.
    #[error("name the project to sign in to (scope)")]
    NoProject,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SignIn {
    /// Where passwords are hashed.
    #[must_use]
    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// Must be called after every committed change of users, projects, roles and credentials.
    pub fn forget_grants(&self) {
        self.0.generation.fetch_add(1, Ordering::SeqCst);
        self.grants().clear();
        self.tell();
    }

    /// Changes whenever somebody may have lost a role or a sign-in.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    fn tell(&self) {
        self.0.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Ends a token, and all renewals of the same session, before their time.
    pub fn end(&self, said: &Statement, now: Timestamp) {
        self.0.ended.add(said, now);
        self.tell();
    }

    /// What a token's bearer is and may do now; none when that is nothing any more.
    ///
    /// # Errors
    /// The store failed.
    pub async fn grant(
        &self,
        store: &Store,
        said: &Statement,
        now: Timestamp,
    ) -> Result<Option<Arc<Grant>>, StoreError> {
        if self.0.ended.contains(said) {
            return Ok(None);
        }
        let key = (said.user.clone(), said.project.clone(), said.credential);
        let known = self.grants().get(&key).cloned();
        let grant = match known {
            Some(grant) => Some(grant),
            None => self.look_up(store, key).await?,
        };
        Ok(grant.filter(|grant| grant.expires_at.is_none_or(|end| now < end)))
    }

    async fn look_up(&self, store: &Store, key: Key) -> Result<Option<Arc<Grant>>, StoreError> {
        let generation = self.0.generation.load(Ordering::SeqCst);
        let Some(grant) = found(read_grant(store, &key).await)?.flatten().map(Arc::new) else {
            return Ok(None);
        };
        let mut grants = self.grants();
        if generation == self.0.generation.load(Ordering::SeqCst) {
            if grants.len() >= MAX_GRANTS {
                grants.clear();
            }
            grants.insert(key, Arc::clone(&grant));
        }
        Ok(Some(grant))
    }

    fn grants(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<Grant>>> {
        self.0.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signs in by password.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn by_password(
        &self,
        store: &Store,
        who: &Named,
        password: Secret,
        scope: Scope<'_>,
        attempt: Attempt,
    ) -> Result<Statement, Refused> {
        let (Named::Id(label) | Named::Name(label)) = who;
        self.may_try(label, attempt)?;
        let user = user(store, who).await?.filter(|user| user.enabled);
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let right = self.0.passwords.verify(password, hash).await?;
        let Some(user) = user.filter(|_| right) else {
            return self.wrong(label, attempt);
        };
        let Some(project) = project(store, &user.id, scope).await? else {
            return self.wrong(label, attempt);
        };
        let said = attempt.statement(Method::Password, user.id, project, None);
        self.finish(store, said, label, attempt).await
    }

    /// Signs in by application credential.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn by_credential(
        &self,
        store: &Store,
        which: &WhichCredential,
        secret: Secret,
        attempt: Attempt,
    ) -> Result<Statement, Refused> {
        let (WhichCredential::Id(label) | WhichCredential::Of(_, label)) = which;
        self.may_try(label, attempt)?;
        let credential = credential(store, which).await?;
        let right = match credential.as_ref().map(|credential| credential.secret_hash.as_str()) {
            Some(hash) if hash.starts_with(MADE_HERE) => {
                bool::from(made_here(&secret).as_bytes().ct_eq(hash.as_bytes()))
            }
            Some(hash) => self.0.passwords.verify(secret, Some(hash.to_owned())).await?,
            None => false,
        };
        let Some(credential) = credential.filter(|_| right) else {
            return self.wrong(label, attempt);
        };
        let CredentialRow { id, user, project, .. } = credential;
        let said = attempt.statement(Method::Credential, user, project, Some(id));
        self.finish(store, said, label, attempt).await
    }

    /// Exchanges a token for another project of the same user; the new one lives no longer.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn by_token(
        &self,
        store: &Store,
        old: Statement,
        scope: Option<&Named>,
        attempt: Attempt,
    ) -> Result<Statement, Refused> {
        let project = match scope {
            None => old.project.clone(),
            Some(named) => {
                project(store, &old.user, Scope::Of(named)).await?.ok_or(Refused::Wrong)?
            }
        };
        // A credential opens one project, and a token of it no other.
        if old.credential.is_some() && project != old.project {
            return Err(Refused::Wrong);
        }
        let mut said = attempt.statement(Method::Token, old.user, project, old.credential);
        said.expires_at = old.expires_at.min(said.expires_at);
        self.grant(store, &said, attempt.now).await?.map(|_| said).ok_or(Refused::Wrong)
    }

    fn may_try(&self, label: &str, attempt: Attempt) -> Result<(), Refused> {
        match self.0.throttle.must_wait(label, attempt.address, attempt.now) {
            Some(wait) => Err(Refused::Wait(wait)),
            None => Ok(()),
        }
    }

    fn wrong<T>(&self, label: &str, attempt: Attempt) -> Result<T, Refused> {
        self.0.throttle.failed(label, attempt.address, attempt.now);
        let shown: String = label.chars().take(MAX_LABEL).collect();
        tracing::warn!(user = shown, address = ?attempt.address, "somebody did not sign in");
        Err(Refused::Wrong)
    }

    async fn finish(
        &self,
        store: &Store,
        said: Statement,
        label: &str,
        attempt: Attempt,
    ) -> Result<Statement, Refused> {
        match self.grant(store, &said, attempt.now).await? {
            None => self.wrong(label, attempt),
            Some(_) => {
                self.0.throttle.succeeded(label, attempt.address);
                Ok(said)
            }
        }
    }
}

/// The hash to store of a secret that the cloud made.
#[must_use]
pub fn made_here(secret: &Secret) -> String {
    format!("{MADE_HERE}{}", URL_SAFE_NO_PAD.encode(Sha256::digest(secret.expose())))
}

impl Attempt {
    fn statement(
        self,
        method: Method,
        user: UserId,
        project: ProjectId,
        credential: Option<CredentialId>,
    ) -> Statement {
        let (issued_at, expires_at) = (self.now, self.now.after(self.life));
        let audit = secret::random();
        Statement { user, project, credential, method, issued_at, expires_at, audit }
    }
}

async fn read_grant(store: &Store, key: &Key) -> Result<Option<Grant>, StoreError> {
    let (user, project, credential) = key;
    let user = identity::get_user(store, user).await?;
    let project = identity::get_project(store, project).await?;
    let mut roles = identity::roles_of(store, &user.id, &project.id).await?;
    let mut expires_at = None;
    if let Some(id) = credential {
        let credential = identity::get_credential(store, *id).await?;
        roles.retain(|role| credential.roles.contains(role));
        expires_at = credential.expires_at;
    }
    if !user.enabled || !project.enabled || roles.is_empty() {
        return Ok(None);
    }
    Ok(Some(Grant {
        principal: Principal { user: user.id, project: project.id, roles },
        user_name: user.name,
        project_name: project.name,
        expires_at,
    }))
}

async fn user(store: &Store, who: &Named) -> Result<Option<UserRow>, StoreError> {
    match who {
        Named::Name(name) => found(identity::get_user_by_name(store, name).await),
        Named::Id(id) => match id.parse() {
            Ok(id) => found(identity::get_user(store, &id).await),
            Err(_) => Ok(None),
        },
    }
}

async fn credential(
    store: &Store,
    which: &WhichCredential,
) -> Result<Option<CredentialRow>, StoreError> {
    match which {
        WhichCredential::Id(id) => match id.parse() {
            Ok(id) => found(identity::get_credential(store, id).await),
            Err(_) => Ok(None),
        },
        WhichCredential::Of(who, name) => match user(store, who).await? {
            Some(user) => identity::get_credential_by_name(store, &user.id, name).await,
            None => Ok(None),
        },
    }
}

/// The project to sign in to.
async fn project(
    store: &Store,
    user: &UserId,
    scope: Scope<'_>,
) -> Result<Option<ProjectId>, Refused> {
    let row = match scope {
        Scope::Of(Named::Name(name)) => found(identity::get_project_by_name(store, name).await)?,
        Scope::Of(Named::Id(id)) => match id.parse() {
            Ok(id) => found(identity::get_project(store, &id).await)?,
            Err(_) => None,
        },
        Scope::Only => match identity::projects_of(store, user).await?.as_slice() {
            [only] => Some(only.clone()),
            _ => return Err(Refused::NoProject),
        },
        Scope::First => {
            let mine = identity::projects_of(store, user).await?;
            mine.into_iter().find(|project| project.enabled)
        }
    };
    Ok(row.map(|row| row.id))
}

/// "There is none" is an answer here.
fn found<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
