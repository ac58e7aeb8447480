//! URIs: which are well formed, how patterns match, and the ones the protocol reserves.
//!
//! Loose URIs of the specification: components between dots, no whitespace, no `#`.

use serde_json::Value;

use crate::Dict;

/// How a registration or a subscription covers URIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Match {
    /// This URI alone.
    #[default]
    Exact,
    /// Every URI that begins with it, character by character.
    Prefix,
    /// An empty component stands for any one component.
    Wildcard,
}

impl Match {
    const ALL: [Self; 3] = [Self::Exact, Self::Prefix, Self::Wildcard];

    /// The word of the protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Prefix => "prefix",
            Self::Wildcard => "wildcard",
        }
    }

    /// What `options` ask for; `None` for a word nobody defined.
    pub fn from_options(options: &Dict) -> Option<Self> {
        match options.get("match") {
            // Some clients write the options that they do not use.
            None | Some(Value::Null) => Some(Self::Exact),
            Some(word) => Self::ALL.into_iter().find(|kind| word == kind.as_str()),
        }
    }

    /// The options that ask for it: none for an exact match.
    pub fn into_options(self) -> Dict {
        let mut options = Dict::new();
        if self != Self::Exact {
            options.insert("match".into(), self.as_str().into());
        }
        options
    }
}

/// Whether `uri` may name a procedure, topic or error.
pub fn is_valid(uri: &str, max_length: usize) -> bool {
    is_within(uri, max_length) && uri.split('.').all(|component| !component.is_empty())
}

/// Whether `uri` may stand in a registration or subscription of kind `pattern`.
pub fn is_valid_pattern(uri: &str, pattern: Match, max_length: usize) -> bool {
    match pattern {
        Match::Exact => is_valid(uri, max_length),
        Match::Prefix => is_valid(uri.strip_suffix('.').unwrap_or(uri), max_length),
        Match::Wildcard => is_within(uri, max_length),
    }
}

fn is_within(uri: &str, max_length: usize) -> bool {
    let is_clean = |c: char| !c.is_whitespace() && !c.is_control() && c != '#';
    !uri.is_empty() && uri.len() <= max_length && uri.chars().all(is_clean)
}

/// Whether the protocol keeps `uri` for itself.
pub fn is_reserved(uri: &str) -> bool {
    uri == "wamp" || uri.starts_with("wamp.")
}

/// Whether the wildcard `pattern` covers `uri`.
pub(crate) fn wildcard_covers(pattern: &str, uri: &str) -> bool {
    let mut wanted = pattern.split('.');
    let mut given = uri.split('.');
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted.is_empty() || wanted == given => {}
            _ => return false,
        }
    }
}

/// Error and reason URIs of the specification, and the few that this router adds.
pub mod error {
    /// The policy does not allow the action.
    pub const NOT_AUTHORISED: &str = "wamp.error.not_authorized";
    /// The policy does not allow the session.
    pub const AUTHENTICATION_DENIED: &str = "wamp.error.authentication_denied";
    /// The signature or ticket is wrong.
    pub const AUTHENTICATION_FAILED: &str = "wamp.error.authentication_failed";
    /// None of the offered authentication methods is known.
    pub const NO_AUTH_METHOD: &str = "wamp.error.no_matching_auth_method";
    /// The call was canceled, or its callee vanished.
    pub const CANCELED: &str = "wamp.error.canceled";
    /// The call took longer than its caller allows.
    pub const TIMEOUT: &str = "wamp.error.timeout";
    /// A bound is reached: try again later.
    pub const UNAVAILABLE: &str = "wamp.error.unavailable";
    /// Arguments that cannot be read or are wrong.
    pub const INVALID_ARGUMENT: &str = "wamp.error.invalid_argument";
    /// A payload that cannot be carried over into the receiver's serialiser.
    pub const INVALID_PAYLOAD: &str = "wamp.error.invalid_payload";
    /// Not a URI, or a reserved one.
    pub const INVALID_URI: &str = "wamp.error.invalid_uri";
    /// Nobody has registered the procedure.
    pub const NO_SUCH_PROCEDURE: &str = "wamp.error.no_such_procedure";
    /// Somebody has registered the procedure already.
    pub const PROCEDURE_EXISTS: &str = "wamp.error.procedure_already_exists";
    /// No such registration.
    pub const NO_SUCH_REGISTRATION: &str = "wamp.error.no_such_registration";
    /// No such subscription.
    pub const NO_SUCH_SUBSCRIPTION: &str = "wamp.error.no_such_subscription";
    /// No such session.
    pub const NO_SUCH_SESSION: &str = "wamp.error.no_such_session";
    /// No such realm.
    pub const NO_SUCH_REALM: &str = "wamp.error.no_such_realm";
    /// The procedure is shared by another rule than the one asked for.
    pub const PROCEDURE_SHARED_OTHERWISE: &str =
        "wamp.error.procedure_exists_with_different_invocation_policy";
    /// No such publication in a history.
    pub const NO_SUCH_PUBLICATION: &str = "wamp.error.no_such_publication";
    /// The events of a subscription are not kept.
    pub const NO_EVENT_HISTORY: &str = "wamp.error.history_unavailable";
    /// Disclosure was asked for, and this router discloses nobody.
    pub const DISCLOSE_ME_NOT_ALLOWED: &str = "wamp.error.option_disallowed.disclose_me";
    /// The receiver cannot do what was asked for.
    pub const FEATURE_NOT_SUPPORTED: &str = "wamp.error.feature_not_supported";
    /// An option that is not supported.
    pub const OPTION_NOT_ALLOWED: &str = "wamp.error.option_not_allowed";
    /// The peer broke the protocol.
    pub const PROTOCOL_VIOLATION: &str = "wamp.error.protocol_violation";
    /// A handler failed in an unforeseen way.
    pub const RUNTIME_ERROR: &str = "wamp.error.runtime_error";
    /// A normal end.
    pub const CLOSE_NORMAL: &str = "wamp.close.normal";
    /// The answer to a goodbye.
    pub const GOODBYE_AND_OUT: &str = "wamp.close.goodbye_and_out";
    /// The realm is closed.
    pub const CLOSE_REALM: &str = "wamp.close.close_realm";
    /// The router ends.
    pub const SYSTEM_SHUTDOWN: &str = "wamp.close.system_shutdown";
    /// The session was ended by an administrator.
    pub const KILLED: &str = "wamp.close.killed";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_uris_are_told_from_others() {
        for uri in ["a", "iotronic.123.0b7c-8f.DevicePing", "com.böard.x"] {
            assert!(is_valid(uri, 64), "{uri}");
        }
        for uri in ["", ".", "a..b", "a.", ".a", "a b", "a#b", "a\nb", &"x".repeat(65)] {
            assert!(!is_valid(uri, 64), "{uri}");
        }
        assert!(is_valid_pattern("iotronic.123.", Match::Prefix, 64));
        assert!(is_valid_pattern("iotronic.12", Match::Prefix, 64));
        assert!(!is_valid_pattern("iotronic..", Match::Prefix, 64));
        assert!(is_valid_pattern("iotronic..x", Match::Wildcard, 64));
    }

    #[test]
    fn an_empty_component_stands_for_any_one() {
        assert!(wildcard_covers("a..c", "a.b.c"));
        assert!(wildcard_covers("..", "a.b.c"));
        assert!(!wildcard_covers("a..c", "a.c"));
        assert!(!wildcard_covers("a..c", "a.b.d"));
    }
}
