//! The meta API: what the router tells and does by calls, and what it announces by events.
//!
//! Invariant: a meta procedure is called like any other, so the policy decides who may. Deliberately not here: session
//! resumption, so a session's testaments and its end are one.

mod registrations;
mod sessions;
mod subscriptions;

use serde_json::{Value, json};

use super::{Core, Turn};
use crate::codec::number_of;
use crate::policy::Identity;
use crate::uri::{self, error};
use crate::{Arguments, Fault, Match};

impl Core {
    pub(super) fn meta_call(
        &mut self,
        caller: &Identity,
        procedure: &str,
        arguments: Arguments,
        turn: &mut Turn<'_>,
    ) -> Result<Arguments, Fault> {
        let rest = |group: &str| procedure.strip_prefix(group);
        if let Some(name) = rest("wamp.session.") {
            return self.session_call(caller, name, arguments, turn);
        }
        if let Some(name) = rest("wamp.registration.") {
            return self.registration_call(name, &arguments, turn).map(Arguments::one);
        }
        if let Some(name) = rest("wamp.subscription.") {
            return match name {
                "get_events" => self.get_events(caller, &arguments, turn),
                _ => self.subscription_call(name, &arguments, turn).map(Arguments::one),
            };
        }
        Err(unknown(procedure))
    }
}

impl Core {
    /// The reason in the keywords, which must be a URI: clients end their session over any other.
    fn reason_in<'a>(
        &self,
        arguments: &'a Arguments,
        otherwise: &'a str,
    ) -> Result<&'a str, Fault> {
        let reason = arguments.keywords.get("reason").and_then(Value::as_str);
        let reason = reason.unwrap_or(otherwise);
        if uri::is_valid(reason, self.bounds.uri_length) {
            return Ok(reason);
        }
        Err(Fault::new(error::INVALID_URI, "the reason must be a URI"))
    }
}

fn unknown(procedure: &str) -> Fault {
    let text = format!("this router has no procedure {procedure}");
    Fault::new(error::NO_SUCH_PROCEDURE, text)
}

pub(super) fn wrong(text: &str) -> Fault {
    Fault::new(error::INVALID_ARGUMENT, text)
}

pub(super) fn id_of(value: Option<&Value>, wanted: &str) -> Result<u64, Fault> {
    value.and_then(number_of).ok_or_else(|| wrong(wanted))
}

fn text_of<'a>(value: Option<&'a Value>, wanted: &str) -> Result<&'a str, Fault> {
    value.and_then(Value::as_str).ok_or_else(|| wrong(wanted))
}

/// The pattern and its kind that the first two arguments of a lookup name.
fn pattern_of(arguments: &Arguments) -> Result<(&str, Match), Fault> {
    let uri = text_of(arguments.list.first(), "a URI or pattern is wanted")?;
    let kind = match arguments.list.get(1) {
        Some(Value::Object(options)) => Match::from_options(options),
        _ => Some(Match::Exact),
    };
    Ok((uri, kind.ok_or_else(|| wrong("match must be exact, prefix or wildcard"))?))
}

/// Ids by kind of pattern, as lists of registrations and subscriptions are given.
fn by_kind(ids: impl Iterator<Item = (u64, Match)>) -> Value {
    let (mut exact, mut prefix, mut wildcard) = (Vec::new(), Vec::new(), Vec::new());
    for (id, kind) in ids {
        match kind {
            Match::Exact => exact.push(id),
            Match::Prefix => prefix.push(id),
            Match::Wildcard => wildcard.push(id),
        }
    }
    json!({"exact": exact, "prefix": prefix, "wildcard": wildcard})
}

/// The arguments of most meta events: whose session, and of what.
fn pair(session: u64, id: u64) -> Arguments {
    Arguments::list(vec![session.into(), id.into()])
}
