//! Names people give to boards, plugins, services, fleets and claims.

use crate::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// 1 to 255 characters of RFC 3986's unreserved set (letters, digits, `-`, `.`, `_`, `~`), upstream's rule, and not the
/// form of a UUID, so that a path segment is either an id or a name and never both.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 1, max_length = 255, pattern = "^[A-Za-z0-9._~-]+$")]
pub struct Name(String);

impl Name {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        let unreserved = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
        if text.is_empty() || text.len() > 255 {
            return Err(Invalid::new(format!(
                "a name has 1 to 255 characters, this one has {}",
                text.len()
            )));
        }
        if let Some(wrong) = text.chars().find(|c| !unreserved(*c)) {
            return Err(Invalid::new(format!(
                "a name consists of letters, digits, '-', '.', '_' and '~'; {wrong:?} is none of them"
            )));
        }
        if uuid::Uuid::try_parse(&text).is_ok() {
            return Err(Invalid::new(
                "a name may not look like an id (UUID); add a letter or choose another",
            ));
        }
        Ok(Self(text))
    }
}

impl FromStr for Name {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.to_owned().try_into()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unreserved_text_and_never_ids() {
        assert_eq!(Name::from_str("lamp-7.north_~").unwrap().as_str(), "lamp-7.north_~");
        for wrong in
            ["", "a b", "ä", "x/y", "01890a5d-ac96-774b-bcce-b302099a8057", &"n".repeat(256)]
        {
            assert!(Name::from_str(wrong).is_err(), "{wrong}");
        }
    }
}
