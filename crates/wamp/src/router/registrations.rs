//! Who answers what: registrations, and which URIs may be used at all.
//!
//! Invariant: a procedure or pattern has one callee; a registration goes with its session.

use super::dealer::full;
use super::peer::Peer;
use super::{Core, Turn};
use crate::message::{Message, code};
use crate::policy::Action;
use crate::uri::{self, error};
use crate::{Dict, Fault, Match};

/// A procedure or pattern and the session that answers it.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) procedure: String,
    pub(super) kind: Match,
    pub(super) callee: u64,
}

impl Core {
    pub(super) fn register(
        &mut self,
        from: u64,
        request: u64,
        options: &Dict,
        procedure: String,
        turn: &mut Turn<'_>,
    ) {
        match self.try_register(from, options, procedure, turn) {
            Ok(registration) => {
                turn.send(from, Message::Registered { request, registration });
                self.announce_registration(registration, turn);
            }
            Err(fault) => turn.send(from, Message::error(code::REGISTER, request, fault)),
        }
    }

    fn try_register(
        &mut self,
        from: u64,
        options: &Dict,
        procedure: String,
        turn: &mut Turn<'_>,
    ) -> Result<u64, Fault> {
        let kind = Match::from_options(options).ok_or_else(unknown_match)?;
        self.check_own_uri(&procedure, kind)?;
        if options.get("invoke").is_some_and(|invoke| invoke != "single") {
            let text = "only the invocation rule single is supported";
            return Err(Fault::new(error::OPTION_NOT_ALLOWED, text));
        }
        let callee = self.peers.get_mut(&from).ok_or_else(|| full("the session has ended"))?;
        turn.allow(&callee.identity, Action::Register(kind), &procedure)?;
        if callee.registrations.len() >= self.bounds.registrations {
            return Err(full("the session has too many registrations"));
        }
        if self.procedures.get(&procedure, kind).is_some() {
            let text = format!("{procedure} is registered already");
            return Err(Fault::new(error::PROCEDURE_EXISTS, text));
        }
        let registrations = &self.registrations;
        let id = self.ids.next(|id| registrations.contains_key(&id));
        callee.registrations.insert(id);
        self.procedures.insert(procedure.clone(), kind, id);
        self.registrations.insert(id, Registration { procedure, kind, callee: from });
        Ok(id)
    }

    pub(super) fn unregister(
        &mut self,
        from: u64,
        request: u64,
        registration: u64,
        turn: &mut Turn<'_>,
    ) {
        let callee = self.peers.get_mut(&from);
        if !callee.is_some_and(|callee| callee.registrations.remove(&registration)) {
            let fault =
                Fault::new(error::NO_SUCH_REGISTRATION, "this session has no such registration");
            turn.send(from, Message::error(code::UNREGISTER, request, fault));
            return;
        }
        turn.send(from, Message::Unregistered { request });
        self.remove_registration(from, registration, turn);
    }

    fn remove_registration(&mut self, session: u64, id: u64, turn: &mut Turn<'_>) {
        if let Some(gone) = self.registrations.remove(&id) {
            self.procedures.remove(&gone.procedure, gone.kind);
            self.announce_unregistration(session, id, turn);
        }
    }

    pub(super) fn drop_registrations(&mut self, gone: &Peer, turn: &mut Turn<'_>) {
        for id in &gone.registrations {
            self.remove_registration(gone.id(), *id, turn);
        }
    }

    pub(super) fn check_uri(&self, uri: &str, kind: Match) -> Result<(), Fault> {
        if uri::is_valid_pattern(uri, kind, self.bounds.uri_length) {
            return Ok(());
        }
        let text = format!(
            "not a URI: it takes 1 to {} bytes, components between dots, no space and no #",
            self.bounds.uri_length
        );
        Err(Fault::new(error::INVALID_URI, text))
    }

    /// For URIs that a session wants to answer or publish under.
    pub(super) fn check_own_uri(&self, uri: &str, kind: Match) -> Result<(), Fault> {
        self.check_uri(uri, kind)?;
        if uri::is_reserved(uri) {
            return Err(Fault::new(error::INVALID_URI, "URIs below wamp. belong to the router"));
        }
        Ok(())
    }
}

pub(super) fn unknown_match() -> Fault {
    Fault::new(error::OPTION_NOT_ALLOWED, "match must be exact, prefix or wildcard")
}
