//! What the bearer of a token is and may do: looked up at each request, through a small memory that every change of users,
//! roles and credentials wipes; one process owns the store, so that is exact.

use crate::identity::tokens::Statement;
use crate::settings::Roles;
use model::access::Principal;
use model::access_rule::AccessRule;
use model::{CredentialId, ProjectId, Timestamp, UserId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::identity::{self, CredentialRow, RoleRow, UserRow};
use store::{Error as StoreError, Store};

/// Grants kept in memory; at the bound all are looked up anew.
const MAX_GRANTS: usize = 10_000;

/// What somebody who signed in is and may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// For decisions.
    pub principal: Principal,
    /// Name of the user.
    pub user_name: String,
    /// Name of the project; empty where there is none.
    pub project_name: String,
    /// The roles as they were given.
    pub roles: Vec<RoleRow>,
    /// When the credential ends, if it was one and does.
    pub expires_at: Option<Timestamp>,
    /// The application credential, if it was by one.
    pub credential: Option<Through>,
    /// Tokens made before this moment are refused.
    pub tokens_since: Timestamp,
}

/// An application credential by which somebody signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Through {
    /// Its id.
    pub id: CredentialId,
    /// Its name.
    pub name: String,
    /// Whether it may make and delete others.
    pub unrestricted: bool,
    /// The requests that it is for; none for all.
    pub access: Option<Vec<AccessRule>>,
}

impl Grant {
    /// Whether this request is one that the application credential is for.
    #[must_use]
    pub fn covers(&self, service: &str, method: &str, path: &str) -> bool {
        let rules = self.credential.as_ref().and_then(|credential| credential.access.as_ref());
        rules.is_none_or(|rules| rules.iter().any(|rule| rule.allows(service, method, path)))
    }

    fn is_good(&self, said: &Statement, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end) && said.issued_at >= self.tokens_since
    }
}

type Key = (UserId, ProjectId, Option<CredentialId>);

/// The memory.
#[derive(Default)]
pub(crate) struct Grants {
    known: Mutex<HashMap<Key, Arc<Grant>>>,
    generation: AtomicU64,
    roles: Roles,
}

impl Grants {
    /// One in which roles are worth this.
    pub(crate) fn new(roles: Roles) -> Self {
        Self { roles, ..Self::default() }
    }

    /// To be called after every committed change of users, projects, roles and credentials.
    pub(crate) fn forget(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.known().clear();
    }

    /// What a token's bearer is and may do now; none when that is nothing any more.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn of(
        &self,
        store: &Store,
        said: &Statement,
        now: Timestamp,
    ) -> Result<Option<Arc<Grant>>, StoreError> {
        let key = (said.user.clone(), said.project.clone(), said.credential);
        let known = self.known().get(&key).cloned();
        let grant = match known {
            Some(grant) => Some(grant),
            None => self.look_up(store, key).await?,
        };
        Ok(grant.filter(|grant| grant.is_good(said, now)))
    }

    async fn look_up(&self, store: &Store, key: Key) -> Result<Option<Arc<Grant>>, StoreError> {
        let generation = self.generation.load(Ordering::SeqCst);
        let grant = found(self.read(store, &key).await)?.flatten().map(Arc::new);
        let Some(grant) = grant else { return Ok(None) };
        let mut known = self.known();
        if generation == self.generation.load(Ordering::SeqCst) {
            if known.len() >= MAX_GRANTS {
                known.clear();
            }
            known.insert(key, Arc::clone(&grant));
        }
        Ok(Some(grant))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Key, Arc<Grant>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, store: &Store, key: &Key) -> Result<Option<Grant>, StoreError> {
        let (user, project, credential) = key;
        let user = identity::get_user(store, user).await?;
        if !user.enabled {
            return Ok(None);
        }
        if project.is_nowhere() {
            return Ok(Some(unscoped(user)));
        }
        let project = identity::get_project(store, project).await?;
        let mut roles = identity::roles_of(store, &user.id, &project.id).await?;
        let credential = match credential {
            Some(id) => Some(identity::get_credential(store, *id).await?),
            None => None,
        };
        if let Some(credential) = &credential {
            roles.retain(|role| credential.roles.contains(&role.id));
        }
        if !project.enabled || roles.is_empty() {
            return Ok(None);
        }
        let worth = self.roles.worth_of_all(roles.iter().map(|role| role.name.as_str()));
        Ok(Some(Grant {
            principal: Principal { user: user.id, project: project.id, roles: worth },
            user_name: user.name,
            project_name: project.name,
            roles,
            expires_at: credential.as_ref().and_then(|credential| credential.expires_at),
            credential: credential.map(Through::from),
            tokens_since: user.tokens_since,
        }))
    }
}

/// Who signed in to no project: may look after the own things, and choose a project.
fn unscoped(user: UserRow) -> Grant {
    Grant {
        principal: Principal { user: user.id, project: ProjectId::nowhere(), roles: Vec::new() },
        user_name: user.name,
        project_name: String::new(),
        roles: Vec::new(),
        expires_at: None,
        credential: None,
        tokens_since: user.tokens_since,
    }
}

impl From<CredentialRow> for Through {
    fn from(row: CredentialRow) -> Self {
        let CredentialRow { id, name, unrestricted, access, .. } = row;
        Self { id, name, unrestricted, access }
    }
}

/// "There is none" is an answer here.
pub(super) fn found<T>(read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
