//! Calls on their way to a callee, and answers on their way back.
//!
//! Invariant: a pending call is filed twice, with its caller under the call's id and with its callee under the
//! invocation's id; both entries come and go together (`settle`). Deliberately not here: what ends a call before its
//! answer (`cancel`).

use std::sync::Arc;
use std::time::Duration;

use super::abilities::Abilities;
use super::disclosure::{Identified, Prefix, disclose, is_set, pass_through};
use super::peer::{Input, Ongoing, Peer, Pending};
use super::sharing::Callee;
use super::{Core, Turn, Violation};
use crate::codec::number_of;
use crate::message::{Message, code};
use crate::payload::Payload;
use crate::policy::{Action, Identity};
use crate::uri::{self, error};
use crate::{Dict, Fault, Match};

/// Longest timeout that is kept; a longer one is cut to it.
const MAX_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 3600);

pub(super) struct Call {
    pub(super) request: u64,
    pub(super) options: Dict,
    pub(super) procedure: String,
    pub(super) payload: Payload,
}

impl Call {
    /// A caller may send the arguments in several calls with one id; all but the last say `progress`.
    fn input(&self) -> Input {
        if is_set(&self.options, "progress") { Input::MoreToCome } else { Input::Whole }
    }
}

/// A registration that covers a call, and whose turn it is.
struct Target {
    registration: u64,
    kind: Match,
    callee: Callee,
}

impl Core {
    pub(super) fn call(
        &mut self,
        from: u64,
        call: Call,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let Some(caller) = self.peers.get_mut(&from) else { return Ok(()) };
        match caller.calls.get(&call.request).map(|ongoing| ongoing.input) {
            Some(Input::Whole) => return Err(Violation("a call's request id is in use")),
            Some(Input::MoreToCome) => {
                self.call_on(from, call, turn);
                return Ok(());
            }
            None if caller.is_late_piece(call.request, call.input()) => return Ok(()),
            None => {}
        }
        let request = call.request;
        let identity = Arc::clone(&caller.identity);
        if let Err(fault) = self.route(&identity, call, turn) {
            turn.send(from, Message::error(code::CALL, request, fault));
        }
        Ok(())
    }

    fn route(&mut self, caller: &Identity, call: Call, turn: &mut Turn<'_>) -> Result<(), Fault> {
        self.check_uri(&call.procedure, Match::Exact)?;
        turn.allow(caller, Action::Call, &call.procedure)?;
        if uri::is_reserved(&call.procedure) {
            let arguments = call.payload.read().map_err(|error| unreadable(&error))?;
            let payload = self.meta_call(caller, &call.procedure, arguments, turn)?.into();
            let result = Message::Result { request: call.request, details: Dict::new(), payload };
            turn.send(caller.id, result);
            return Ok(());
        }
        self.invoke(caller, call, turn)
    }

    fn invoke(&mut self, caller: &Identity, call: Call, turn: &mut Turn<'_>) -> Result<(), Fault> {
        self.check_room(caller.id)?;
        let Target { registration, kind, callee } = self.find(&call.procedure)?;
        let wishes = [is_set(&call.options, "disclose_me"), callee.wants_caller];
        let identified = self.identified(caller, Action::Call, &call.procedure, wishes, turn)?;
        let max_invocations = self.bounds.pending_invocations;
        let peer = self.peers.get_mut(&callee.session).ok_or_else(|| nobody(&call.procedure))?;
        if peer.waiting() >= max_invocations {
            return Err(full("too many calls of this procedure's callee wait for their answer"));
        }
        let input = call.input();
        if input == Input::MoreToCome && !peer.abilities.has(Abilities::PROGRESSIVE_CALLS) {
            let text = "the callee does not take a call in pieces";
            return Err(Fault::new(error::FEATURE_NOT_SUPPORTED, text));
        }
        let payload =
            call.payload.carry_over(peer.serialiser).map_err(|error| unreadable(&error))?;
        let deadline = timeout_of(&call.options).map(|timeout| turn.now + timeout);
        let wants_progress = is_set(&call.options, "receive_progress");
        let request = call.request;
        let pending = Pending { caller: caller.id, call: request, deadline, wants_progress };
        let invocation = peer.expect(pending);
        let details = invocation_details(caller, &call, kind, identified);
        let message = Message::Invocation { request: invocation, registration, details, payload };
        turn.send(callee.session, message);
        if let Some(peer) = self.peers.get_mut(&caller.id) {
            let ongoing = Ongoing { callee: callee.session, invocation, registration, input };
            peer.calls.insert(request, ongoing);
        }
        self.deadlines.extend(deadline.map(|at| (at, caller.id, request)));
        Ok(())
    }

    fn check_room(&self, caller: u64) -> Result<(), Fault> {
        let calls = self.peers.get(&caller).map_or(0, |peer| peer.calls.len());
        if calls < self.bounds.pending_calls {
            return Ok(());
        }
        Err(full("too many calls of this session wait for their answer"))
    }

    fn find(&mut self, procedure: &str) -> Result<Target, Fault> {
        let id = self.procedures.best(procedure).ok_or_else(|| nobody(procedure))?;
        let registration = self.registrations.get_mut(&id).ok_or_else(|| nobody(procedure))?;
        let (ids, peers) = (&mut self.ids, &self.peers);
        let random = || ids.next(|_| false);
        let load = |session| peers.get(&session).map_or(0, Peer::waiting);
        let callee = registration.callees.choose(registration.sharing, random, load);
        let callee = callee.ok_or_else(|| nobody(procedure))?;
        Ok(Target { registration: id, kind: registration.kind, callee })
    }

