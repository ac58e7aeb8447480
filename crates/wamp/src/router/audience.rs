//! Who gets a publication: publisher exclusion, black lists and white lists (specification, subscriber black- and
//! whitelisting), by session, authid and role.
//!
//! Invariant: whoever is on a black list gets nothing, also when it is on a white list.

use serde_json::Value;

use crate::Dict;
use crate::codec::number_of;
use crate::policy::Identity;

/// What a PUBLISH says about its receivers.
#[derive(Debug, Default)]
pub(super) struct Audience<'a> {
    pub(super) excluded: Option<u64>,
    lists: Option<Lists<'a>>,
}

#[derive(Debug)]
struct Lists<'a> {
    black: By<'a>,
    white: By<'a>,
}

#[derive(Debug)]
struct By<'a> {
    sessions: Option<&'a Vec<Value>>,
    authids: Option<&'a Vec<Value>>,
    roles: Option<&'a Vec<Value>>,
}

impl<'a> By<'a> {
    fn new(options: &'a Dict, [sessions, authids, roles]: [&str; 3]) -> Self {
        let list = |name: &str| options.get(name).and_then(Value::as_array);
        Self { sessions: list(sessions), authids: list(authids), roles: list(roles) }
    }

    fn is_empty(&self) -> bool {
        self.sessions.is_none() && self.authids.is_none() && self.roles.is_none()
    }

    /// What each list that was given says of somebody.
    fn verdicts(&self, who: &Identity) -> impl Iterator<Item = bool> {
        let session = self.sessions.map(|all| all.iter().any(|id| number_of(id) == Some(who.id)));
        let authid = self.authids.map(|all| holds(all, &who.authid));
        let role = self.roles.map(|all| holds(all, &who.role));
        [session, authid, role].into_iter().flatten()
    }
}

fn holds(list: &[Value], text: &str) -> bool {
    list.iter().any(|item| item.as_str() == Some(text))
}

impl<'a> Audience<'a> {
    /// What `options` say; `excluded` is the publisher, unless it wants its own event.
    pub(super) fn new(options: &'a Dict, excluded: Option<u64>) -> Self {
        if options.is_empty() {
            return Self { excluded, lists: None };
        }
        let black = By::new(options, ["exclude", "exclude_authid", "exclude_authrole"]);
        let white = By::new(options, ["eligible", "eligible_authid", "eligible_authrole"]);
        let has_lists = !(black.is_empty() && white.is_empty());
        Self { excluded, lists: has_lists.then_some(Lists { black, white }) }
    }

    /// Whether everybody may have it, but perhaps its publisher.
    pub(super) fn is_open(&self) -> bool {
        self.lists.is_none()
    }

    pub(super) fn includes(&self, who: &Identity) -> bool {
        self.excluded != Some(who.id)
            && self.lists.as_ref().is_none_or(|lists| {
                !lists.black.verdicts(who).any(|is_on| is_on)
                    && lists.white.verdicts(who).all(|is_on| is_on)
            })
    }
}
