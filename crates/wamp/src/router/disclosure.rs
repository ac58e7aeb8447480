//! Telling who called and who published, and options that pass through unread.
//!
//! Invariant: with [`Disclosure::Never`] no identity leaves the router, and who asks for it learns that it will not.

use super::{Core, Disclosure, Turn};
use crate::policy::{Action, Identity};
use crate::uri::error;
use crate::{Dict, Fault};

/// Whether an identity goes along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identified {
    Yes,
    No,
}

impl Core {
    /// Whether the one who acts is told about: by the realm's rule or the policy's own, and by who asks for it.
    pub(super) fn identified(
        &self,
        who: &Identity,
        action: Action,
        uri: &str,
        wishes: [bool; 2],
        turn: &Turn<'_>,
    ) -> Result<Identified, Fault> {
        let rule = turn.policy.disclosure(who, action, uri).unwrap_or(self.disclosure);
        let [by_actor, by_receiver] = wishes;
        match rule {
            Disclosure::Always => Ok(Identified::Yes),
            Disclosure::OnRequest if by_actor || by_receiver => Ok(Identified::Yes),
            Disclosure::OnRequest => Ok(Identified::No),
            Disclosure::Never if by_actor => {
                let text = "this router discloses no identities";
                Err(Fault::new(error::DISCLOSE_ME_NOT_ALLOWED, text))
            }
            Disclosure::Never => Ok(Identified::No),
        }
    }
}

/// Writes who it was into `details`, under `prefix` and its derivatives.
pub(super) fn disclose(identity: &Identity, prefix: Prefix, details: &mut Dict) {
    let [id, authid, role] = match prefix {
        Prefix::Caller => ["caller", "caller_authid", "caller_authrole"],
        Prefix::Publisher => ["publisher", "publisher_authid", "publisher_authrole"],
    };
    details.insert(id.to_owned(), identity.id.into());
    details.insert(authid.to_owned(), identity.authid.as_str().into());
    details.insert(role.to_owned(), identity.role.as_str().into());
}

/// As what somebody is disclosed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    Caller,
    Publisher,
}

/// Options that pass from a request to what it causes: the scheme of an end-to-end payload.
pub(super) fn pass_through(options: &Dict, details: &mut Dict) {
    let passing = options.iter().filter(|(key, _)| key.starts_with("ppt_"));
    details.extend(passing.map(|(key, value)| (key.clone(), value.clone())));
}

/// A boolean option; anything else is as if it were not there.
pub(super) fn flag(options: &Dict, name: &str) -> Option<bool> {
    options.get(name).and_then(serde_json::Value::as_bool)
}

/// Whether a boolean option is set.
pub(super) fn is_set(options: &Dict, name: &str) -> bool {
    flag(options, name) == Some(true)
}
