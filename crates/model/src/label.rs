//! Labels on boards and the selectors that pick boards by them.
//!
//! Selector syntax (a comma means "and"): `key=value`, `key!=value`, `key` (present), `!key` (absent),
//! `key in (a|b)`, `key notin (a|b)`. As in Kubernetes, but for `|` between values.

use crate::Invalid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// Most labels one board may carry.
pub const MAX_LABELS: usize = 64;
/// Most terms of one selector.
pub const MAX_TERMS: usize = 16;

/// Key and value pairs; keys and values of 1 to 63 characters out of letters, digits, `-`, `.`, `_`, `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
#[schema(value_type = BTreeMap<String, String>)]
pub struct Labels(BTreeMap<String, String>);

impl Labels {
    /// All pairs, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<BTreeMap<String, String>> for Labels {
    type Error = Invalid;
    fn try_from(pairs: BTreeMap<String, String>) -> Result<Self, Invalid> {
        if pairs.len() > MAX_LABELS {
            return Err(Invalid::new(format!(
                "{} labels are more than the {MAX_LABELS} allowed",
                pairs.len()
            )));
        }
        for text in pairs.iter().flat_map(|(key, value)| [key, value]) {
            word(text)?;
        }
        Ok(Self(pairs))
    }
}

impl From<Labels> for BTreeMap<String, String> {
    fn from(labels: Labels) -> Self {
        labels.0
    }
}

fn word(text: &str) -> Result<String, Invalid> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '/');
    if text.is_empty() || text.len() > 63 || !text.chars().all(fits) {
        return Err(Invalid::new(format!(
            "label text {text:?} must have 1 to 63 letters, digits, '-', '.', '_' or '/'"
        )));
    }
    Ok(text.to_owned())
}

/// One condition of a selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    /// The key has one of these values.
    In(String, Vec<String>),
    /// The key is absent or has none of these values.
    NotIn(String, Vec<String>),
    /// The key is present.
    Present(String),
    /// The key is absent.
    Absent(String),
}

impl Term {
    fn holds(&self, labels: &Labels) -> bool {
        let has = |key: &str, values: &[String]| {
            labels.get(key).is_some_and(|v| values.iter().any(|w| w == v))
        };
        match self {
            Self::In(key, values) => has(key, values),
            Self::NotIn(key, values) => !has(key, values),
            Self::Present(key) => labels.get(key).is_some(),
            Self::Absent(key) => labels.get(key).is_none(),
        }
    }
}

/// A conjunction of terms; the empty one picks every board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(Vec<Term>);

impl Selector {
    /// Whether a board with these labels is picked.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|term| term.holds(labels))
    }

    /// The terms.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.0
    }
}

impl FromStr for Selector {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let terms: Vec<_> = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(term)
            .collect::<Result<_, _>>()?;
        if terms.len() > MAX_TERMS {
            return Err(Invalid::new(format!("a selector has at most {MAX_TERMS} terms")));
        }
        Ok(Self(terms))
    }
}

fn term(text: &str) -> Result<Term, Invalid> {
    if let Some((key, values)) = text.split_once(" notin ") {
        return Ok(Term::NotIn(word(key.trim())?, set(values)?));
    }
    if let Some((key, values)) = text.split_once(" in ") {
        return Ok(Term::In(word(key.trim())?, set(values)?));
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Ok(Term::NotIn(word(key.trim())?, vec![word(value.trim())?]));
    }
    if let Some((key, value)) = text.split_once('=') {
        return Ok(Term::In(word(key.trim())?, vec![word(value.trim_start_matches('=').trim())?]));
    }
    match text.strip_prefix('!') {
        Some(key) => Ok(Term::Absent(word(key.trim())?)),
        None => Ok(Term::Present(word(text)?)),
    }
}

fn set(text: &str) -> Result<Vec<String>, Invalid> {
    let inner = text.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let inner = inner.ok_or_else(|| Invalid::new(format!("{text:?} is not a set: write (a|b)")))?;
    inner.split('|').map(|value| word(value.trim())).collect()
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match term {
                Term::In(key, values) => write_values(f, key, ["=", "in"], values)?,
                Term::NotIn(key, values) => write_values(f, key, ["!=", "notin"], values)?,
                Term::Present(key) => f.write_str(key)?,
                Term::Absent(key) => write!(f, "!{key}")?,
            }
        }
        Ok(())
    }
}

fn write_values(
    f: &mut fmt::Formatter<'_>,
    key: &str,
    [one, many]: [&str; 2],
    values: &[String],
) -> fmt::Result {
    match values {
        [value] => write!(f, "{key}{one}{value}"),
        values => write!(f, "{key} {many} ({})", values.join("|")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        let map: BTreeMap<_, _> =
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        map.try_into().unwrap()
    }

    #[test]
    fn selectors_pick_by_value_presence_and_set() {
        let lamp = labels(&[("kind", "lamp"), ("zone", "north")]);
        for (text, picked) in [
            ("", true),
            ("kind=lamp", true),
            ("kind==lamp,zone!=south", true),
            ("kind=lamp,zone=south", false),
            ("zone in (north|east)", true),
            ("zone notin (north|east)", false),
            ("kind,!battery", true),
            ("battery", false),
        ] {
            assert_eq!(text.parse::<Selector>().unwrap().matches(&lamp), picked, "{text}");
        }
    }

    #[test]
    fn malformed_selectors_are_refused_with_the_part_that_is_wrong() {
        for wrong in ["kind=", "=lamp", "zone in north", "a b"] {
            assert!(wrong.parse::<Selector>().is_err(), "{wrong}");
        }
        assert!(vec!["k"; 17].join(",").parse::<Selector>().is_err());
    }

    #[test]
    fn a_selector_reads_back_what_it_writes() {
        let selector: Selector = "a=1,b!=2,c,!d,e in (x|y)".parse().unwrap();
        assert_eq!(selector.to_string().parse::<Selector>().unwrap(), selector);
        assert_eq!(selector.to_string(), "a=1,b!=2,c,!d,e in (x|y)");
    }
}
