//! The one place where "may they?" is asked: everything that touches a thing of somebody goes through a [`Caller`].

use crate::app::Error;
use crate::identity::grants::Grant;
use model::access::{Action, Decision, Principal, Role, decide};
use model::{DelegationId, Kind, ProjectId, Timestamp};
use std::sync::Arc;

/// Who asks, and for which action. One exists for each request, made from its token and its route.
#[derive(Debug, Clone)]
pub struct Caller {
    grant: Arc<Grant>,
    action: Action,
    key: Option<Key>,
    only: Option<ProjectId>,
}

/// On what it rests that somebody may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// On the own roles, in the project of the thing.
    Roles,
    /// On a delegation, which ends at this moment unless it is taken back before.
    Delegation(DelegationId, Timestamp),
}

impl Basis {
    /// The delegation, if it is one.
    #[must_use]
    pub fn delegation(self) -> Option<DelegationId> {
        match self {
            Self::Roles => None,
            Self::Delegation(id, _) => Some(id),
        }
    }
}

/// The key under which the request's answer is kept (`Idempotency-Key`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(pub String);

impl Caller {
    /// Somebody who has asked for nothing yet. Whether they may is asked of the thing they name: of their roles, and of the
    /// delegations that reach it.
    #[must_use]
    pub fn new(grant: Arc<Grant>, action: Action) -> Self {
        Self { grant, action, key: None, only: None }
    }

    /// Whether the roles reach so deep in the own project; where they do not, only what is lent does.
    ///
    /// # Errors
    /// They do not.
    pub fn may_at_home(&self) -> Result<(), Error> {
        self.may(self.project(), "project")
    }

    /// The same caller, whose request has a key.
    #[must_use]
    pub fn with_key(self, key: Option<Key>) -> Self {
        Self { key, ..self }
    }

    /// The same caller, asking whether it may do something else.
    #[must_use]
    pub(crate) fn about(self, action: Action) -> Self {
        Self { action, ..self }
    }

    /// The same caller, who looks at the things of one project only.
    #[must_use]
    pub fn within(self, project: ProjectId) -> Self {
        Self { only: Some(project), ..self }
    }

    /// The key of the request, if it has one.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Whether the action may be done with something of `owner`.
    ///
    /// # Errors
    /// It may not, or for this caller it does not exist.
    pub fn may(&self, owner: &ProjectId, what: &'static str) -> Result<(), Error> {
        match decide(&self.grant.principal, self.action, owner) {
            Decision::Allow => Ok(()),
            Decision::Hidden => Err(store::Error::NotFound { what }.into()),
            Decision::Deny(why) => Err(Error::new(Kind::Forbidden, why)),
        }
    }

    /// The project whose things are looked at; none for those who operate the cloud and see all.
    #[must_use]
    pub fn scope(&self) -> Option<&ProjectId> {
        if self.is_operator() { self.only.as_ref() } else { Some(&self.principal().project) }
    }

    /// Whether the caller operates the cloud, and so may look into every project.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.principal().roles.contains(&Role::Admin)
    }

    /// The project where new things go and names are looked up first.
    #[must_use]
    pub fn project(&self) -> &ProjectId {
        &self.principal().project
    }

    /// All that is known of who asks.
    #[must_use]
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// Who it is.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.grant.principal
    }

    /// The action that is asked for.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action
    }
}
