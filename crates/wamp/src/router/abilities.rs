//! What a client says in HELLO that it can do, as far as the router acts on it.

use serde_json::Value;

use crate::Dict;

/// A set of announced features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Abilities(u8);

/// Role, feature and its place in the set.
const KNOWN: [(&str, &str, Abilities); 4] = [
    ("callee", "call_canceling", Abilities::INTERRUPTS),
    ("callee", "progressive_call_invocations", Abilities::PROGRESSIVE_CALLS),
    ("callee", "registration_revocation", Abilities::REGISTRATION_REVOCATION),
    ("subscriber", "subscription_revocation", Abilities::SUBSCRIPTION_REVOCATION),
];

impl Abilities {
    /// Understands INTERRUPT.
    pub(crate) const INTERRUPTS: Self = Self(1);
    /// Takes a call in several invocations.
    pub(crate) const PROGRESSIVE_CALLS: Self = Self(2);
    /// Understands that a registration is taken away.
    pub(crate) const REGISTRATION_REVOCATION: Self = Self(4);
    /// Understands that a subscription is taken away.
    pub(crate) const SUBSCRIPTION_REVOCATION: Self = Self(8);
    /// Nothing beyond the basic profile.
    #[cfg(test)]
    pub(crate) const fn none() -> Self {
        Self(0)
    }

    /// What sessions of this crate can do.
    pub(crate) const OURS: Self = Self(1 | 4 | 8);

    /// What `roles` of a HELLO announce.
    pub(crate) fn from_roles(roles: &Dict) -> Self {
        let announced = |role: &str, feature: &str| {
            let features = roles.get(role).and_then(|role| role.get("features"));
            features.and_then(|all| all.get(feature)) == Some(&Value::Bool(true))
        };
        KNOWN
            .iter()
            .filter(|(role, feature, _)| announced(role, feature))
            .fold(Self::default(), |set, (.., one)| Self(set.0 | one.0))
    }

    /// Whether all of `wanted` is in it.
    pub(crate) fn has(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}
