//! What a role is worth here: the words of Keystone, and of roles that somebody made, as one of our own four.

use model::access::Role;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Roles by name. One of our own four is worth itself unless something else is said; any other name is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Roles(BTreeMap<String, Role>);

impl Default for Roles {
    /// Keystone's own words: a member works in the project, a reader looks.
    fn default() -> Self {
        let words = [("member", Role::ManagerIotProject), ("reader", Role::UserIot)];
        Self(words.map(|(name, role)| (name.to_owned(), role)).into())
    }
}

impl Roles {
    /// What a role of this name is worth.
    #[must_use]
    pub fn worth(&self, name: &str) -> Option<Role> {
        self.0.get(name).copied().or_else(|| name.parse().ok())
    }

    /// What all of them are worth, each once.
    #[must_use]
    pub fn worth_of_all<'n>(&self, names: impl Iterator<Item = &'n str>) -> Vec<Role> {
        let mut roles: Vec<Role> = Vec::new();
        for role in names.filter_map(|name| self.worth(name)) {
            if !roles.contains(&role) {
                roles.push(role);
            }
        }
        roles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_words_are_worth_themselves_and_strange_ones_nothing() {
        let roles = Roles::default();
        let names = ["admin", "member", "manager_iot_project", "stranger"];
        let worth = roles.worth_of_all(names.into_iter());
        assert_eq!(worth, [Role::Admin, Role::ManagerIotProject]);
    }

    #[test]
    fn what_is_set_goes_before_the_word_itself() {
        let roles: Roles = serde_json::from_str(r#"{"admin": "admin_iot_project"}"#).unwrap();
        assert_eq!(roles.worth("admin"), Some(Role::AdminIotProject));
        assert_eq!(roles.worth("member"), None);
    }
}
