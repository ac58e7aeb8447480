//! Who may do what: one pure function, asked by every route.
//!
//! Order: the tenant wall first (another project's things do not exist for you), then the permissions of the roles.
//! Delegation chains come behind these two when they exist.

use crate::{Invalid, ProjectId, RoleId, UserId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// Roles, in upstream's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Operates the cloud: everything in every project.
    Admin,
    /// Everything in the project.
    AdminIotProject,
    /// Everything in the project but adding and giving up boards.
    ManagerIotProject,
    /// Looks, and asks boards questions that change nothing.
    UserIot,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] =
        [Self::Admin, Self::AdminIotProject, Self::ManagerIotProject, Self::UserIot];

    /// The word used everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::AdminIotProject => "admin_iot_project",
            Self::ManagerIotProject => "manager_iot_project",
            Self::UserIot => "user_iot",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Role {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|role| role.word() == text).ok_or_else(|| {
            Invalid::new(format!(
                "{text:?} is not a role: admin admin_iot_project manager_iot_project user_iot"
            ))
        })
    }
}

impl From<Role> for RoleId {
    fn from(role: Role) -> Self {
        role.word().parse().expect("the words of roles are short texts")
    }
}

/// Who asks: a user (or a program in a user's name) signed in to one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub user: UserId,
    /// The project signed in to.
    pub project: ProjectId,
    /// Roles in that project.
    pub roles: Vec<Role>,
}

/// How deep an action reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Looks and changes nothing, on a board neither (queries).
    Read,
    /// Changes things of the project: plugins, services, labels, commands to boards.
    Write,
    /// Adds boards, replaces them and gives them up.
    Own,
    /// Changes the cloud itself: users, projects, roles.
    Operate,
}

/// An action in upstream's form `type:operation`, with how deep it reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Action {
    /// `board:get`, `plugin_inject:put` …
    pub name: &'static str,
    /// How deep it reaches.
    pub reach: Reach,
}

impl Action {
    /// An action that only looks.
    #[must_use]
    pub const fn read(name: &'static str) -> Self {
        Self { name, reach: Reach::Read }
    }
    /// An action that changes things of the project.
    #[must_use]
    pub const fn write(name: &'static str) -> Self {
        Self { name, reach: Reach::Write }
    }
    /// An action that adds or gives up boards.
    #[must_use]
    pub const fn own(name: &'static str) -> Self {
        Self { name, reach: Reach::Own }
    }
    /// An action on the cloud itself.
    #[must_use]
    pub const fn operate(name: &'static str) -> Self {
        Self { name, reach: Reach::Operate }
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Allow,
    /// For this principal the thing does not exist (404).
    Hidden,
    /// It may be seen, and this may not be done (403); the text says which role would do.
    Deny(String),
}

/// Decides whether `principal` may do `action` on something of `owner` (the project a thing belongs to).
#[must_use]
pub fn decide(principal: &Principal, action: Action, owner: &ProjectId) -> Decision {
    if principal.roles.contains(&Role::Admin) {
        return Decision::Allow;
    }
    if principal.project != *owner {
        return Decision::Hidden;
    }
    let enough = principal.roles.iter().any(|role| allows(*role, action.reach));
    if enough {
        return Decision::Allow;
    }
    Decision::Deny(format!("{} needs the role {}", action.name, least(action.reach)))
}

fn allows(role: Role, reach: Reach) -> bool {
    match role {
        Role::Admin => true,
        Role::AdminIotProject => reach != Reach::Operate,
        Role::ManagerIotProject => matches!(reach, Reach::Read | Reach::Write),
        Role::UserIot => reach == Reach::Read,
    }
}

fn least(reach: Reach) -> Role {
    match reach {
        Reach::Read => Role::UserIot,
        Reach::Write => Role::ManagerIotProject,
        Reach::Own => Role::AdminIotProject,
        Reach::Operate => Role::Admin,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody(project: &ProjectId, role: Role) -> Principal {
        Principal { user: UserId::new(), project: project.clone(), roles: vec![role] }
    }

    #[test]
    fn another_projects_things_do_not_exist_whatever_the_role_in_ones_own() {
        let (mine, theirs) = (ProjectId::new(), ProjectId::new());
        for role in [Role::AdminIotProject, Role::ManagerIotProject, Role::UserIot] {
            assert_eq!(
                decide(&somebody(&mine, role), Action::read("board:get"), &theirs),
                Decision::Hidden
            );
        }
        assert_eq!(
            decide(&somebody(&mine, Role::Admin), Action::own("board:delete"), &theirs),
            Decision::Allow
        );
    }

    #[test]
    fn each_role_reaches_exactly_as_deep_as_its_doc_says() {
        let mine = ProjectId::new();
        let reaches = [Reach::Read, Reach::Write, Reach::Own, Reach::Operate];
        for (role, depth) in [
            (Role::UserIot, 1),
            (Role::ManagerIotProject, 2),
            (Role::AdminIotProject, 3),
            (Role::Admin, 4),
        ] {
            let allowed = reaches.iter().filter(|reach| {
                decide(&somebody(&mine, role), Action { name: "x:y", reach: **reach }, &mine)
                    == Decision::Allow
            });
            assert_eq!(allowed.count(), depth, "{role}");
        }
    }
}