    /// A further piece of a call: it goes where the first one went.
    fn call_on(&mut self, from: u64, call: Call, turn: &mut Turn<'_>) {
        let (input, request) = (call.input(), call.request);
        let Some(caller) = self.peers.get_mut(&from) else { return };
        let identity = Arc::clone(&caller.identity);
        let Some(ongoing) = caller.calls.get_mut(&request) else { return };
        ongoing.input = input;
        let Ongoing { callee, invocation, registration, .. } = *ongoing;
        match self.carry_to(callee, &call.payload) {
            Ok(payload) => {
                let kind = self.registrations.get(&registration).map(|found| found.kind);
                let kind = kind.unwrap_or_default();
                let details = invocation_details(&identity, &call, kind, Identified::No);
                let message =
                    Message::Invocation { request: invocation, registration, details, payload };
                turn.send(callee, message);
            }
            Err(fault) => {
                self.give_up(from, request, super::cancel::Callee::Interrupt, fault, turn)
            }
        }
    }

    pub(super) fn yielded(
        &mut self,
        from: u64,
        invocation: u64,
        options: &Dict,
        payload: Payload,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let is_progress = is_set(options, "progress");
        let Some(callee) = self.peers.get(&from) else { return Ok(()) };
        let Some(pending) = callee.invocation(invocation) else {
            return late_answer(callee, invocation);
        };
        let (caller, request) = (pending.caller, pending.call);
        if is_progress && !pending.wants_progress {
            return Ok(());
        }
        if !is_progress {
            self.settle(from, invocation);
        }
        let mut details = Dict::new();
        pass_through(options, &mut details);
        if is_progress {
            details.insert("progress".into(), true.into());
        }
        match self.carry_to(caller, &payload) {
            Ok(payload) => turn.send(caller, Message::Result { request, details, payload }),
            // A piece that cannot be carried over ends the call, which is answered once.
            Err(fault) if is_progress => {
                self.give_up(caller, request, super::cancel::Callee::Interrupt, fault, turn);
            }
            Err(fault) => turn.send(caller, Message::error(code::CALL, request, fault)),
        }
        Ok(())
    }

    pub(super) fn invocation_failed(
        &mut self,
        from: u64,
        failed: Failed,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        let Failed { invocation, details: given, error, payload } = failed;
        let Some(pending) = self.settle(from, invocation) else {
            return self.peers.get(&from).map_or(Ok(()), |callee| late_answer(callee, invocation));
        };
        let (of, request) = (code::CALL, pending.call);
        let mut details = Dict::new();
        pass_through(&given, &mut details);
        let payload = self.carry_to(pending.caller, &payload).unwrap_or_default();
        turn.send(pending.caller, Message::Error { of, request, details, error, payload });
        Ok(())
    }

    fn carry_to(&self, session: u64, payload: &Payload) -> Result<Payload, Fault> {
        let serialiser = self.peers.get(&session).and_then(|peer| peer.serialiser);
        payload.carry_over(serialiser).map_err(|error| unreadable(&error))
    }

    /// Takes a pending call out of both places.
    pub(super) fn settle(&mut self, callee: u64, invocation: u64) -> Option<Pending> {
        let pending = self.peers.get_mut(&callee)?.settle(invocation)?;
        if let Some(caller) = self.peers.get_mut(&pending.caller) {
            caller.close_call(pending.call);
        }
        self.forget_deadline(&pending);
        Some(pending)
    }
}

/// An ERROR that answers an invocation.
pub(super) struct Failed {
    pub(super) invocation: u64,
    pub(super) details: Dict,
    pub(super) error: String,
    pub(super) payload: Payload,
}

fn timeout_of(options: &Dict) -> Option<Duration> {
    let milliseconds = options.get("timeout").and_then(number_of)?;
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds).min(MAX_TIMEOUT))
}

fn invocation_details(caller: &Identity, call: &Call, kind: Match, identified: Identified) -> Dict {
    let mut details = Dict::new();
    if kind != Match::Exact {
        details.insert("procedure".into(), call.procedure.as_str().into());
    }
    if identified == Identified::Yes {
        disclose(caller, Prefix::Caller, &mut details);
    }
    for passed in ["receive_progress", "timeout", "progress"] {
        if let Some(value) = call.options.get(passed) {
            details.insert(passed.into(), value.clone());
        }
    }
    pass_through(&call.options, &mut details);
    details
}

/// An answer to an invocation that was given up meanwhile is dropped; one that never was is a violation.
fn late_answer(callee: &Peer, invocation: u64) -> Result<(), Violation> {
    if callee.has_seen(invocation) {
        Ok(())
    } else {
        Err(Violation("an answer to an invocation that never was"))
    }
}

fn nobody(procedure: &str) -> Fault {
    Fault::new(error::NO_SUCH_PROCEDURE, format!("nobody has registered {procedure}"))
}

pub(super) fn full(text: &str) -> Fault {
    Fault::new(error::UNAVAILABLE, text)
}

fn unreadable(cause: &crate::CodecError) -> Fault {
    Fault::new(error::INVALID_PAYLOAD, format!("the arguments cannot be read: {cause}"))
}
