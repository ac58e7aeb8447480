//! Signing in, and ending what was begun by it.
//!
//! Invariant: every refusal says the same, whatever was wrong. What somebody who signed in may do is in `grants`.

use crate::identity::grants::{Grant, Grants, found};
use crate::identity::keystone::{Keystone, Silence};
use crate::identity::passwords::{Busy, Passwords};
use crate::identity::prolonged::Prolonged;
use crate::identity::revoked::Revoked;
use crate::identity::sessions::last_moment;
use crate::identity::throttle::Throttle;
use crate::identity::tokens::{Bad, Method, Statement, Tokens};
use crate::identity::told::Told;
use crate::settings::Roles;
use base::secret::{self, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{CredentialId, ProjectId, Timestamp, UserId};
use sha2::{Digest as _, Sha256};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use store::identity::{self, CredentialRow, UserRow};
use store::{Error as StoreError, Store};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;

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
    told: Told,
    grants: Grants,
    revoked: Revoked,
    prolonged: Prolonged,
    changes: watch::Sender<u64>,
    keystone: Option<Keystone>,
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
    /// The user's own choice, or the only one in which it has a role; else none.
    Usual,
    /// None at all.
    Nowhere,
    /// The first by name in which the user has a role.
    First,
}

impl<'a> From<Option<&'a Named>> for Scope<'a> {
    fn from(named: Option<&'a Named>) -> Self {
        named.map_or(Self::Usual, Self::Of)
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
    /// The token in use is not good.
    #[error(transparent)]
    Bad(#[from] Bad),
    /// The identity service elsewhere does not answer.
    #[error(transparent)]
    Away(#[from] Silence),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SignIn {
    /// One in which roles are worth this.
    #[must_use]
    pub fn new(roles: Roles) -> Self {
        Self(Arc::new(Inner { grants: Grants::new(roles), ..Inner::default() }))
    }

    /// One that asks a Keystone who somebody is.
    #[must_use]
    pub fn elsewhere(keystone: Keystone) -> Self {
        Self(Arc::new(Inner { keystone: Some(keystone), ..Inner::default() }))
    }

    /// The Keystone in the place of our own identity service.
    #[must_use]
    pub fn keystone(&self) -> Option<&Keystone> {
        self.0.keystone.as_ref()
    }

    /// What a token says.
    ///
    /// # Errors
    /// It is not good, or that cannot be told now.
    pub async fn read(
        &self,
        store: &Store,
        tokens: &Tokens,
        token: &str,
        now: Timestamp,
    ) -> Result<Statement, Refused> {
        match self.keystone() {
            None => Ok(tokens.read(token, now)?),
            Some(keystone) => keystone.read(store, token, now).await,
        }
    }

    /// Where passwords are hashed.
    #[must_use]
    pub fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    /// Must be called after every committed change of users, projects, roles and credentials.
    pub fn forget_grants(&self) {
        self.0.grants.forget();
        self.tell();
    }

    /// Changes whenever somebody may have lost a role or a sign-in.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Writes into the audit how often people signed in or were refused since the last time, beyond what is told already.
    pub fn tell_counts(&self, store: &Store) {
        self.0.told.flush(store);
    }

    fn tell(&self) {
        self.0.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Reads which tokens were ended before the last stop.
    ///
    /// # Errors
    /// The store failed.
    pub async fn load(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        self.0.revoked.load(store, now).await
    }

    /// Ends a token, and all renewals of the same session, before their time.
    ///
    /// # Errors
    /// The store failed.
    pub async fn end(
        &self,
        store: &Store,
        said: &Statement,
        now: Timestamp,
    ) -> Result<(), Refused> {
        if let Some(keystone) = self.keystone() {
            let done = keystone.end(said).await;
            self.tell();
            return done;
        }
        let done = self.0.revoked.add(store, said.audit, last_moment(said), now).await;
        self.tell();
        Ok(done?)
    }

    /// Remembers that a session has more time.
    pub fn prolong(&self, more: &Statement, now: Timestamp) {
        self.0.prolonged.add(more, now);
    }

    /// When the session ends of which this is a token.
    #[must_use]
    pub fn session_end(&self, said: &Statement) -> Timestamp {
        self.0.prolonged.end(said)
    }

    /// What a token's bearer is and may do now; none when that is nothing any more.
    ///
    /// # Errors
    /// The store failed, or the identity service elsewhere does not answer.
    pub async fn grant(
        &self,
        store: &Store,
        said: &Statement,
        now: Timestamp,
    ) -> Result<Option<Arc<Grant>>, Refused> {
        if let Some(keystone) = self.keystone() {
            return keystone.grant(store, said, now).await;
        }
        if self.0.revoked.holds(store, &said.audit, now).await? {
            return Ok(None);
        }
        Ok(self.0.grants.of(store, said, now).await?)
    }

    /// Begins a session of a page: the token for its cookie, and what that says.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn begin(
        &self,
        store: &Store,
        tokens: &Tokens,
        (who, password): (&Named, Secret),
        scope: Scope<'_>,
        attempt: Attempt,
    ) -> Result<(String, Statement), Refused> {
        let Some(keystone) = self.keystone() else {
            let said = self.by_password(store, who, password, scope, attempt).await?;
            let said = Statement { method: Method::Session, ..said };
            return Ok((tokens.make(&said), said));
        };
        let (Named::Id(label) | Named::Name(label)) = who;
        self.may_try(store, label, attempt)?;
        match keystone.by_password(store, (who, &password), scope, attempt.now).await {
            Err(Refused::Wrong) => self.wrong(store, label, attempt),
            Ok(begun) => {
                self.0.throttle.succeeded(label, attempt.address);
                self.0.told.done(store, &begun.1, attempt);
                Ok(begun)
            }
            error => error,
        }
    }

    /// Goes on with a session in another project.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn switch(
        &self,
        store: &Store,
        tokens: &Tokens,
        (token, old): (&str, Statement),
        project: &Named,
        attempt: Attempt,
    ) -> Result<(String, Statement), Refused> {
        if let Some(keystone) = self.keystone() {
            return keystone.by_token(store, token, project, attempt.now).await;
        }
        let (method, issued_at) = (old.method, old.issued_at);
        let said = self.by_token(store, old, Scope::Of(project), attempt).await?;
        // The session stays the same one: its longest life counts from when the password was given.
        let said = Statement { method, issued_at, ..said };
        Ok((tokens.make(&said), said))
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
        self.may_try(store, label, attempt)?;
        let user = user(store, who).await?.filter(|user| user.enabled);
        let hash = user.as_ref().map(|user| user.password_hash.clone());
        let right = self.0.passwords.verify(password, hash).await?;
        let Some(user) = user.filter(|_| right) else {
            return self.wrong(store, label, attempt);
        };
        let Some(project) = project(store, &user.id, scope).await? else {
            return self.wrong(store, label, attempt);
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
        self.may_try(store, label, attempt)?;
        let credential = credential(store, which).await?;
        let right = match credential.as_ref().map(|credential| credential.secret_hash.as_str()) {
            Some(hash) if hash.starts_with(MADE_HERE) => {
                bool::from(made_here(&secret).as_bytes().ct_eq(hash.as_bytes()))
            }
            Some(hash) => self.0.passwords.verify(secret, Some(hash.to_owned())).await?,
            None => false,
        };
        let Some(credential) = credential.filter(|_| right) else {
            return self.wrong(store, label, attempt);
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
        scope: Scope<'_>,
        attempt: Attempt,
    ) -> Result<Statement, Refused> {
        if self.grant(store, &old, attempt.now).await?.is_none() {
            return Err(Refused::Wrong);
        }
        let project = match scope {
            Scope::Usual if !old.project.is_nowhere() => old.project.clone(),
            scope => project(store, &old.user, scope).await?.ok_or(Refused::Wrong)?,
        };
        // A credential opens one project, and a token of it no other.
        if old.credential.is_some() && project != old.project {
            return Err(Refused::Wrong);
        }
        let mut said = attempt.statement(Method::Token, old.user, project, old.credential);
        said.expires_at = old.expires_at.min(said.expires_at);
        self.grant(store, &said, attempt.now).await?.map(|_| said).ok_or(Refused::Wrong)
    }

    fn may_try(&self, store: &Store, label: &str, attempt: Attempt) -> Result<(), Refused> {
        let Some(wait) = self.0.throttle.must_wait(label, attempt.address, attempt.now) else {
            return Ok(());
        };
        self.0.told.refused(store, &shown(label), attempt);
        Err(Refused::Wait(wait))
    }

    fn wrong<T>(&self, store: &Store, label: &str, attempt: Attempt) -> Result<T, Refused> {
        self.0.throttle.failed(label, attempt.address, attempt.now);
        let shown = shown(label);
        self.0.told.refused(store, &shown, attempt);
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
            None => self.wrong(store, label, attempt),
            Some(_) => {
                self.0.throttle.succeeded(label, attempt.address);
                self.0.told.done(store, &said, attempt);
                Ok(said)
            }
        }
    }
}

/// As much of a name as is logged.
fn shown(label: &str) -> String {
    label.chars().take(MAX_LABEL).collect()
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
        Scope::Usual | Scope::First => return usual(store, user, scope).await,
        Scope::Nowhere => return Ok(Some(ProjectId::nowhere())),
    };
    Ok(row.map(|row| row.id))
}

/// The project of somebody who named none.
async fn usual(
    store: &Store,
    user: &UserId,
    scope: Scope<'_>,
) -> Result<Option<ProjectId>, Refused> {
    let wanted = identity::get_user(store, user).await?.profile.default_project;
    let mut mine = identity::projects_of(store, user).await?;
    mine.retain(|project| project.enabled);
    if let Some(wanted) = wanted.filter(|id| mine.iter().any(|project| project.id == *id)) {
        return Ok(Some(wanted));
    }
    Ok(match (scope, mine.as_slice()) {
        (_, [only]) => Some(only.id.clone()),
        (Scope::First, several) => several.first().map(|project| project.id.clone()),
        _ => Some(ProjectId::nowhere()),
    })
}
