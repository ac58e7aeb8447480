//! `wamp.registration.*`: what is registered, by whom, and taking it away; `on_create`, `on_register`, `on_unregister`
//! and `on_delete`.

use serde_json::{Value, json};

use super::super::registrations::Registration;
use super::super::{Core, Turn};
use super::{by_kind, id_of, pair, pattern_of, text_of, unknown};
use crate::uri::error;
use crate::{Arguments, Fault, timestamps};

/// Given to a callee whose registration is taken away by a call that names no reason.
const REVOKED: &str = "wamp.registration.revocation";

impl Core {
    pub(super) fn registration_call(
        &mut self,
        name: &str,
        arguments: &Arguments,
        turn: &mut Turn<'_>,
    ) -> Result<Value, Fault> {
        let first = arguments.list.first();
        Ok(match name {
            "list" => by_kind(self.registrations.iter().map(|(id, found)| (*id, found.kind))),
            "lookup" => {
                let (uri, kind) = pattern_of(arguments)?;
                self.procedures.get(uri, kind).into()
            }
            "match" => self.procedures.best(text_of(first, "a procedure is wanted")?).into(),
            "get" => {
                let (id, found) = self.registration(first)?;
                describe(id, found)
            }
            "list_callees" => self.registration(first)?.1.callees.sessions().collect(),
            "count_callees" => self.registration(first)?.1.callees.len().into(),
            "remove_callee" => self.remove_callee_by_call(arguments, turn)?,
            _ => return Err(unknown(&format!("wamp.registration.{name}"))),
        })
    }

    fn registration(&self, id: Option<&Value>) -> Result<(u64, &Registration), Fault> {
        let id = id_of(id, "a registration id is wanted")?;
        let none = || Fault::new(error::NO_SUCH_REGISTRATION, format!("no registration {id}"));
        Ok((id, self.registrations.get(&id).ok_or_else(none)?))
    }

    /// Arguments: registration, session, and in the keywords a reason.
    fn remove_callee_by_call(
        &mut self,
        arguments: &Arguments,
        turn: &mut Turn<'_>,
    ) -> Result<Value, Fault> {
        let (id, _) = self.registration(arguments.list.first())?;
        let session = id_of(arguments.list.get(1), "a session id is wanted")?;
        let reason = self.reason_in(arguments, REVOKED)?;
        if self.revoke_callee(session, id, reason, turn) {
            return Ok(Value::Null);
        }
        let text = format!("session {session} does not answer registration {id}");
        Err(Fault::new(error::NO_SUCH_SESSION, text))
    }

    pub(in crate::router) fn announce_created(
        &mut self,
        session: u64,
        id: u64,
        turn: &mut Turn<'_>,
    ) {
        let Some(registration) = self.registrations.get(&id) else { return };
        let created = Arguments::list(vec![session.into(), describe(id, registration)]);
        self.announce("wamp.registration.on_create", || created, turn);
    }

    pub(in crate::router) fn announce_registered(
        &mut self,
        session: u64,
        id: u64,
        turn: &mut Turn<'_>,
    ) {
        self.announce("wamp.registration.on_register", || pair(session, id), turn);
    }

    pub(in crate::router) fn announce_unregistered(
        &mut self,
        session: u64,
        id: u64,
        turn: &mut Turn<'_>,
    ) {
        self.announce("wamp.registration.on_unregister", || pair(session, id), turn);
    }

    pub(in crate::router) fn announce_deleted(
        &mut self,
        session: u64,
        id: u64,
        turn: &mut Turn<'_>,
    ) {
        self.announce("wamp.registration.on_delete", || pair(session, id), turn);
    }
}

fn describe(id: u64, registration: &Registration) -> Value {
    json!({
        "id": id,
        "created": timestamps::write(registration.created),
        "uri": registration.procedure,
        "match": registration.kind.as_str(),
        "invoke": registration.sharing.as_str(),
    })
}
