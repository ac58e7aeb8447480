//! Who answers what: registrations, and which URIs may be used at all.
//!
//! Invariants: a registration stands while it has a callee; all its callees agree on how it is shared.

use std::time::SystemTime;

use super::abilities::Abilities;
use super::dealer::full;
use super::disclosure::is_set;
use super::peer::Peer;
use super::sharing::{Callee, Callees, Sharing};
use super::{Core, Turn};
use crate::message::{Message, code};
use crate::policy::Action;
use crate::uri::{self, error};
use crate::{Dict, Fault, Match};

/// The reason, a URI, that is told to a callee whose procedure another session took over.
const TAKEN_OVER: &str = "wamp.registration.taken_over";

/// A procedure or pattern and the sessions that answer it.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) procedure: String,
    pub(super) kind: Match,
    pub(super) sharing: Sharing,
    pub(super) callees: Callees,
    pub(super) created: SystemTime,
}

/// What a REGISTER asks for.
struct Wish {
    procedure: String,
    kind: Match,
    sharing: Sharing,
    callee: Callee,
    takes_over: bool,
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
            Ok((registration, is_new)) => {
                turn.send(from, Message::Registered { request, registration });
                if is_new {
                    self.announce_created(from, registration, turn);
                }
                self.announce_registered(from, registration, turn);
            }
            Err(fault) => turn.send(from, Message::error(code::REGISTER, request, fault)),
        }
    }

    /// Gives back the registration and whether it is new.
    fn try_register(
        &mut self,
        from: u64,
        options: &Dict,
        procedure: String,
        turn: &mut Turn<'_>,
    ) -> Result<(u64, bool), Fault> {
        let wish = wish(from, options, procedure)?;
        self.check_own_uri(&wish.procedure, wish.kind)?;
        let callee = self.peers.get(&from).ok_or_else(|| full("the session has ended"))?;
        turn.allow(&callee.identity, Action::Register(wish.kind), &wish.procedure)?;
        if callee.registrations.len() >= self.bounds.registrations {
            return Err(full("the session has too many registrations"));
        }
        match self.procedures.get(&wish.procedure, wish.kind) {
            Some(id) if wish.takes_over => {
                self.revoke_registration(id, TAKEN_OVER, turn);
                Ok((self.create(wish, turn.wall), true))
            }
            Some(id) => self.share(id, &wish).map(|()| (id, false)),
            None => Ok((self.create(wish, turn.wall), true)),
        }
    }

    fn create(&mut self, wish: Wish, created: SystemTime) -> u64 {
        let registrations = &self.registrations;
        let id = self.ids.next(|id| registrations.contains_key(&id));
        let Wish { procedure, kind, sharing, callee, .. } = wish;
        self.procedures.insert(procedure.clone(), kind, id);
        let callees = Callees::one(callee);
        let registration = Registration { procedure, kind, sharing, callees, created };
        self.registrations.insert(id, registration);
        if let Some(peer) = self.peers.get_mut(&callee.session) {
            peer.registrations.insert(id);
        }
        id
    }

    /// Adds a callee to a registration that stands.
    fn share(&mut self, id: u64, wish: &Wish) -> Result<(), Fault> {
        let most = self.bounds.callees;
        let exists = |text: String| Fault::new(error::PROCEDURE_EXISTS, text);
        let gone = || exists(format!("{} is registered already", wish.procedure));
        let registration = self.registrations.get_mut(&id).ok_or_else(gone)?;
        if registration.sharing == Sharing::Single && wish.sharing == Sharing::Single {
            return Err(gone());
        }
        if registration.sharing != wish.sharing {
            let text = format!("the procedure is shared by {}", registration.sharing.as_str());
            return Err(Fault::new(error::PROCEDURE_SHARED_OTHERWISE, text));
        }
        if registration.callees.has(wish.callee.session) {
            return Err(exists(format!("this session has registered {} already", wish.procedure)));
        }
        if registration.callees.len() >= most {
            return Err(full("too many sessions share this procedure"));
        }
        registration.callees.push(wish.callee);
        if let Some(peer) = self.peers.get_mut(&wish.callee.session) {
            peer.registrations.insert(id);
        }
        Ok(())
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
        turn.send(from, Message::Unregistered { request, revoked: None });
        self.remove_callee(from, registration, turn);
    }

    fn remove_callee(&mut self, session: u64, id: u64, turn: &mut Turn<'_>) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        if !registration.callees.remove(session) {
            return;
        }
        let is_last = registration.callees.is_empty();
        self.announce_unregistered(session, id, turn);
        if is_last && let Some(gone) = self.registrations.remove(&id) {
            self.procedures.remove(&gone.procedure, gone.kind);
            self.announce_deleted(session, id, turn);
        }
    }

    pub(super) fn drop_registrations(&mut self, gone: &Peer, turn: &mut Turn<'_>) {
        for id in &gone.registrations {
            self.remove_callee(gone.id(), *id, turn);
        }
    }

    /// Takes a registration away from one callee, and tells it if it understands.
    pub(super) fn revoke_callee(
        &mut self,
        session: u64,
        id: u64,
        reason: &str,
        turn: &mut Turn<'_>,
    ) -> bool {
        let Some(peer) = self.peers.get_mut(&session) else { return false };
        if !peer.registrations.remove(&id) {
            return false;
        }
        if peer.abilities.has(Abilities::REGISTRATION_REVOCATION) {
            let revoked = Some(revocation("registration", id, reason));
            turn.send(session, Message::Unregistered { request: 0, revoked });
        }
        self.remove_callee(session, id, turn);
        true
    }

    fn revoke_registration(&mut self, id: u64, reason: &str, turn: &mut Turn<'_>) {
        let Some(registration) = self.registrations.get(&id) else { return };
        let sessions: Vec<u64> = registration.callees.sessions().collect();
        for session in sessions {
            self.revoke_callee(session, id, reason, turn);
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

fn wish(from: u64, options: &Dict, procedure: String) -> Result<Wish, Fault> {
    let kind = Match::from_options(options).ok_or_else(unknown_match)?;
    let sharing = Sharing::from_options(options).ok_or_else(|| {
        let text = "invoke must be single, first, last, roundrobin, random or load";
        Fault::new(error::OPTION_NOT_ALLOWED, text)
    })?;
    let callee = Callee { session: from, wants_caller: is_set(options, "disclose_caller") };
    Ok(Wish { procedure, kind, sharing, callee, takes_over: is_set(options, "force_reregister") })
}

/// The details of an UNREGISTERED or UNSUBSCRIBED that nobody asked for.
pub(super) fn revocation(what: &str, id: u64, reason: &str) -> Dict {
    let mut details = Dict::new();
    details.insert(what.to_owned(), id.into());
    details.insert("reason".into(), reason.into());
    details
}

pub(super) fn unknown_match() -> Fault {
    Fault::new(error::OPTION_NOT_ALLOWED, "match must be exact, prefix or wildcard")
}
