//! Identifiers. What we create is a UUIDv7 (RFC 9562), so ids sort by creation; users and projects are opaque text,
//! because a Keystone hands out hexadecimal ones.

use crate::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident $word:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String, format = "uuid")]
        pub struct $name(Uuid);

        impl $name {
            /// A new id; later ones sort after earlier ones of this process.
            #[must_use]
            #[allow(clippy::new_without_default, reason = "an id made by default would be surprising")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id as UUID.
            #[must_use]
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", $word, self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| Invalid::new(format!(concat!("{:?} is not the id of a ", $word, ": expected a UUID"), text)))
            }
        }
    )*};
}

uuid_id! {
    /// A board: a device that is part of the cloud.
    BoardId "board";
    /// A claim: the right to enrol boards.
    ClaimId "claim";
    /// A plugin: code that can be injected into boards.
    PluginId "plugin";
    /// A service: something on a board that listens.
    ServiceId "service";
    /// A fleet: a named set of boards.
    FleetId "fleet";
    /// An operation: one command or query to a board.
    OperationId "operation";
    /// An application credential.
    CredentialId "credential";
    /// A delegation: a part of somebody's rights in somebody else's hands.
    DelegationId "delegation";
    /// A transfer: a board that one project offers to another.
    TransferId "transfer";
}

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident $word:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schema(value_type = String, max_length = 64)]
        pub struct $name(String);

        impl $name {
            /// A new random one: 32 hexadecimal digits, Keystone's form.
            #[must_use]
            #[allow(clippy::new_without_default, reason = "an id made by default would be surprising")]
            pub fn new() -> Self {
                Self(Uuid::new_v4().simple().to_string())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                if text.is_empty() || text.len() > 64 || text.chars().any(char::is_control) {
                    return Err(Invalid::new(concat!($word, " id must have 1 to 64 characters and no control characters")));
                }
                Ok(Self(text))
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text_id! {
    /// A project (tenant): the wall between customers.
    ProjectId "project";
    /// A user: a person or a program that signs in.
    UserId "user";
    /// A role as users are given it; those of [`crate::access::Role`] are their own ids.
    RoleId "role";
}

/// The project of who signed in to none.
const NOWHERE: &str = "none";

impl ProjectId {
    /// The project of who signed in to none: nothing belongs to it, and nobody has a role in it.
    #[must_use]
    pub fn nowhere() -> Self {
        Self(NOWHERE.to_owned())
    }

    /// Whether it is that one.
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        self.0 == NOWHERE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_creation_and_survive_text() {
        let (first, second) = (BoardId::new(), BoardId::new());
        assert!(first < second);
        assert_eq!(first.to_string().parse(), Ok(first));
        assert!("board-1".parse::<BoardId>().unwrap_err().0.contains("expected a UUID"));
    }

    #[test]
    fn text_ids_are_bounded() {
        assert!(ProjectId::from_str(&"a".repeat(65)).is_err());
        assert!(serde_json::from_str::<UserId>("\"\"").is_err());
    }
}
