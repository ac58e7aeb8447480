//! Access rules of application credentials: which requests their tokens may make, in Keystone's form (method, path, service).
//!
//! Invariant: a rule only narrows what roles allow; matching takes time bounded by the lengths of pattern and path. In a path
//! `{name}` and `*` stand for one or more characters without a slash, `**` for any text, and all else for itself.

use crate::Invalid;
use serde::{Deserialize, Serialize};

/// Most rules of one credential.
pub const MAX_RULES: usize = 100;
/// Longest path pattern in bytes; Keystone's own limit.
const MAX_PATH: usize = 225;
/// Longest service type in bytes.
const MAX_SERVICE: usize = 64;
/// Methods that a rule may name.
const METHODS: [&str; 6] = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"];

/// One rule: requests with this method to this path of this service are allowed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct AccessRule(Text);

/// A rule as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Text {
    /// Method of the request, upper case.
    pub method: String,
    /// Pattern of its path.
    pub path: String,
    /// Type of the service in the catalog: `iot`, `identity`, `network`.
    pub service: String,
}

impl AccessRule {
    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &Text {
        &self.0
    }

    /// Whether it allows this request.
    #[must_use]
    pub fn allows(&self, service: &str, method: &str, path: &str) -> bool {
        self.0.service == service && self.0.method == method && matches(&self.0.path, path)
    }
}

impl TryFrom<Text> for AccessRule {
    type Error = Invalid;
    fn try_from(text: Text) -> Result<Self, Invalid> {
        let wrong = |said: String| Err(Invalid::new(said));
        if !METHODS.contains(&text.method.as_str()) {
            let methods = METHODS.join(" ");
            return wrong(format!("an access rule names one method of: {methods}"));
        }
        let is_clean = |text: &str| !text.chars().any(char::is_control);
        if !text.path.starts_with('/') || text.path.len() > MAX_PATH || !is_clean(&text.path) {
            return wrong(format!(
                "the path of an access rule begins with / and has at most {MAX_PATH} bytes and no control characters"
            ));
        }
        if text.service.is_empty() || text.service.len() > MAX_SERVICE || !is_clean(&text.service) {
            return wrong(format!(
                "the service of an access rule is a type of the catalog, at most {MAX_SERVICE} bytes"
            ));
        }
        Ok(Self(text))
    }
}

impl From<AccessRule> for Text {
    fn from(rule: AccessRule) -> Self {
        rule.0
    }
}

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// This byte.
    Byte(u8),
    /// One or more bytes that are no slash.
    Segment,
    /// Any bytes, or none.
    Anything,
}

fn matches(pattern: &str, path: &str) -> bool {
    let parts = parts(pattern);
    // Which parts may come next; the last place stands for the end.
    let mut next = vec![false; parts.len() + 1];
    mark(&parts, &mut next, 0);
    for byte in path.bytes() {
        let mut after = vec![false; parts.len() + 1];
        for (index, part) in parts.iter().enumerate() {
            if !next.get(index).copied().unwrap_or(false) {
                continue;
            }
            match part {
                Part::Byte(wanted) if *wanted == byte => mark(&parts, &mut after, index + 1),
                Part::Segment if byte != b'/' => {
                    mark(&parts, &mut after, index);
                    mark(&parts, &mut after, index + 1);
                }
                Part::Anything => mark(&parts, &mut after, index),
                Part::Byte(_) | Part::Segment => {}
            }
        }
        next = after;
    }
    next.last().copied().unwrap_or(false)
}

/// Marks a place, and those behind it that may be left out.
fn mark(parts: &[Part], places: &mut [bool], from: usize) {
    for index in from..places.len() {
        if let Some(place) = places.get_mut(index) {
            *place = true;
        }
        if parts.get(index) != Some(&Part::Anything) {
            return;
        }
    }
}

fn parts(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = pattern.as_bytes();
    while let Some((first, left)) = rest.split_first() {
        let end = left.iter().position(|byte| *byte == b'}').filter(|_| *first == b'{');
        let (part, left) = match (end.and_then(|end| left.get(end + 1..)), left.strip_prefix(b"*"))
        {
            (Some(left), _) => (Part::Segment, left),
            (None, Some(left)) if *first == b'*' => (Part::Anything, left),
            _ if *first == b'*' => (Part::Segment, left),
            _ => (Part::Byte(*first), left),
        };
        parts.push(part);
        rest = left;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(method: &str, path: &str, service: &str) -> Result<AccessRule, Invalid> {
        let text = Text { method: method.into(), path: path.into(), service: service.into() };
        text.try_into()
    }

    #[test]
    fn stars_and_names_stand_for_one_segment_and_two_stars_for_any_text() {
        for (pattern, path, expected) in [
            ("/v2/boards", "/v2/boards", true),
            ("/v2/boards", "/v2/boards/", false),
            ("/v2/boards/{board}", "/v2/boards/lamp-7", true),
            ("/v2/boards/{board}", "/v2/boards/", false),
            ("/v2/boards/*", "/v2/boards/lamp/plugins", false),
            ("/v2/boards/*/plugins", "/v2/boards/lamp/plugins", true),
            ("/v2/b*s/x", "/v2/boards/x", true),
            ("/v2/**", "/v2/boards/lamp/plugins", true),
            ("/v2/**", "/v2/", true),
            ("/v2/**/logs", "/v2/boards/a/b/logs", true),
            ("/v2/**/logs", "/v2/boards/a/b/load", false),
            ("/v2/b.ards", "/v2/boards", false),
            ("/v2/{open", "/v2/{open", true),
            ("/ä/*", "/ä/x", true),
            ("**", "", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_rule_is_for_one_method_of_one_service() {
        let rule = rule("GET", "/v2/boards", "iot").unwrap();
        assert!(rule.allows("iot", "GET", "/v2/boards"));
        assert!(!rule.allows("iot", "POST", "/v2/boards"));
        assert!(!rule.allows("network", "GET", "/v2/boards"));
    }

    #[test]
    fn rules_that_cannot_be_meant_are_refused() {
        for (method, path, service) in [
            ("get", "/", "iot"),
            ("TRACE", "/", "iot"),
            ("GET", "v2", "iot"),
            ("GET", "/\n", "iot"),
            ("GET", &format!("/{}", "x".repeat(MAX_PATH)), "iot"),
            ("GET", "/", ""),
        ] {
            assert!(rule(method, path, service).is_err(), "{method} {path} {service}");
        }
    }

    proptest! {
        #[test]
        fn any_pattern_is_held_against_any_path(pattern in ".{0,60}", path in ".{0,60}") {
            let _ = matches(&pattern, &path);
        }

        #[test]
        fn a_pattern_without_signs_allows_itself_alone(path in "/[a-z/äß.]{0,30}", other in "/[a-z/äß.]{0,30}") {
            prop_assert!(matches(&path, &path));
            prop_assert_eq!(matches(&path, &other), path == other);
        }
    }
}
