//! The meta API: who is here, and what is registered.
//!
//! Procedures `wamp.session.count`, `.list`, `.get` and `wamp.registration.list`, `.match`, `.get`; topics
//! `wamp.session.on_join`, `.on_leave` and `wamp.registration.on_create`, `.on_register`, `.on_unregister`,
//! `.on_delete`. Deliberately not here: killing sessions by call, subscription meta, times of creation.

use serde_json::{Value, json};

use super::Core;
use super::Turn;
use super::registrations::Registration;
use crate::policy::Identity;
use crate::uri::error;
use crate::{Arguments, Fault};

impl Core {
    pub(super) fn meta_call(
        &self,
        procedure: &str,
        arguments: &Arguments,
    ) -> Result<Arguments, Fault> {
        let first = arguments.list.first();
        let value = match procedure {
            "wamp.session.count" => self.sessions_in(first)?.count().into(),
            "wamp.session.list" => self.sessions_in(first)?.map(|who| who.id).collect(),
            "wamp.session.get" => self.session_details(first)?,
            "wamp.registration.list" => self.registration_list(),
            "wamp.registration.match" => self.registration_match(first)?,
            "wamp.registration.get" => self.registration_get(first)?,
            _ => {
                let text = format!("this router has no procedure {procedure}");
                return Err(Fault::new(error::NO_SUCH_PROCEDURE, text));
            }
        };
        Ok(Arguments::one(value))
    }

    /// All sessions, or those of the roles in the list that is the first argument.
    fn sessions_in<'a>(
        &'a self,
        roles: Option<&'a Value>,
    ) -> Result<impl Iterator<Item = &'a Identity>, Fault> {
        let roles = match roles {
            None | Some(Value::Null) => None,
            Some(Value::Array(roles)) => Some(roles),
            Some(_) => return Err(wrong("the first argument must be a list of roles")),
        };
        let is_in = move |who: &&Identity| {
            roles.is_none_or(|roles| roles.iter().any(|role| role.as_str() == Some(&who.role)))
        };
        Ok(self.peers.values().map(|peer| &peer.identity).filter(is_in))
    }

    fn session_details(&self, id: Option<&Value>) -> Result<Value, Fault> {
        let id = id.and_then(Value::as_u64).ok_or_else(|| wrong("a session id is wanted"))?;
        let none = || Fault::new(error::NO_SUCH_SESSION, format!("there is no session {id}"));
        self.peers.get(&id).map(|peer| details(&peer.identity)).ok_or_else(none)
    }

    fn registration_list(&self) -> Value {
        let mut lists = [Vec::new(), Vec::new(), Vec::new()];
        for (id, registration) in &self.registrations {
            let [exact, prefix, wildcard] = &mut lists;
            match registration.kind {
                crate::Match::Exact => exact.push(*id),
                crate::Match::Prefix => prefix.push(*id),
                crate::Match::Wildcard => wildcard.push(*id),
            }
        }
        let [exact, prefix, wildcard] = lists;
        json!({"exact": exact, "prefix": prefix, "wildcard": wildcard})
    }

    fn registration_match(&self, uri: Option<&Value>) -> Result<Value, Fault> {
        let uri = uri.and_then(Value::as_str).ok_or_else(|| wrong("a procedure is wanted"))?;
        Ok(self.procedures.best(uri).into())
    }

    fn registration_get(&self, id: Option<&Value>) -> Result<Value, Fault> {
        let id = id.and_then(Value::as_u64).ok_or_else(|| wrong("a registration id is wanted"))?;
        let none = || Fault::new(error::NO_SUCH_REGISTRATION, format!("no registration {id}"));
        self.registrations.get(&id).map(|found| describe(id, found)).ok_or_else(none)
    }

    pub(super) fn announce_join(&mut self, who: &Identity, turn: &mut Turn<'_>) {
        self.announce("wamp.session.on_join", || Arguments::one(details(who)), turn);
    }

    pub(super) fn announce_leave(&mut self, who: &Identity, turn: &mut Turn<'_>) {
        let arguments = || {
            let Identity { id, authid, role, .. } = who;
            Arguments::list(vec![(*id).into(), authid.as_str().into(), role.as_str().into()])
        };
        self.announce("wamp.session.on_leave", arguments, turn);
    }

    /// Every registration has one callee, so it is created and registered in one.
    pub(super) fn announce_registration(&mut self, id: u64, turn: &mut Turn<'_>) {
        let Some(registration) = self.registrations.get(&id) else { return };
        let session = registration.callee;
        let created = Arguments::list(vec![session.into(), describe(id, registration)]);
        self.announce("wamp.registration.on_create", || created, turn);
        let pair = || Arguments::list(vec![session.into(), id.into()]);
        self.announce("wamp.registration.on_register", pair, turn);
    }

    pub(super) fn announce_unregistration(&mut self, session: u64, id: u64, turn: &mut Turn<'_>) {
        let pair = || Arguments::list(vec![session.into(), id.into()]);
        self.announce("wamp.registration.on_unregister", pair, turn);
        self.announce("wamp.registration.on_delete", pair, turn);
    }
}

fn details(who: &Identity) -> Value {
    json!({
        "session": who.id,
        "authid": who.authid,
        "authrole": who.role,
        "authmethod": who.method,
    })
}

fn describe(id: u64, registration: &Registration) -> Value {
    json!({
        "id": id,
        "uri": registration.procedure,
        "match": registration.kind.as_str(),
        "invoke": "single",
    })
}

fn wrong(text: &str) -> Fault {
    Fault::new(error::INVALID_ARGUMENT, text)
}
